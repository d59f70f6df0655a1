"""A ledger taken along to another machine: a copy of it while its daemon runs, and a new one that goes on from it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from gate.errors import StoreError
from gate.ledger.database import open_database

_CARRIED = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('event', 'meta') AND name NOT LIKE 'sqlite_%'
"""
"""All but the history itself: mode, counters of commands, the clock's floor, who is inside, entries used up."""


def copy_ledger(path: Path, copy: Path) -> None:
    """Copy a ledger, as of one moment, into one new file; whoever writes it goes on meanwhile.

    Raises:
        StoreError: it cannot be read, or the copy cannot be written.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as source, \
                closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be copied to {copy}: {error}") from error


def begin_from(old: Path, path: Path, source: str) -> int:
    """Make a ledger of a new epoch at `path`, with what a gate must not forget from `old`, which stays as it is.

    Events stay in `old`: whoever goes on with their numbers on a second machine makes two histories of one name.

    Returns:
        How many events of `old` no recorder has acknowledged.

    Raises:
        StoreError: `old` is another gate's, or no ledger.
    """
    try:
        with closing(open_database(old, source)) as before:
            acked_seq = before.execute("SELECT value FROM meta WHERE key = 'acked_seq'").fetchone()[0]
            left = int(before.execute("SELECT count(*) FROM event WHERE seq > ?", (acked_seq,)).fetchone()[0])
            carried = [name for (name,) in before.execute(_CARRIED)]
            tables = {table: before.execute(f"SELECT * FROM {table}").fetchall() for table in carried}  # noqa: S608
        with closing(open_database(path, source)) as after, after:
            after.execute("BEGIN IMMEDIATE")
            for table, rows in tables.items():
                for row in rows:
                    after.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    except sqlite3.Error as error:
        raise StoreError(f"no ledger can be made from {old}: {error}") from error
    return left
