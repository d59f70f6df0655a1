"""The central side's one database: opened with its schema up to date, read and written in whole transactions.

SQLite by default, PostgreSQL by its URL. On both, one writer at a time: what `writing` commits is visible before the
next one begins, so ids appear in ascending order, and whoever reads on after the last id it saw misses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from gate.central.db.models import Base
from gate.errors import StoreError, UsageError

__all__ = ["DEFAULT_URL", "Base", "Session", "open_database", "reading", "writing"]

DEFAULT_URL = "sqlite:///central.db"
BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another process's transaction before it gives up."""

WRITER_LOCK = 0x67617465
"""The advisory lock of PostgreSQL that a writer holds until its commit is visible."""

_WRITES = {"writes": True}
_SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def open_database(url: str = DEFAULT_URL) -> Engine:
    """Open the database that `url` names, made or migrated to this release's schema where it has to be.

    Several processes may do so at once. A new SQLite file is readable by its owner only: it holds names.

    Raises:
        UsageError: the URL is no database URL, or its driver is not installed.
        StoreError: the database cannot be opened, or a newer release has written it.
    """
    try:
        parsed = _with_driver(make_url(url))
        if parsed.get_backend_name() == "sqlite":
            _make_private(parsed)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(f"--db: no usable database URL ({error}); for example {DEFAULT_URL}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "begin", _begin_postgresql)
    try:
        _migrate(engine)
    except DBAPIError as error:
        advice = ("check that its folder exists and is writable" if engine.dialect.name == "sqlite"
                  else "check that the server runs, that the database exists and that this user may make tables in it")
        raise StoreError(f"{engine.url!r}: {str(error.orig).strip()}; {advice}") from error
    except CommandError as error:
        raise StoreError(f"{engine.url!r}: {error}; was it written by a newer release of gate?") from error
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One snapshot to read from; it never waits for a writer."""
    snapshot = engine if engine.dialect.name == "sqlite" else engine.execution_options(**_SNAPSHOT)
    with Session(snapshot) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction to write in, alone; committed at the end of the block, taken back when it raises.

    Raises:
        OperationalError: another writer did not end within `BUSY_TIMEOUT_MS`.
    """
    with Session(engine.execution_options(**_WRITES)) as session, session.begin():
        yield session


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _make_private(url: URL) -> None:
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        with suppress(OSError):  # an existing file is kept as it is; opening it says what else is wrong
            os.close(os.open(Path(url.database), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, DDL included
    for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", "journal_mode = WAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail at once with SQLITE_BUSY, whatever the time-out
    # (sqlite.org/isolation.html): one that means to write takes the lock when it begins.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if _means_to_write(connection) else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    # Taken before the first statement, at READ COMMITTED: every statement sees all that earlier writers committed.
    if _means_to_write(connection):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_MS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")


def _means_to_write(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writes"))


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", "gate.central.db:migrations")
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
    with engine.connect().execution_options(**_WRITES) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
