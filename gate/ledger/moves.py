"""Where each holder went last, and what was brought in: kept in one transaction with the events that say so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from gate.model import EventKind, Move, Record, Stamp
from gate.presence import OUTSIDE, move_of

SCHEMA = """
CREATE TABLE move (
    holder TEXT PRIMARY KEY, place TEXT NOT NULL, company TEXT NOT NULL,
    millis INTEGER NOT NULL, tick INTEGER NOT NULL, gate TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE brought_in (
    shift INTEGER NOT NULL, company TEXT NOT NULL, net INTEGER NOT NULL, PRIMARY KEY (shift, company)) WITHOUT ROWID;
"""
_PUT = """
INSERT INTO move VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (holder) DO UPDATE SET place = excluded.place, company = excluded.company, millis = excluded.millis,
    tick = excluded.tick, gate = excluded.gate
WHERE (excluded.millis, excluded.tick, excluded.gate) > (move.millis, move.tick, move.gate)
"""
_BRING_IN = """
INSERT INTO brought_in VALUES (?, ?, ?) ON CONFLICT (shift, company) DO UPDATE SET net = net + excluded.net
"""


def put_moves(db: sqlite3.Connection, moves: Iterable[Move]) -> None:
    """Keep moves of whichever gate; an older one than what is known of its holder changes nothing."""
    db.executemany(_PUT, [(move.holder, move.place, move.company, *move.stamp) for move in moves])


def put_passages(db: sqlite3.Connection, records: Iterable[Record], gate: str) -> None:
    """Keep the moves that the passages among these records are."""
    for record in records:
        if record.kind is EventKind.ACCESS_TAKEN and (move := move_of(record.data, gate)):
            put_moves(db, [move])
            shift = record.data.get("shift", 0)
            db.execute(_BRING_IN, (shift, move.company, -1 if move.place == OUTSIDE else 1))
            db.execute("DELETE FROM brought_in WHERE shift < ?", (shift,))


def read_moves(db: sqlite3.Connection) -> list[Move]:
    """The last move of every holder."""
    rows = db.execute("SELECT holder, place, company, millis, tick, gate FROM move")
    return [Move(holder, place, company, Stamp(millis, tick, gate))
            for holder, place, company, millis, tick, gate in rows]


def read_brought_in(db: sqlite3.Connection) -> tuple[int, Mapping[str, int]]:
    """When the last shift with a passage began, and of each company how many more entered here than left since."""
    rows = db.execute("SELECT shift, company, net FROM brought_in").fetchall()
    return max((row[0] for row in rows), default=0), {company: net for _, company, net in rows}
