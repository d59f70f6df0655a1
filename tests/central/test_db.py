"""The central database: its schema, its transactions, and what it says when it cannot be opened."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from support_mosquitto import free_port

from gate.central import db
from gate.central.db import Base, open_database, reading, writing
from gate.central.db.models import Event, Feed, Identifier, Pass, Person
from gate.clock import SHIFT_START
from gate.errors import StoreError, UsageError


def person(holder: str = "h1", **fields: object) -> Person:
    return Person(holder=holder, full_name="NGUYỄN VĂN A", created_at=SHIFT_START, **fields)


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'central.db'}"


def test_migrations_make_exactly_what_the_models_say(url: str) -> None:
    with open_database(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_opening_again_keeps_what_is_there(url: str) -> None:
    with writing(open_database(url)) as session:
        session.add(person())
    with reading(open_database(url)) as session:
        assert session.scalars(select(Person.holder)).all() == ["h1"]


def test_many_can_open_a_new_database_at_once(url: str) -> None:
    problems: list[Exception] = []

    def open_it() -> None:
        try:
            open_database(url).dispose()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_new_file_is_readable_by_its_owner_only(sqlite_url: str, tmp_path: Path) -> None:
    with writing(open_database(sqlite_url)) as session:
        session.add(person())
        session.flush()
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_sqlite_is_in_wal(sqlite_url: str) -> None:
    with open_database(sqlite_url).connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"


def test_number_of_nobody_is_refused(url: str) -> None:
    with pytest.raises(IntegrityError), writing(open_database(url)) as session:
        session.add(Identifier(person_id=99, kind="cccd", value="001093029317"))


def test_failed_block_leaves_nothing_behind(url: str) -> None:
    engine = open_database(url)
    with pytest.raises(RuntimeError), writing(engine) as session:
        session.add(person())
        session.flush()
        raise RuntimeError
    with reading(engine) as session:
        assert session.scalars(select(Person)).all() == []


def test_one_number_names_one_person(url: str) -> None:
    with pytest.raises(IntegrityError), writing(open_database(url)) as session:
        for holder in ("h1", "h2"):
            session.add(person(holder, identifiers=[Identifier(kind="cccd", value="001093029317")]))


def test_one_event_has_one_row(url: str) -> None:
    engine = open_database(url)
    with writing(engine) as session:
        feed = Feed(site="tan-thuan", gate="a", epoch="e1", last_hash=bytes(32), first_heard_at=SHIFT_START,
                    last_heard_at=SHIFT_START)
        session.add(feed)
        session.flush()
        row = {"feed_id": feed.id, "seq": 1, "kind": "AccessGranted", "time": "2026-11-23T06:55:00.000+07:00",
               "received_at": SHIFT_START, "body": b"{}", "hash": bytes(32)}
        session.add(Event(**row))
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.add(Event(**row))


def test_moments_come_back_aware_and_the_same(url: str) -> None:
    engine = open_database(url)
    local = datetime(2026, 11, 23, 6, 55, tzinfo=timezone(timedelta(hours=7)))
    with writing(engine) as session:
        session.add(person(valid_from=local))
    with reading(engine) as session:
        kept = session.scalars(select(Person.valid_from)).one()
    assert kept == local
    assert kept is not None
    assert kept.tzinfo is UTC


def test_moment_without_zone_is_refused(url: str) -> None:
    with pytest.raises(StatementError, match="without a time zone"), writing(open_database(url)) as session:
        session.add(person(valid_from=datetime(2026, 11, 23)))  # noqa: DTZ001


def test_erased_person_takes_their_numbers_along_and_leaves_the_revocation(url: str) -> None:
    engine = open_database(url)
    with writing(engine) as session:
        session.add(person(identifiers=[Identifier(kind="cccd", value="001093029317")], passes=[Pass(
            cti="ab", key_id="k", issued_at=SHIFT_START, valid_from=SHIFT_START, valid_until=SHIFT_START,
            revoked_at=SHIFT_START)]))
    with writing(engine) as session:
        session.delete(session.scalars(select(Person)).one())
    with reading(engine) as session:
        assert session.scalars(select(Identifier)).all() == []
        assert [(row.cti, row.person_id) for row in session.scalars(select(Pass))] == [("ab", None)]


def test_reader_does_not_wait_for_a_writer(url: str) -> None:
    engine = open_database(url)
    with writing(engine) as writer:
        writer.add(person())
        writer.flush()
        with reading(engine) as reader:
            assert reader.scalars(select(Person)).all() == []


def test_writers_go_one_at_a_time_and_a_wait_has_an_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So ids appear in order, and the live page, which reads on after the last it saw, misses none."""
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 1)
    one, other = open_database(url), open_database(url)
    with writing(one) as first:
        first.add(person("h1"))
        first.flush()
        with pytest.raises(OperationalError), writing(other) as second:
            second.add(person("h2"))
            second.flush()
    with writing(other) as session:
        session.add(person("h2"))
    with reading(one) as session:
        assert session.scalars(select(Person.holder).order_by(Person.id)).all() == ["h1", "h2"]


def test_reading_is_one_snapshot(url: str) -> None:
    engine = open_database(url)
    with reading(engine) as reader:
        assert reader.scalars(select(Person.holder)).all() == []
        with writing(engine) as writer:
            writer.add(person())
        assert reader.scalars(select(Person.holder)).all() == []


def test_server_that_is_away_says_what_to_check() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match="check that the server runs"):
        open_database(f"postgresql://gate@127.0.0.1:{free_port()}/central?connect_timeout=5")


@pytest.mark.parametrize("bad", ["central.db", "oracle9://x", "postgresql+nodriver://h/d"])
def test_what_is_no_database_url_is_a_usage_error(bad: str) -> None:
    with pytest.raises(UsageError, match="--db"):
        open_database(bad)


def test_missing_folder_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="folder exists"):
        open_database(f"sqlite:///{tmp_path}/none/central.db")


def test_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "central.db"
    path.write_bytes(os.urandom(4096))
    with pytest.raises(StoreError, match="not a database"):
        open_database(f"sqlite:///{path}")


def test_database_of_a_newer_release_is_refused(url: str) -> None:
    with writing(open_database(url)) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer release"):
        open_database(url)
