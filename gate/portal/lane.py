"""What a lane remembers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from msgspec import Struct

from gate.model import Decision, Direction, Mode
from gate.portal.table import Input, State

NO_TIMERS: Mapping[Input, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Timing:
    """The lane's settings; `sensor` says whether anything can tell that somebody passed."""

    pulse_s: float = 0.6
    passage_s: float = 5.0
    pending_s: float = 5.0
    pending_max: int = 4
    prealarm_s: float = 10.0
    held_open_s: float = 20.0
    flush_max_s: float = 2.0
    sensor: bool = True


@dataclass(frozen=True, slots=True)
class Pending:
    """A granted person who waits for the lane, until `until_mono`."""

    decision: Decision
    until_mono: float


@dataclass(frozen=True, slots=True)
class Unflushed:
    """A grant that has moved the barrier and would not survive a power cut; late from `due_mono` on."""

    seq: int
    due_mono: float


class Portal(Struct, frozen=True):  # copied at each change, and a Struct costs a thirtieth of a dataclass there
    """One lane at one moment; `timers` maps an input to the monotonic second at which it is due.

    `unflushed` holds the grants that a power cut could still take, oldest first. Troubles that stand: `store_slow` the
    ledger was late, `flush_late` it still is (nobody is let in meanwhile), `unmoved` the barrier did not release when
    told to, `unlocked` it does not lock.
    """

    timing: Timing = Timing()
    state: State = State.CLOSED
    mode: Mode = Mode.NORMAL
    emergency: bool = False
    passer: Decision | None = None
    grant_seq: int | None = None
    unflushed: tuple[Unflushed, ...] = ()
    store_slow: bool = False
    flush_late: bool = False
    unmoved: bool = False
    unlocked: bool = False
    open: frozenset[str] = frozenset()
    refused: Pending | None = None
    """Whom the guard may let in after all, and for how long."""
    interlocked: bool = False
    """Whether the other door is open."""
    pending: tuple[Pending, ...] = ()
    timers: Mapping[Input, float] = NO_TIMERS
    person_alert_until_mono: float | None = None
    duress: bool = False
    """Whether the operators were told that somebody was forced."""
    open_until_mono: float | None = None
    """When a timed opening ends; it does not outlive the process."""

    @property
    def wish(self) -> Mode:
        """What the lane should be: the emergency input outranks every command."""
        return Mode.FREE if self.emergency or self.open_until_mono is not None else self.mode

    @property
    def entering(self) -> list[Decision]:
        """Whom the lane has let in, or will, and who has not passed yet."""
        decisions = [waiting.decision for waiting in self.pending] + ([self.passer] if self.passer else [])
        return [each for decision in decisions if decision.direction is Direction.ENTRY for each in people(decision)]

    @property
    def deadline(self) -> float | None:
        """The monotonic second at which this portal next wants a Tick, or None."""
        flush_due = [each.due_mono for each in self.unflushed[:1] if not self.flush_late]
        ends = [end for end in (self.person_alert_until_mono, self.open_until_mono) if end is not None]
        waits = (waiting.until_mono for waiting in self.pending)
        return min((*self.timers.values(), *waits, *flush_due, *ends), default=None)


def people(decision: Decision | None) -> list[Decision]:
    """Whom a decision is about: one, or two who enter together; nobody where nothing is known."""
    return [each for each in (decision and decision.beside, decision) if each is not None]
