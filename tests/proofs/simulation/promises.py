"""What a gate promises, checked whenever something moves, is recorded, or ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.model import Direction, EventKind, Mode, Record
from gate.portal import State

from .site import site

if TYPE_CHECKING:
    from .world import World

FLUSH_MAX_S = 2.0
WRITE_MAX_S = 0.25
Who = tuple[str, str]
"""Direction and holder."""


class Violation(BaseException):
    """A promise was broken; no part of the gate may catch it."""


@dataclass
class Cut:
    """An end of the process whose cost is not yet known; `alarmed`: the alarm for late flushes stood."""

    mono: float
    alarmed: bool
    power: bool = False


class Promises:
    """Remembers just enough of what happened to judge what happens next; `covered` counts what was met."""

    def __init__(self, world: World) -> None:
        self.covered: Counter[str] = Counter()
        self.alerts: dict[str, str] = {}
        self._world = world
        self._turn_mono = world.mono
        self._cut: Cut | None = None
        self._mode, self._emergency = Mode.NORMAL, False
        self._unspent: dict[int, Who] = {}
        self._entries: list[tuple[float, int]] = []
        self._exit_pulses = self._exit_records = 0
        self._may_pass: Counter[Who] = Counter()

    def require(self, holds: bool, promise: str) -> None:
        """Break off where a promise does not hold."""
        if not holds:
            raise Violation(promise)

    # --- the life of a process ---

    def began(self, mode: Mode) -> None:
        """A gate starts, in this mode; what the end of the one before has cost can be seen now."""
        self.alerts.clear()
        self._mode, self._emergency = mode, False
        self._turn_mono = self._world.mono
        cut, self._cut = self._cut, None
        lost = [at for at, seq in self._entries if seq > self._world.ledger.written_seq]
        self._entries.clear()
        self._may_pass.clear()
        self._unspent.clear()
        if cut is None:
            return
        if not cut.power:
            self.require(not lost, "a kill loses no recorded passage")
            self.require(self._exit_records >= self._exit_pulses, "a kill loses no way out")
            return
        self._exit_pulses = self._exit_records = 0
        self.covered["passages lost to a power cut"] += len(lost)
        self.require(not lost or self._world.patience.flush_max_s is None, "after_flush loses no passage")
        late = [at for at in lost if cut.mono - at > FLUSH_MAX_S + WRITE_MAX_S]
        self.require(not late or cut.alarmed, "none older than flush_max_ms is lost, unless the alarm stood")

    def ended(self, power: bool) -> None:
        """The process is dead; what that cost shows when the next one starts."""
        self.covered["power cuts" if power else "kills"] += 1
        self._cut = self._cut or Cut(self._world.mono, "store-slow" in self.alerts)
        self._cut.power |= power

    def turn_begins(self) -> None:
        """The core takes a stimulus."""
        self._turn_mono = self._world.mono

    def turn_ends(self) -> None:
        """What holds between any two turns of the core."""
        lane, ledger, mono = self._world.controller.lane, self._world.ledger, self._world.mono
        self.require(lane.state is not State.REST, "the lane is somewhere")
        self.require(lane.deadline is None or lane.deadline > self._turn_mono, "no timer is stuck")
        self.require((lane.state is State.FREE) == (lane.wish is Mode.FREE), "free is free, and nothing else is")
        self.require(len(lane.pending) <= lane.timing.pending_max, "few wait")
        self._entries = [each for each in self._entries if each[1] > ledger.flushed_seq]
        if self._entries and mono - self._entries[0][0] > FLUSH_MAX_S + 2 * WRITE_MAX_S:
            self.require("store-slow" in self.alerts, "a flush later than flush_max_ms raises its alarm")
        problems = self._world.network.recorder.problems
        self.require(not problems, f"the recorder's chain is whole: {problems[-1:]}")

    # --- what is recorded ---

    def appended(self, records: Sequence[Record]) -> None:
        """Noted: free access needs its cause from here on."""
        for record in records:
            if record.kind is EventKind.MODE_CHANGED:
                self._mode = Mode(record.data["mode"])
            elif record.kind is EventKind.EMERGENCY:
                self._emergency = record.data["active"]

    def saw(self, seq: int, record: Record) -> None:
        """Written: what may follow from it, and what it must follow from."""
        data, covered = record.data, self.covered
        who = (str(data.get("direction", "")), str(data.get("holder", "")))
        self._world.note(f"    #{seq} {record.kind.value} {data}")
        match record.kind:
            case EventKind.ACCESS_GRANTED:
                covered["grants"] += 1
                self._unspent[seq] = who
                self._may_pass[who] += 1
                self._exit_records += who[0] == Direction.EXIT
            case EventKind.REQUEST_TO_EXIT:
                self._exit_records += 1
            case EventKind.ACCESS_TAKEN | EventKind.ACCESS_NOT_TAKEN if who[1]:
                covered["passages"] += record.kind is EventKind.ACCESS_TAKEN
                self.require(self._may_pass[who] > 0, f"{record.kind.value} of {who} follows a grant of its own")
                self._may_pass[who] -= 1
            case EventKind.ACCESS_DENIED:
                covered["denials"] += 1

    # --- what moves ---

    def releasing(self, direction: Direction) -> None:
        """The lock is about to open for somebody."""
        self._world.note(f"    release {direction.value}")
        if direction is Direction.EXIT:
            self.covered["releases for exit"] += 1
            self._exit_pulses += 1
            self.require(self._world.mono == self._turn_mono, "a way out waits for nothing")
        else:
            self._releasing_entry()

    def _releasing_entry(self) -> None:
        self.covered["releases for entry"] += 1
        lane, ledger, mono = self._world.controller.lane, self._world.ledger, self._world.mono
        holder = lane.passer.holder if lane.passer else ""
        self.require(holder in site().entries, "only listed people get in")
        self.require(lane.wish is Mode.NORMAL, "no release for entry in lockdown")
        grants = [seq for seq, who in self._unspent.items() if who == (Direction.ENTRY.value, holder)]
        self.require(bool(grants), "no release for entry without its written record")
        self._unspent.clear()
        oldest = min((at for at, seq in self._entries if seq > ledger.flushed_seq), default=mono)
        self.require(mono - oldest <= FLUSH_MAX_S + WRITE_MAX_S,
                     "nobody is let in while a flush is later than flush_max_ms")
        if self._world.patience.flush_max_s is not None:
            self.require(ledger.flushed_seq >= grants[-1], "after_flush releases nothing that is not flushed")
        self._entries.append((mono, grants[-1]))

    def holding(self) -> None:
        """The lock is about to be left open."""
        self.covered["leases"] += 1
        self.require(self._mode is Mode.FREE or self._emergency, "no free access without its noted cause")

    # --- the end of a run ---

    def all_delivered(self) -> None:
        """Exactly once and in order is the chain's own proof: whole from 1 to the last, but for losses owned up to."""
        ledger, recorder = self._world.ledger, self._world.network.recorder
        feed = recorder.feeds[ledger.epoch]
        self.require(ledger._reader.prove().bad_seq is None, "the ledger's chain is whole")
        self.require(feed.last_hash == ledger.hash_at(feed.last_seq), "the recorder's chain is the ledger's")
        told = sorted(recorder.excused[ledger.epoch])
        for first, last in feed.gaps:
            self.covered["events given up by the ring"] += last - first + 1
            seq = first
            for from_seq, to_seq in told:
                if from_seq <= seq <= to_seq:
                    seq = to_seq + 1
            self.require(seq > last, f"every gap is owned up to: {first} to {last}")
        self.require(self._exit_records >= self._exit_pulses, "every way out has its record")
        self.covered["events recorded"] += recorder.events
