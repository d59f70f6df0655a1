"""The writer: one thread that commits whatever has gathered as one transaction, and gives way in order (law 9)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from gate.ledger.database import is_disk_full
from gate.ledger.denials import HeldDenials
from gate.ledger.exit_journal import ExitJournal
from gate.ledger.file import Batch, Entry, LedgerFile
from gate.model import EventKind, Move

QUEUE_MAX_ITEMS = 10_000
"""Items that may wait for a stalled disk; denials are refused from half of that."""
BATCH_MAX_EVENTS = 1024
CARRY_MAX_EVENTS = 1000
"""Events of things that happened, kept in memory while the disk is full."""
COALESCE_AT = 0.8
"""The share of the ring, not yet acknowledged, from which denials are counted together."""
PIN_FIRST_S = 0.001
"""How long the flush of a commit that somebody waited for is put off: they move a pin, and nothing is in their way."""
HOLD_S = 1.0
"""How long held denials, or events that found the disk full, wait when nothing new comes."""


class Ticket:
    """The receipt for what was appended together."""

    __slots__ = ("_unsettled", "awaited", "failed", "last_seq", "settled")

    def __init__(self) -> None:
        self._unsettled = Lock()  # held until then: a bare lock wakes its waiter sooner than an Event does
        self._unsettled.acquire()
        self.awaited = False
        """Whether somebody waits for it, or has."""
        self.settled = False
        """Whether its fate is known."""
        self.failed = False
        """Whether it will not be written; then nothing that depends on it may be done."""
        self.last_seq = 0
        """The highest seq once it is written. Denials that are held back or refused do not hold up their ticket."""

    def wait(self, timeout_s: float) -> bool:
        """Whether it is written, after at most `timeout_s`."""
        self.awaited = True
        if not self._unsettled.acquire(timeout=max(timeout_s, 0.0)):
            return False
        self._unsettled.release()
        return not self.failed

    def complete(self, last_seq: int) -> None:
        self.last_seq = last_seq
        self._settle()

    def fail(self) -> None:
        self.failed = True
        self._settle()

    def _settle(self) -> None:
        if not self.settled:
            self.settled = True
            self._unsettled.release()


@dataclass(slots=True, eq=False)
class Item:
    """What one call handed over; it is written in one transaction."""

    entries: list[Entry] = field(default_factory=list)
    state: Mapping[str, bytes] = field(default_factory=dict)
    acked_seq: int = 0
    moves: Sequence[Move] = ()
    slot: int | None = None
    """Where the journal of exits holds it until it is written."""
    way_out: bool = False
    rehearsal: bool = False
    """Whether it is to be taken back instead of written."""
    ticket: Ticket = field(default_factory=Ticket)


_STOP, _RESTART_WAL = Item(), Item()


class Writer:
    """The only user of the ledger's file for writing, from `start` to `stop`."""

    def __init__(
        self, file: LedgerFile, journal: ExitJournal, *, on_written: Callable[[int, int], None],
        on_problem: Callable[[str, Exception | None], None],
    ) -> None:
        """`on_written` takes the last seq and the bytes of the bodies; `on_problem` what, and a final error."""
        self._file, self._journal = file, journal
        self._on_written, self._on_problem = on_written, on_problem
        self._queue: SimpleQueue[Item] = SimpleQueue()
        self._denials = HeldDenials()
        self._carried: list[Item] = []
        self._overflowed = 0  # counted by the caller's thread, the next two by the writer's
        self._refused = 0
        self._refused_told = 0
        self._disk_full = False
        self._busy_mono: float | None = None
        self.broken = False
        """Set when no promise can be kept any more: nothing is written from then on."""
        self._batch_max = max(1, min(BATCH_MAX_EVENTS, file.ring_events // 4))
        self._thread = Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand an item over; its ticket fails at once when too much is waiting. Never blocks."""
        only_denials = all(entry.record.kind is EventKind.ACCESS_DENIED for entry in item.entries)
        if self.broken or self._queue.qsize() >= QUEUE_MAX_ITEMS // (2 if item.entries and only_denials else 1):
            self._overflowed += len(item.entries)
            item.ticket.fail()
        else:
            self._queue.put(item)

    def rehearse(self, entries: list[Entry]) -> None:
        """Go through the writing of such entries and keep nothing of them, while there is nothing to write."""
        if not self._queue.qsize() and self._busy_mono is None:
            self._queue.put(Item(entries, rehearsal=True))

    def alive_mono(self) -> float:
        """Monotonic second at which the writer last showed that it is not stuck: now, while it has nothing to do."""
        busy_mono = self._busy_mono
        return time.monotonic() if busy_mono is None else busy_mono

    def restart_wal(self) -> None:
        """Begin the WAL anew when nothing else is to do."""
        self._queue.put(_RESTART_WAL)

    def stop(self, timeout_s: float) -> bool:
        """Write what is left and end; False when the disk does not let it within `timeout_s`."""
        self._queue.put(_STOP)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Wait for something to do, and do it; False once the end has come."""
        items = self._gather()
        self._busy_mono = time.monotonic()
        stopping = bool(items) and items[-1] is _STOP
        try:
            if not self.broken:
                self._commit(items, stopping)
        except Exception as error:  # a bug too: a writer that ends in silence would deny everybody for ever
            if is_disk_full(error):
                self._carry_over(items)
            else:
                self.broken = True
                self._on_problem("the ledger cannot be written", error)
        if self.broken:
            for item in items:
                item.ticket.fail()
        self._busy_mono = None
        return not stopping

    def _gather(self) -> list[Item]:
        """Whatever has come in, with what was carried over and denials whose time has come, as one batch."""
        items, self._carried = self._carried, []
        events = sum(len(item.entries) for item in items)
        try:
            items.append(self._queue.get(timeout=HOLD_S if items or self._denials else None))
            while items[-1] is not _STOP and events < self._batch_max:
                items.append(self._queue.get_nowait())
                events += len(items[-1].entries)
        except Empty:
            pass
        return items

    def _commit(self, items: list[Item], stopping: bool) -> None:
        if items and all(item.rehearsal for item in items):
            self._file.rehearse(Batch(items.pop().entries))
            return
        items[:] = [item for item in items if not item.rehearsal]
        self._sift(items, stopping)
        refused = self._refused + self._overflowed
        state: dict[str, bytes] = {}
        for item in items:
            state.update(item.state)
        body_bytes = self._file.write(Batch(
            entries=[entry for item in items for entry in item.entries],
            acked_seq=max((item.acked_seq for item in items), default=0),
            state=state, moves=[move for item in items for move in item.moves],
            refused=refused - self._refused_told, clean=stopping,
        ))
        self._refused_told, self._disk_full = refused, False
        seq = self._file.span.last_seq
        for item in items:
            item.ticket.complete(seq)  # before the flusher wakes: somebody stands at the gate and waits for this
            if item.slot is not None:
                self._journal.clear(item.slot)
        if body_bytes:
            if any(item.ticket.awaited for item in items):
                self._stand_back()
            self._on_written(seq, body_bytes)
        restart_wal = _RESTART_WAL in items
        items.clear()  # they are done, whatever becomes of the WAL
        if restart_wal:
            self._file.restart_wal()

    def _stand_back(self) -> None:
        time.sleep(PIN_FIRST_S)

    def _sift(self, items: list[Item], stopping: bool) -> None:
        """While the ring fills, take denials out of `items`: held to be counted together, or refused.

        Those whose second is over go in, before everything else.
        """
        newest = max((entry.now.utc for item in items for entry in item.entries), default=None)
        crowded = self._file.span.unacked >= COALESCE_AT * self._file.ring_events
        if crowded:
            for item in items:
                for entry in item.entries:
                    if entry.record.kind is EventKind.ACCESS_DENIED:
                        self._hold_or_refuse(entry)
                item.entries = [entry for entry in item.entries if entry.record.kind is not EventKind.ACCESS_DENIED]
        if due := self._denials.take(newest if crowded and not stopping else None):
            items.insert(0, Item(due))

    def _hold_or_refuse(self, entry: Entry) -> None:
        if self._file.is_full():
            self._refused += 1
        else:
            self._denials.add(entry)

    def _carry_over(self, items: list[Item]) -> None:
        """The disk is full and nothing was written: keep what happened, fail what may still be refused.

        A grant whose ticket fails never opens, so it did not happen; denials are counted and given up.
        """
        for item in items:
            item.ticket.fail()
            if not item.way_out:
                self._refused += sum(entry.record.kind is EventKind.ACCESS_DENIED for entry in item.entries)
                item.entries = [entry for entry in item.entries if entry.record.kind not in _MAY_FAIL]
        self._carried = [item for item in items if item.entries or item.state or item.acked_seq or item.moves]
        surplus = sum(len(item.entries) for item in self._carried) - CARRY_MAX_EVENTS
        while surplus > 0:
            lost = self._carried.pop(0)
            surplus -= len(lost.entries)
            self._refused += len(lost.entries)
            if lost.slot is not None:
                self._journal.clear(lost.slot)
        if not self._disk_full:
            self._disk_full = True
            self._on_problem("the disk is full: nobody is let in until there is room; free some space", None)


_MAY_FAIL = frozenset({EventKind.ACCESS_DENIED, EventKind.ACCESS_GRANTED})
