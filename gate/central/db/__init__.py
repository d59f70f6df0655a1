"""The central side's one database: opened with its schema up to date, read and written in whole transactions.

SQLite by default; nothing in the models or the migrations is SQLite's own, so that a PostgreSQL URL serves too.
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

_WRITES = {"sqlite_begin": "BEGIN IMMEDIATE"}


def open_database(url: str = DEFAULT_URL) -> Engine:
    """Open the database that `url` names, made or migrated to this release's schema where it has to be.

    Several processes may do so at once. A new SQLite file is readable by its owner only: it holds names.

    Raises:
        UsageError: the URL is no database URL, or its driver is not installed.
        StoreError: the database cannot be opened, or a newer release has written it.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            _make_private(parsed)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(f"--db: no usable database URL ({error}); for example {DEFAULT_URL}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        _migrate(engine)
    except DBAPIError as error:
        raise StoreError(f"{engine.url!r}: {error.orig}; check that its folder exists and is writable") from error
    except CommandError as error:
        raise StoreError(f"{engine.url!r}: {error}; was it written by a newer release of gate?") from error
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """One snapshot to read from; it never waits for a writer."""
    with Session(engine) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction to write in, committed at the end of the block, taken back when it raises."""
    with Session(engine.execution_options(**_WRITES)) as session, session.begin():
        yield session


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
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


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
