"""The ledger's file: its schema, its hash chain, and the ring that keeps it within its size. One thread writes it.

Everything that happens between two commits is one `Batch`, written whole or not at all. The ring gives way in
this order (law 9): acknowledged events, oldest first; then the oldest denials; then the oldest of the rest. What
went before it was acknowledged is owned up to by an EventsLost in the same transaction, and what is pruned
after it leaves a LedgerPruned and an anchor, from which the chain can still be proved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from gate import wire
from gate.ledger.database import is_disk_full, open_database
from gate.ledger.moves import put_moves, put_passages, read_brought_in, read_moves
from gate.ledger.uses import put_uses, read_uses
from gate.model import EventKind, Move, Now, Record

BLOCK_EVENTS = 256
"""How many rows make way at once, so that not every event pays for room and for a note of it."""
NOTES_MAX = 2
"""Rows that a batch may need beside its own: one LedgerPruned, one EventsLost."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and the moment it is about."""

    record: Record
    now: Now


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction: events, how far the recorder has acknowledged, small state, and events refused entry."""

    entries: Sequence[Entry] = ()
    acked_seq: int = 0
    state: Mapping[str, bytes] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    refused: int = 0
    """Events that were turned away before they had a seq; the next EventsLost tells their number."""
    clean: bool = False
    """Whether this is the last batch before an orderly stop."""


class Span(Struct, frozen=True):
    """What the file holds: rows after the anchor up to `last_seq`, less the holes where denials were dropped."""

    anchor_seq: int = 0
    last_seq: int = 0
    last_hash: bytes = wire.GENESIS
    acked_seq: int = 0
    rows: int = 0
    unacked: int = 0
    refused: int = 0

    @property
    def holes(self) -> int:
        return self.last_seq - self.anchor_seq - self.rows

    @property
    def unacked_holes(self) -> int:
        return self.last_seq - max(self.acked_seq, self.anchor_seq) - self.unacked


@dataclass(slots=True)
class _Loss:
    """What one EventsLost will tell; losses told by an EventsLost that is itself lost are told again."""

    seqs: list[int] = field(default_factory=list)
    count: int = 0
    refused: int = 0

    def add(self, rows: Sequence[tuple[int, str, bytes]]) -> None:
        for seq, kind, body in rows:
            self.seqs.append(seq)
            self.count += 1
            if kind == EventKind.EVENTS_LOST:
                told = wire.read_event(body).data
                self.seqs += [told[key] for key in ("from_seq", "to_seq") if key in told]
                self.count += told["count"]
                self.refused += told["refused"]

    def record(self) -> Record:
        bounds = {"from_seq": min(self.seqs), "to_seq": max(self.seqs)} if self.seqs else {}
        return Record(EventKind.EVENTS_LOST, {**bounds, "count": self.count, "refused": self.refused})


class LedgerFile:
    """The writing side of a ledger; `span` tells what the file holds as of the last commit."""

    def __init__(self, path: Path, *, source: str, zone: ZoneInfo, ring_events: int) -> None:
        """Open the file, or make one with a new epoch.

        Raises:
            StoreError: the file belongs to another gate or another release.
            DamagedError: what is there is damaged, or no ledger at all.
            sqlite3.Error: it cannot be read or written.
        """
        self.ring_events = ring_events
        self._source, self._zone, self._gate = source, zone, source.rpartition("/")[2]
        self._block = max(1, min(BLOCK_EVENTS, ring_events // 100))
        self._db = open_database(path, source)
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        self.epoch: str = meta["epoch"]
        self.was_unclean = not meta["clean"]
        self.state: dict[str, bytes] = dict(self._db.execute("SELECT key, value FROM state"))
        self.moves = read_moves(self._db)
        self.uses = read_uses(self._db)
        self.shift_millis, self.brought_in = read_brought_in(self._db)
        self.span = self._now = self._measure(meta)
        self._settle()

    def is_full(self) -> bool:
        """Whether denials have no place any more: what room is left belongs to events that matter more."""
        return self._now.unacked >= self.ring_events - 2 * self._block

    def write(self, batch: Batch) -> int:
        """Commit one batch; returns the bytes of the event bodies written.

        Raises:
            sqlite3.Error: nothing was written, and everything is as before.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            written_bytes = self._put(batch)
            self._db.execute("COMMIT")
        except BaseException:
            self._take_back()
            raise
        self.span = self._now
        self.state.update(batch.state)
        return written_bytes

    def rehearse(self, batch: Batch) -> None:
        """Do what `write` does, and keep nothing: what the next one needs is then in the caches. It never fails."""
        if not self._excess(len(batch.entries) + NOTES_MAX):
            with suppress(Exception):  # whatever it is, the next write will tell
                self._db.execute("BEGIN IMMEDIATE")
                self._put(batch)
            self._take_back()

    def _take_back(self) -> None:
        self._now = self.span
        with suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")

    def restart_wal(self) -> None:
        """Begin the WAL anew after a checkpoint, with the sync that belongs to it, while nobody waits."""
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # does nothing, unless commits came in meanwhile
        self._set_meta("checkpointed_seq", self.span.last_seq)

    def close(self) -> None:
        """Close the file; the last to close it copies the WAL into it."""
        self._db.close()

    def _put(self, batch: Batch) -> int:
        self._now = structs.replace(self._now, refused=self._now.refused + batch.refused)
        self._acknowledge(batch.acked_seq)
        written_bytes = 0
        if batch.entries:
            now = batch.entries[-1].now
            notes = [Entry(record, now) for record in self._make_room(len(batch.entries) + NOTES_MAX)]
            written_bytes = self._insert([*notes, *batch.entries])
            put_passages(self._db, (entry.record for entry in batch.entries), self._gate)
            put_uses(self._db, (entry.record for entry in batch.entries))
        if batch.moves:
            put_moves(self._db, batch.moves)
        self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", batch.state.items())
        self._keep_books(batch.clean)
        return written_bytes

    # --- the ring --------------------------------------------------------------------------------------

    def _acknowledge(self, up_to_seq: int) -> None:
        span = self._now
        up_to_seq = min(up_to_seq, span.last_seq)
        if up_to_seq <= span.acked_seq:
            return
        gone = up_to_seq - max(span.acked_seq, span.anchor_seq)
        if span.unacked_holes:
            gone = self._one("SELECT count(*) FROM event WHERE seq > ? AND seq <= ?", span.acked_seq, up_to_seq)
        self._now = structs.replace(span, acked_seq=up_to_seq, unacked=span.unacked - gone)

    def _make_room(self, wanted: int) -> list[Record]:
        notes: list[Record] = []
        loss = _Loss()
        if excess := self._excess(wanted):
            notes += self._prune(excess)
        for denials_only in (True, False):
            if excess := self._excess(wanted):
                loss.add(self._drop(excess, denials_only))
        if loss.count or (self._now.refused and not self.is_full()):
            loss.refused += self._now.refused
            self._now = structs.replace(self._now, refused=0)
            notes.append(loss.record())
        return notes

    def _excess(self, wanted: int) -> int:
        """How many rows have to go, in whole blocks, for `wanted` to find room."""
        excess = self._now.rows + wanted - self.ring_events
        return max(excess, self._block) if excess > 0 else 0

    def _prune(self, count: int) -> list[Record]:
        """Forget the oldest events that the recorder has."""
        rows = self._db.execute("SELECT seq, hash FROM event WHERE seq <= ? ORDER BY seq LIMIT ?",
                                (self._now.acked_seq, count)).fetchall()
        if not rows:
            return []
        seq, hash_ = rows[-1]
        self._db.execute("DELETE FROM event WHERE seq <= ?", (seq,))
        self._move_anchor(seq, hash_)
        self._now = structs.replace(self._now, rows=self._now.rows - len(rows))
        return [Record(EventKind.LEDGER_PRUNED, {
            "from_seq": rows[0][0], "to_seq": seq, "count": len(rows), "hash": hash_.hex(),
        })]

    def _drop(self, count: int, denials_only: bool) -> list[tuple[int, str, bytes]]:
        """Give up the oldest events though nobody has acknowledged them; the acknowledged ones are gone already."""
        which = f"kind = '{EventKind.ACCESS_DENIED}' AND" if denials_only else ""
        rows = self._db.execute(
            f"SELECT seq, kind, body, hash FROM event WHERE {which} seq > ? ORDER BY seq LIMIT ?",  # noqa: S608
            (self._now.acked_seq, count)).fetchall()
        self._db.executemany("DELETE FROM event WHERE seq = ?", [(row[0],) for row in rows])
        if rows and not denials_only:
            self._move_anchor(rows[-1][0], rows[-1][3])
        self._now = structs.replace(self._now, rows=self._now.rows - len(rows), unacked=self._now.unacked - len(rows))
        return [row[:3] for row in rows]

    def _insert(self, entries: Sequence[Entry]) -> int:
        seq, prev = self._now.last_seq, self._now.last_hash
        rows = []
        for entry in entries:
            seq += 1
            body, prev = wire.seal(
                source=self._source, epoch=self.epoch, seq=seq, prev=prev, kind=entry.record.kind,
                time=entry.now.utc.astimezone(self._zone), synced=entry.now.trusted, data=entry.record.data,
            )
            rows.append((seq, entry.record.kind.value, body, prev))
        self._db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)
        self._now = structs.replace(self._now, last_seq=seq, last_hash=prev, rows=self._now.rows + len(rows),
                            unacked=self._now.unacked + len(rows))
        return sum(len(row[2]) for row in rows)

    # --- the books -------------------------------------------------------------------------------------

    def _measure(self, meta: Mapping[str, Any]) -> Span:
        anchor_seq, acked_seq = meta["anchor_seq"], meta["acked_seq"]
        last = self._db.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        last_seq, last_hash = last or (anchor_seq, meta["anchor_hash"])
        return Span(
            anchor_seq=anchor_seq, last_seq=last_seq, last_hash=last_hash, acked_seq=acked_seq,
            refused=meta["refused"], rows=last_seq - anchor_seq - meta["holes"],
            unacked=last_seq - max(acked_seq, anchor_seq) - meta["unacked_holes"],
        )

    def _settle(self) -> None:
        """Copy what an earlier run left in the WAL into the file, and sync it there, before anybody relies on it.

        Copying writes those pages afresh: an earlier sync may have failed and left them clean in memory only.
        """
        try:
            self._db.execute("PRAGMA wal_checkpoint(RESTART)")
            self._set_meta("clean", 0)
        except sqlite3.Error as error:
            if not is_disk_full(error):
                raise

    def _keep_books(self, clean: bool) -> None:
        """Write down what cannot be told from the rows, where it changed: most commits touch one page only."""
        for key in ("acked_seq", "refused", "holes", "unacked_holes"):
            if (value := getattr(self._now, key)) != getattr(self.span, key):
                self._set_meta(key, value)
        if clean:
            self._set_meta("clean", 1)

    def _move_anchor(self, seq: int, hash_: bytes) -> None:
        self._set_meta("anchor_seq", seq)
        self._set_meta("anchor_hash", hash_)
        self._now = structs.replace(self._now, anchor_seq=seq)

    def _set_meta(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _one(self, sql: str, *parameters: Any) -> Any:
        return self._db.execute(sql, parameters).fetchone()[0]
