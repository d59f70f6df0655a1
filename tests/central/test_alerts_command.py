"""`gate central alerts`: what stands is listed until it is cleared with a note, or cured by itself."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select
from support_outbox import MemoryOutbox

from gate.central.db import models as table
from gate.central.db import open_database, reading
from gate.central.feed import read_batch
from gate.central.feed_store import FeedStore
from gate.cli import main
from gate.clock import SHIFT_START
from gate.model import EventKind

SITE, GATE = "tan-thuan", "cong-a"


@pytest.fixture
def store(database_url: str) -> FeedStore:
    return FeedStore(open_database(database_url))


def record(store: FeedStore, outbox: MemoryOutbox, first: int, last: int) -> None:
    with store.writing():
        store.add(SITE, GATE, read_batch(outbox.batch(first, last), SITE, GATE), SHIFT_START)


def standing(url: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str]]:
    code = main(["central", "alerts", "--db", url, "--json", *arguments])
    alerts = json.loads(capsys.readouterr().out)["alerts"]
    assert code == (1 if alerts else 0)
    return [(alert["kind"], alert["detail"]) for alert in alerts]


def test_gap_is_an_alert_until_the_missing_come(
    database_url: str, store: FeedStore, capsys: pytest.CaptureFixture[str],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(20)
    record(store, outbox, 1, 5)
    record(store, outbox, 11, 20)
    assert standing(database_url, capsys) == [("gap", "5 events are missing, the first is 6")]
    record(store, outbox, 6, 10)
    assert standing(database_url, capsys) == []


def test_gap_that_the_gate_owns_up_to_is_no_alert(
    database_url: str, store: FeedStore, capsys: pytest.CaptureFixture[str],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(20)
    outbox.append(1, EventKind.EVENTS_LOST, from_seq=6, to_seq=10, count=5)
    record(store, outbox, 1, 5)
    record(store, outbox, 11, 21)
    assert standing(database_url, capsys) == []


def test_alert_is_cleared_with_a_note_that_stays(
    database_url: str, store: FeedStore, capsys: pytest.CaptureFixture[str],
) -> None:
    with store.writing():
        store.alert(SITE, GATE, "fork", "event 7 came twice", at=SHIFT_START)
    assert main(["central", "alerts", "--db", database_url, "--clear", "1"]) == 2
    assert "--note" in capsys.readouterr().err
    assert standing(database_url, capsys, "--clear", "1", "--note", "chị Hoa: thẻ nhớ cũ / old card") == []
    with reading(open_database(database_url)) as session:
        alert = session.scalars(select(table.FeedAlert)).one()
        assert (alert.cleared_note, alert.cleared_at is None) == ("chị Hoa: thẻ nhớ cũ / old card", False)


def test_clearing_what_does_not_stand_clears_nothing(
    database_url: str, store: FeedStore, capsys: pytest.CaptureFixture[str],
) -> None:
    with store.writing():
        store.alert(SITE, GATE, "fork", "event 7 came twice", at=SHIFT_START)
    assert main(["central", "alerts", "--db", database_url, "--clear", "1", "99", "--note", "x"]) == 2
    assert "[99]" in capsys.readouterr().err
    assert standing(database_url, capsys) == [("fork", "event 7 came twice")]
