"""How often holders with a limited number of entries have used it up: kept in one transaction with their grants."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gate.model import Record

SCHEMA = "CREATE TABLE used (holder TEXT PRIMARY KEY, uses INTEGER NOT NULL) WITHOUT ROWID;\n"


def put_uses(db: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Keep what these records say; a grant counts before it moves the barrier, and what lapses is given back."""
    rows = [(record.data["holder"], record.data["uses"]) for record in records if "uses" in record.data]
    if rows:
        db.executemany("INSERT OR REPLACE INTO used VALUES (?, ?)", rows)


def read_uses(db: sqlite3.Connection) -> dict[str, int]:
    """Holder -> entries used up."""
    return dict(db.execute("SELECT holder, uses FROM used"))
