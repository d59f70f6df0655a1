"""Reading a ledger: rows for the feed, the latest events, and the proof that nothing in it was changed.

Every connection here is read-only and every look at the file is short, so that no reader keeps the WAL from
being begun anew.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from gate import wire
from gate.errors import MalformedError, StoreError
from gate.ledger.database import EVENT_TABLE, DamagedError, is_damage
from gate.model import EventKind

READ_ROWS = 1000
"""How many rows one look at the file takes."""
# Whatever a damaged file holds: blobs, be they empty.
_ROW = "SELECT seq, CAST(coalesce(body, '') AS BLOB), CAST(coalesce(hash, '') AS BLOB) FROM event"

Value = TypeVar("Value", str, int, bytes)


class Row(NamedTuple):
    """One event as it is stored: its canonical bytes, and their hash."""

    seq: int
    body: bytes
    hash: bytes


class Proof(NamedTuple):
    """What a look at the whole chain found; `bad_seq` is the first event that is not as it was written."""

    events: int
    lost: int
    """Events missing that the ledger itself owns up to."""
    bad_seq: int | None = None
    problem: str = ""


class LedgerReader:
    """A read-only view of a ledger's file; it may be used from any one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            StoreError: there is no ledger at `path`, or it cannot be read, which any later call may find as well.
        """
        self.path = path
        self._lock = Lock()
        try:
            self._db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True,
                                       isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._unreadable(str(error)) from error
        try:
            with self._looking():
                table = self._db.execute("SELECT sql FROM sqlite_master WHERE name = 'event'").fetchone()
                if table != (EVENT_TABLE,):
                    raise self._unreadable("no table of events in it")
                self.epoch = self._meta("epoch", str)
        except StoreError:
            self._db.close()
            raise

    def rows_after(self, seq: int, limit: int, up_to_seq: int | None = None) -> list[Row]:
        """At most `limit` rows that follow `seq`, in order, none beyond `up_to_seq`."""
        bound = up_to_seq if up_to_seq is not None else 2**63 - 1
        rows = [Row(*row) for row in self._query(
            f"{_ROW} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", seq, bound, limit)]
        for before, row in zip((seq, *(row.seq for row in rows)), rows, strict=False):
            if row.seq <= before:  # pages in a circle, round which a reader would go for ever
                raise self._unreadable(f"event {row.seq} stands after {before}", DamagedError)
        return rows

    def hash_at(self, seq: int) -> bytes | None:
        """The chain's hash at `seq`, or None when that event is not here (any more)."""
        rows = self._query("SELECT hash FROM event WHERE seq = ?", seq)
        return rows[0][0] if rows else None

    def recent(self, limit: int, kinds: Collection[EventKind] = ()) -> list[Row]:
        """The latest `limit` rows, oldest first, of these kinds (none named: of all)."""
        where = f"WHERE kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        rows = self._query(f"{_ROW} {where} ORDER BY seq DESC LIMIT ?", *kinds, limit)
        return [Row(*row) for row in reversed(rows)]

    def all_rows(self) -> Iterator[Row]:
        """Every row in order."""
        return self._from(self.rows_after(0, READ_ROWS))

    def prove(self) -> Proof:
        """Recompute the chain over the whole file, from the anchor on."""
        with self._looking():
            self._db.execute("BEGIN")  # the anchor and the rows after it belong to one moment
            try:
                anchor_seq, anchor_hash = self._meta("anchor_seq", int), self._meta("anchor_hash", bytes)
                first = [Row(*row) for row in self._db.execute(
                    f"{_ROW} ORDER BY seq LIMIT ?", (READ_ROWS,))]
            finally:
                self._db.execute("COMMIT")
        proof = prove_chain(self._from(first), self.epoch, anchor_seq, anchor_hash)
        with self._looking():
            acked_seq = self._meta("acked_seq", int)
        last_seq = self._query("SELECT coalesce(max(seq), ?) FROM event", anchor_seq)[0][0]
        if proof.bad_seq is None and acked_seq > last_seq:
            return proof._replace(bad_seq=last_seq + 1, problem="the recorder has it, and it is gone from here")
        return proof

    def prove_tail(self, count: int) -> Proof:
        """Recompute the chain over the last `count` rows only."""
        rows = self.recent(count + 1)
        if len(rows) <= count:
            return self.prove()
        return prove_chain(rows[1:], self.epoch, rows[0].seq, rows[0].hash, holes_excused=True)

    def close(self) -> None:
        self._db.close()

    def _from(self, rows: list[Row]) -> Iterator[Row]:
        while rows:
            yield from rows
            rows = self.rows_after(rows[-1].seq, READ_ROWS)

    def _meta(self, key: str, kind: type[Value]) -> Value:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None or not isinstance(row[0], kind):
            raise self._unreadable(f"its {key} is missing, or not in form")
        return row[0]

    def _query(self, sql: str, *parameters: Any) -> list[Any]:
        with self._looking():
            return self._db.execute(sql, parameters).fetchall()

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """One look at the file, by one thread; text in a damaged one need not be UTF-8."""
        try:
            with self._lock:
                yield
        except MemoryError as error:  # a page may say that its row is as long as the address space
            raise self._unreadable("it takes more memory than there is: damaged, or the memory is full") from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._unreadable(str(error), DamagedError if is_damage(error) else StoreError) from error

    def _unreadable(self, why: str, kind: type[StoreError] = StoreError) -> StoreError:
        return kind(f"{self.path}: no ledger can be read there ({why}); is that the file in the gate's state_dir, "
                    "and may you read it?")


def prove_chain(
    rows: Iterable[Row], epoch: str, after_seq: int, after_hash: bytes, *, holes_excused: bool = False,
) -> Proof:
    """Check that each row is what its hash says, is chained to the row before, and that every hole is owned up to.

    Across a hole the link itself cannot be proved: only that the gate wrote down what it gave up.
    """
    events = lost = 0
    seq, prev = after_seq, after_hash
    holes: list[tuple[int, int]] = []
    told: list[tuple[int, int]] = []
    for row in rows:
        try:
            event = wire.read_event(row.body)
        except MalformedError as error:
            return Proof(events, lost, row.seq, str(error))
        if not hmac.compare_digest(wire.event_hash(row.body), row.hash):
            return Proof(events, lost, row.seq, "its bytes do not match its hash")
        if (event.seq, event.epoch) != (row.seq, epoch):
            return Proof(events, lost, row.seq, f"it is event {event.seq} of epoch {event.epoch}")
        if row.seq == seq + 1 and event.prevhash != prev.hex():
            return Proof(events, lost, row.seq, "it is not chained to the event before it")
        if row.seq != seq + 1:
            holes.append((seq + 1, row.seq - 1))
        match event:
            case wire.Event(kind=EventKind.EVENTS_LOST, data={"from_seq": int(first), "to_seq": int(last)}):
                told.append((first, last))
        events, seq, prev = events + 1, row.seq, row.hash
    told.sort()
    for first, last in holes:
        if not holes_excused and (missing := _first_untold(first, told)) <= last:
            return Proof(events, lost, missing, "it is missing, and no EventsLost owns up to it")
        lost += last - first + 1
    return Proof(events, lost)


def _first_untold(first: int, told: list[tuple[int, int]]) -> int:
    """The first event from `first` on that no loss in `told` (sorted) covers."""
    for from_seq, to_seq in told:
        if from_seq <= first <= to_seq:
            first = to_seq + 1
    return first
