"""Builds the roster file of `gate.documents.roster_file` from rows, however many: streamed, sorted outside memory.

The same rows in the same order under the same key give the same bytes, so a gate need not copy an unchanged roster.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gate.documents.roster_file import INDEXES, KEY_CHECK, SCHEMA, TABLES, RosterRow
from gate.errors import DocumentError
from gate.policy.health.record import FACT, check_record
from gate.policy.visits import FACT as VISIT
from gate.policy.visits import read_visit
from gate.trust import token_hash

FACTS_MAX_BYTES = 8192
PROGRESS_HOLDERS = 50_000
_SAME_HOLDER = "SELECT min(rowid), max(rowid) FROM holder GROUP BY id HAVING count(*) > 1 LIMIT 1"
_SAME_IDENTIFIER = "SELECT min(holder), max(holder) FROM unsorted GROUP BY hash HAVING count(*) > 1 LIMIT 1"
_APPLICATION_ID = 0x47415445  # "GATE" in the header, for file(1) (sqlite.org/fileformat.html, 1.3.14)


def build_roster(
    path: Path, rows: Iterable[RosterRow], token_key: bytes, progress: Callable[[int], None] = lambda holders: None,
) -> int:
    """Write the roster file `path` whole or not at all, and give the number of holders in it.

    Memory does not grow with the rows. `progress` hears of every `PROGRESS_HOLDERS` holders.

    Raises:
        DocumentError: two rows share a holder id or an identifier (the rows are named, the value is not),
            a moment has no time zone, a health record is none, or a holder has more than FACTS_MAX_BYTES of facts.
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as db:
            holders = _fill(db, rows, token_key, progress)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return holders


def _fill(
    db: sqlite3.Connection, rows: Iterable[RosterRow], token_key: bytes, progress: Callable[[int], None],
) -> int:
    db.execute("PRAGMA journal_mode = MEMORY")  # enough to take one refused statement back
    db.execute("PRAGMA synchronous = OFF")
    db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    for statement in TABLES.values():
        db.execute(statement)
    db.execute("BEGIN")
    db.execute("CREATE TEMP TABLE unsorted(hash BLOB NOT NULL, holder INTEGER NOT NULL)")
    holders = 0
    for holders, row in enumerate(rows, start=1):
        db.execute("INSERT INTO holder VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (holders, *_columns(row)))
        hashes = {token_hash(token_key, identifier) for identifier in row.identifiers}
        db.executemany("INSERT INTO unsorted VALUES (?, ?)", [(hash_, holders) for hash_ in hashes])
        if holders % PROGRESS_HOLDERS == 0:
            progress(holders)
    # What arrives sorted fills its pages: there is nothing to vacuum.
    _unique(db, INDEXES["holder_id"], _SAME_HOLDER, "holder id")
    _unique(db, "INSERT INTO token SELECT hash, holder FROM unsorted ORDER BY hash", _SAME_IDENTIFIER, "identifier")
    (tokens,) = db.execute("SELECT count(*) FROM token").fetchone()
    meta = {"schema": SCHEMA, "holders": str(holders), "tokens": str(tokens),
            "key_check": token_hash(token_key, KEY_CHECK).hex()}
    db.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
    db.execute("COMMIT")
    return holders


def _unique(db: sqlite3.Connection, statement: str, clash: str, what: str) -> None:
    """Run a statement that keeps something unique; where two rows clash, say which two, never by which value."""
    try:
        db.execute(statement)
    except sqlite3.IntegrityError as error:
        first, second = db.execute(clash).fetchone()
        ids = dict(db.execute("SELECT rowid, id FROM holder WHERE rowid IN (?, ?)", (first, second)))
        raise DocumentError(
            f"row {first} (holder {ids[first]}) and row {second} (holder {ids[second]}) have the same {what}; "
            "correct or remove one of the two people",
        ) from error


def _columns(row: RosterRow) -> tuple[Any, ...]:
    if row.facts:
        try:
            check_record(row.facts.get(FACT, {}))
            read_visit(row.facts.get(VISIT, {}))
        except DocumentError as error:
            raise DocumentError(f"holder {row.holder}: {error}") from error
    facts = msgspec.json.encode(row.facts, order="deterministic") if row.facts else None
    if facts and len(facts) > FACTS_MAX_BYTES:
        raise DocumentError(f"holder {row.holder}: {len(facts)} bytes of facts; at most {FACTS_MAX_BYTES} fit")
    return (row.holder, _lines(row, row.areas), _lines(row, row.roles), row.schedule,
            _seconds(row, row.valid_from), _seconds(row, row.valid_until), row.company, facts)


def _lines(row: RosterRow, words: Iterable[str]) -> str:
    unique = set(words)
    if not all(word.isprintable() and word for word in unique):
        raise DocumentError(f"holder {row.holder}: an area or a role is empty or holds a control character")
    return "\n".join(sorted(unique))


def _seconds(row: RosterRow, at: datetime | None) -> int | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise DocumentError(f"holder {row.holder}: {at} has no time zone; a roster holds moments, not wall times")
    return int(at.timestamp())
