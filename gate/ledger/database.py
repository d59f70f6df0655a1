"""The ledger's database: its schema, how it is opened, and what to do when it is damaged."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

from gate import wire
from gate.durable import sync
from gate.errors import StoreError
from gate.ledger.moves import SCHEMA as MOVES
from gate.ledger.uses import SCHEMA as USES
from gate.model import EventKind

SCHEMA_VERSION = 1
PAGE_BYTES = 1024
"""About two events: each commit writes whole pages, so small ones spare the card (figures in `docs/ledger.md`)."""
BUSY_TIMEOUT_S = 5.0
_BLOCK_BYTES = 1 << 20

EVENT_TABLE = "CREATE TABLE event (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL)"
_SCHEMA = f"""
BEGIN IMMEDIATE;
{EVENT_TABLE};
{MOVES}{USES}CREATE INDEX denial ON event (seq) WHERE kind = '{EventKind.ACCESS_DENIED}';
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
"""
_PRAGMAS = (f"page_size = {PAGE_BYTES}", "journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0",
            "secure_delete = FAST")


class DamagedError(StoreError):
    """The file is no ledger any more; it can only be set aside."""


def open_database(path: Path, source: str) -> sqlite3.Connection:
    """Open the ledger of the gate that events name as `source`, made with a new epoch where there is none.

    Raises:
        StoreError: the file belongs to another gate or another release.
        DamagedError: what is there is damaged, or no ledger at all.
        sqlite3.Error, OSError: it cannot be read or written.
    """
    _make_private(path)
    _renew_wal(path)
    db = connect(path)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            _make_schema(db, source)
            sync(path.parent)
        elif version != SCHEMA_VERSION:
            raise StoreError(f"{path} has the form of another release ({version}, here {SCHEMA_VERSION}): "
                             "run that release, or move the file away to begin a new ledger")
        owner = db.execute("SELECT value FROM meta WHERE key = 'source'").fetchone()
        if owner is None:
            raise DamagedError(f"{path}: it does not say whose it is")
        if owner[0] != source:
            raise StoreError(f"{path} is the ledger of {owner[0]}, and this gate is {source}: correct "
                             "site.id and gate.id, or move the file away to begin a new ledger")
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise DamagedError(f"{path}: {error}") from error
        raise
    return db


def connect(path: Path) -> sqlite3.Connection:
    """A connection that may write; the flusher alone syncs the WAL and copies it into the database (law 1).

    Raises:
        StoreError: there can be no write-ahead log.
        DamagedError: what is there is damaged, or no database at all.
        sqlite3.Error: it cannot be opened.
    """
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        if db.execute("PRAGMA journal_mode").fetchone() != ("wal",):  # SQLite says in no other way that it failed
            raise StoreError(f"{path}: the disk did not take the ledger's first pages, or cannot hold a write-ahead "
                             "log: state_dir must be on a local disk that works")
    except (sqlite3.Error, StoreError) as error:
        db.close()
        if is_damage(error):
            raise DamagedError(f"{path}: {error}") from error
        raise
    return db


def is_damage(error: BaseException) -> bool:
    """Whether the file itself is broken, and not only out of reach."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_disk_full(error: BaseException) -> bool:
    """Whether there was no room to write: SQLite has then taken the transaction back cleanly."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL


def mark_damaged(path: Path) -> None:
    """Leave word for the next start that the file was found damaged while in use."""
    with suppress(OSError):
        _mark(path).touch(0o600)


def is_marked_damaged(path: Path) -> bool:
    """Whether a run before this one left that word."""
    return _mark(path).exists()


def set_aside(path: Path) -> Path:
    """Move a damaged ledger away, together with its WAL, so that it can be looked at and a new one can begin."""
    aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    _mark(path).unlink(missing_ok=True)
    sync(path.parent)
    return aside


def _make_schema(db: sqlite3.Connection, source: str) -> None:
    db.executescript(_SCHEMA)
    db.executemany("INSERT INTO meta VALUES (?, ?)", {
        "epoch": secrets.token_hex(8), "source": source, "clean": 1, "acked_seq": 0, "refused": 0,
        "anchor_seq": 0, "anchor_hash": wire.GENESIS, "holes": 0, "unacked_holes": 0,
    }.items())
    db.execute("COMMIT")


def _make_private(path: Path) -> None:
    # Before SQLite has it open: closing a descriptor later would drop SQLite's own locks.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _renew_wal(path: Path) -> None:
    """Write the WAL that an earlier run left over itself, and sync it.

    A sync that failed may have left its pages clean, and in memory only, and who opens it now hears nothing of that.
    SQLite would copy them into the database; a power cut then leaves a newer database under an older WAL: damage.
    """
    with suppress(FileNotFoundError), Path(f"{path}-wal").open("r+b") as wal:
        at = 0
        while block := wal.read(_BLOCK_BYTES):
            wal.seek(at)
            wal.write(block)
            at += len(block)
            wal.seek(at)
        wal.flush()
        os.fsync(wal.fileno())


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.suspect")
