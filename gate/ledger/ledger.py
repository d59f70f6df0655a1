"""The gate's memory: every event, in order, chained, on disk; and the small state that has to survive with them.

Three threads meet here. Whoever calls `append` only enqueues. The writer commits whatever has gathered. The
flusher makes commits survive a power cut. So a row is *appended*, then *written* (it survives the process), then
*flushed* (it survives the power), then *acknowledged* (the recorder has it): see `docs/ledger.md`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec

from gate import config, wire
from gate.durable import only_one
from gate.errors import StoreError, UsageError
from gate.ledger.database import DamagedError, is_damage, is_marked_damaged, mark_damaged, set_aside
from gate.ledger.exit_journal import ExitJournal, Note, journal_path
from gate.ledger.file import Batch, Entry, LedgerFile
from gate.ledger.flusher import Flusher
from gate.ledger.reading import LedgerReader, Row
from gate.ledger.writer import BATCH_MAX_EVENTS, Item, Ticket, Writer
from gate.model import EventKind, Fault, Flushed, Move, Now, Record

FILE_NAME = "ledger.db"
"""The ledger's name in the gate's `state_dir`."""
RECORDS_MAX = 64
"""Records in one append."""
DATA_MAX_BYTES = wire.EVENT_MAX_BYTES - 2048
"""The longest `data` of a record: an event with its envelope stays within `wire.EVENT_MAX_BYTES`."""
STATE_MAX_BYTES = 65_536
STOP_MAX_S = 5.0
TAIL_EVENTS = 3 * BATCH_MAX_EVENTS
"""The part of the chain that is proved at each start; the last commit, with all it carried, is in it."""

_encode = msgspec.json.Encoder().encode


class Ledger:
    """One gate's ledger, started once; `append` and `remember` belong to the core's thread, the readings to any."""

    epoch: str
    """Names this ledger's history: random, new when a file is made."""
    was_unclean: bool
    """Whether the run before this one ended without `stop`."""
    damaged_copy: Path | None
    """Where a damaged ledger was moved to, when `start` found one."""
    moves: Sequence[Move]
    """The last move of each holder, as it was kept when the ledger was started."""
    shift_millis: int
    """When the shift began in which somebody passed here last, 0 where there are no shifts."""
    brought_in: Mapping[str, int]
    """Of each company, how many more entered here than left in that shift."""
    writer_type: ClassVar[type[Writer]] = Writer
    flusher_type: ClassVar[type[Flusher]] = Flusher

    uses: Mapping[str, int]
    """Of holders with a limited number of entries, how many are used up."""

    def __init__(
        self, path: Path, *, site: str, gate: str, zone: ZoneInfo, settings: config.Ledger,
        say: Callable[[Flushed | Fault], None], fdatasync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """`say` is called on the writer's and the flusher's thread, and must not block."""
        self.path = path
        self._source, self._zone, self._ring_events = wire.source(site, gate), zone, settings.ring_events
        self._say, self._fdatasync = say, fdatasync
        self._resources = ExitStack()
        self._started = self._open = False  # open: it takes records; started: it has something to stop

    # --- start and stop --------------------------------------------------------------------------------

    def start(self) -> None:
        """Open or make the file, prove the end of its chain, take in noted ways out, and start the threads.

        A damaged file is moved aside and a new ledger begins: a gate without its history still lets people out.

        Raises:
            UsageError: another process writes this ledger.
            StoreError: the ledger cannot be opened, or is another gate's.
        """
        with ExitStack() as resources:
            try:
                resources.enter_context(only_one(self.path.with_name(f"{self.path.name}.lock"), "writing this ledger"))
                self._file = self._open_file()
                resources.callback(self._file.close)
                self._reader = LedgerReader(self.path)
                resources.callback(self._reader.close)
                self._journal = ExitJournal(journal_path(self.path))
                resources.callback(self._journal.close)
                settled_seq = self.written_seq
                self._take_in_exits()
                self._flusher = self.flusher_type(
                    self.path, flushed_seq=settled_seq, fdatasync=self._fdatasync, on_problem=self._problem,
                    on_flushed=lambda seq: self._say(Flushed(seq)),
                )
                self._writer = self.writer_type(
                    self._file, self._journal, on_written=self._flusher.written, on_problem=self._problem)
                self._flusher.start(on_checkpointed=self._writer.restart_wal)
            except (sqlite3.Error, OSError) as error:
                if isinstance(error, StoreError):
                    raise
                raise StoreError(f"{self.path}: the ledger cannot be opened ({error}): state_dir must be there, "
                                 "writable, and not full") from error
            self._resources = resources.pop_all()
        self.epoch, self.was_unclean = self._file.epoch, self._file.was_unclean
        self._state = dict(self._file.state)
        self.moves, self.shift_millis, self.brought_in = (
            self._file.moves, self._file.shift_millis, self._file.brought_in)
        self.uses = self._file.uses
        self._flusher.written(self.written_seq, 0)  # the ways out just taken in are written, and not yet flushed
        self._writer.start()
        self._started = self._open = True

    def stop(self) -> None:
        """Write and flush what is left, then close; gives up, and says so, after STOP_MAX_S seconds.

        Having given up it may be called again.
        """
        if not self._started:
            return
        self._open = False
        until_mono = time.monotonic() + STOP_MAX_S
        if self._writer.stop(STOP_MAX_S) and self._flusher.stop(until_mono - time.monotonic()):
            self._started = False
            self._resources.close()
        else:
            self._say(Fault("ledger", f"the disk did not take the last events in {STOP_MAX_S:.0f} s", fatal=True))

    # --- handing over ----------------------------------------------------------------------------------

    def append(
        self, records: Sequence[Record], now: Now, *, state: Mapping[str, bytes] | None = None,
        way_out: bool = False,
    ) -> Ticket:
        """Hand over records, and state that belongs with them, to be written in one transaction. Never blocks.

        With `way_out` they are noted where the death of the process cannot reach them before this returns:
        append them so, actuate, and wait for nothing.

        Raises:
            UsageError: more than RECORDS_MAX records, data that is no JSON or is longer than DATA_MAX_BYTES, or
                state longer than STATE_MAX_BYTES.
        """
        state = state or {}
        _check(records, state)
        item = Item([Entry(record, now) for record in records], state, way_out=way_out)
        if not self._open:
            item.ticket.fail()
            return item.ticket
        if way_out and (noted := self._journal.note(self.epoch, records, now.utc, now.trusted)):
            item.slot, note_id = noted
            item.entries = [Entry(_marked(record, note_id), now) for record in records]
        self._state.update(state)
        self._writer.put(item)
        return item.ticket

    def rehearse(self, records: Sequence[Record], now: Now) -> None:
        """Go through the writing of such records, and keep nothing of them. Never blocks."""
        if self._open:
            self._writer.rehearse([Entry(record, now) for record in records])

    def remember(self, key: str, value: bytes) -> None:
        """Keep a small value: at once across restarts, across a power cut with the next event's flush."""
        _check((), {key: value})
        self._state[key] = value
        self._writer.put(Item(state={key: value}))

    def recall(self, key: str) -> bytes | None:
        """The value last remembered under `key`."""
        return self._state.get(key)

    def keep_moves(self, moves: Sequence[Move]) -> None:
        """Keep where peers saw people go last: at once across restarts, across a power cut with the next flush."""
        self._writer.put(Item(moves=moves))

    def delivered(self, epoch: str, up_to_seq: int) -> None:
        """The recorder vouches for everything up to `up_to_seq`: it may be forgotten when room is needed."""
        if epoch == self.epoch and self.acked_seq < up_to_seq <= self.flushed_seq:
            self._writer.put(Item(acked_seq=up_to_seq))

    # --- reading ---------------------------------------------------------------------------------------

    @property
    def written_seq(self) -> int:
        """The last event that survives the end of the process."""
        return self._file.span.last_seq

    @property
    def flushed_seq(self) -> int:
        """The last event that survives a power cut."""
        return self._flusher.flushed_seq

    @property
    def acked_seq(self) -> int:
        """The last event that the recorder is known to have."""
        return self._file.span.acked_seq

    def depth(self) -> int:
        """How many events the recorder is not known to have."""
        return self._file.span.unacked

    def alive_mono(self) -> float:
        """Monotonic second at which the writer last ran, or now while it idles (for the watchdog)."""
        return self._writer.alive_mono()

    def rows_after(self, seq: int, limit: int) -> list[Row]:
        """At most `limit` flushed rows that follow `seq`, in order; an EventsLost explains holes."""
        return self._reader.rows_after(seq, limit, self.flushed_seq)

    def hash_at(self, seq: int) -> bytes | None:
        """The chain's hash at `seq`, or None when that event is not here (any more)."""
        return self._reader.hash_at(seq)

    def recent(self, limit: int, kinds: Collection[EventKind] = ()) -> list[Row]:
        """The latest `limit` rows, oldest first, flushed or not."""
        return self._reader.recent(limit, kinds)

    def wait_flushed(self, after_seq: int, timeout_s: float) -> bool:
        """Wait until something beyond `after_seq` is flushed; False when it is not in time."""
        return self._flusher.wait(after_seq, timeout_s)

    def flushed(self, seq: int, timeout_s: float) -> bool:
        """Wait until `seq` itself is flushed; False when it is not in time."""
        return self._flusher.wait(seq - 1, timeout_s)

    # --- within ----------------------------------------------------------------------------------------

    def _open_file(self) -> LedgerFile:
        self.damaged_copy = None
        try:
            if is_marked_damaged(self.path):
                raise DamagedError(f"{self.path} was found damaged by the run before")
            return self._open_proved()
        except DamagedError:
            self.damaged_copy = set_aside(self.path)
            return self._open_proved()

    def _open_proved(self) -> LedgerFile:
        file = LedgerFile(self.path, source=self._source, zone=self._zone, ring_events=self._ring_events)
        try:
            reader = LedgerReader(self.path)
            try:
                proof = reader.prove_tail(TAIL_EVENTS)
            finally:
                reader.close()
            if proof.bad_seq is not None:
                raise DamagedError(f"{self.path}: event {proof.bad_seq}: {proof.problem}")
        except BaseException:
            file.close()
            raise
        return file

    def _take_in_exits(self) -> None:
        """Write the ways out that a run which was killed had noted and not written."""
        notes = [note for note in self._journal.pending() if self.damaged_copy or note.epoch == self._file.epoch]
        written = b"".join(row.body for row in self._reader.recent(TAIL_EVENTS)) if notes else b""
        if entries := [entry for note in notes if note.id.encode() not in written for entry in _entries(note)]:
            self._file.write(Batch(entries))
        self._journal.clear_all()

    def _problem(self, what: str, error: Exception | None) -> None:
        if error is None:
            self._say(Fault("ledger", what))
            return
        self._writer.broken = True
        if is_damage(error):
            mark_damaged(self.path)
        self._say(Fault("ledger", f"{what} ({error})", fatal=True))


def _check(records: Sequence[Record], state: Mapping[str, bytes]) -> None:
    if len(records) > RECORDS_MAX:
        raise UsageError(f"{len(records)} records in one append; at most {RECORDS_MAX}")
    for record in records:
        try:
            size = len(_encode(record.data))
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"{record.kind}: its data is no JSON: {error}") from error
        if size > DATA_MAX_BYTES:
            raise UsageError(f"{record.kind}: its data has {size} bytes; at most {DATA_MAX_BYTES}")
    for key, value in state.items():
        if len(value) > STATE_MAX_BYTES:
            raise UsageError(f"state {key!r} has {len(value)} bytes; at most {STATE_MAX_BYTES}")


def _marked(record: Record, note_id: str) -> Record:
    return replace(record, data={**record.data, "note": note_id})


def _entries(note: Note) -> list[Entry]:
    now = Now(note.at, 0.0, note.synced)
    return [Entry(_marked(Record(kind, data), note.id), now) for kind, data in note.records]
