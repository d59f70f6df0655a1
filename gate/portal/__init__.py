"""The lane: what is released, who is passing, what is held, forced, locked or free. Pure.

`on(portal, fact, now)` gives the next portal and the effects to carry out, in order, and never reads a clock.
Which state follows which is in `gate.portal.table`, what each action does in `gate.portal.actions`; here stands
how a fact becomes inputs, how a row is followed, how the lane comes to rest and who is served next.

Only the way in is ever refused. A way out is released from every state in which the lane is at rest, lockdown
included; while somebody else has the lane it waits `pending_s` for them and is then let out beside them. Nothing
secures the lane while the emergency input is active (laws 3 and 5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gate.model import (
    Alert,
    Contact,
    Decision,
    Direction,
    Effect,
    EventKind,
    Flushed,
    Mode,
    Now,
    Reason,
    SetMode,
    Tick,
)
from gate.portal.actions import OVERRIDE_S, Actions
from gate.portal.lane import NO_TIMERS, Pending, Portal, Timing
from gate.portal.table import AT_REST, TRANSITIONS, Input, State

__all__ = ["Locked", "Moved", "NotLocked", "NotMoved", "NotWritten", "Pending", "Portal", "State", "Timing", "Written",
           "begin", "on"]

OPENING = frozenset({"passage", "door"})
"""The contacts that say that somebody is in the lane, or that the door is open."""


@dataclass(frozen=True, slots=True)
class Written:
    """The grant's event is in the ledger under `seq`."""

    seq: int


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The ledger did not answer in time: this grant does not move the barrier."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The barrier released as it was told."""


@dataclass(frozen=True, slots=True)
class NotMoved:
    """The barrier did not release as it was told."""

    detail: str


@dataclass(frozen=True, slots=True)
class Locked:
    """The barrier is locked, as the lane wants it."""


@dataclass(frozen=True, slots=True)
class NotLocked:
    """The barrier stays released though the lane wants it locked."""

    detail: str


Fact = Decision | Contact | SetMode | Flushed | Written | NotWritten | Moved | NotMoved | Locked | NotLocked | Tick


def on(portal: Portal, fact: Fact, now: Now) -> tuple[Portal, list[Effect]]:
    """Take one fact; give the next portal and what must be done, in order.

    What is due by `now` comes first. With a Tick before each other fact, nothing in the list follows a release that
    waits for its record but the sign of it: so a grant that fails takes nothing else down with it.
    """
    lane = _Lane(portal, now)
    lane.run_timers()
    lane.watch_flush()
    lane.end_person_alert()
    for happened in lane.end_timed_opening():
        lane.step(happened)
    lane.end_waits()
    lane.serve_pending()
    for happened in lane.classify(fact):
        lane.step(happened)
    lane.serve_pending()
    return lane.portal, lane.effects


def begin(portal: Portal, now: Now) -> tuple[Portal, list[Effect]]:
    """Come to rest as the portal's mode says: what a gate does first."""
    lane = _Lane(portal, now)
    lane.rest()
    return lane.portal, lane.effects


class _Lane(Actions):
    """The flow of one call of `on`."""

    def run_timers(self) -> None:
        """Let what is due happen, earliest first."""
        for at, name in sorted((at, name) for name, at in self.portal.timers.items()):
            if at <= self.now.mono and self.portal.timers.get(name) == at:
                self.step(name)

    def end_timed_opening(self) -> list[Input]:
        """The minutes for which somebody opened the lane are over."""
        until_mono = self.portal.open_until_mono
        if until_mono is None or self.now.mono < until_mono:
            return []
        self.record(EventKind.MODE_CHANGED, mode=self.portal.mode.value, cause="time-over")
        return self.wish(open_until_mono=None)

    def end_waits(self) -> None:
        """Turn away who has waited too long and is not served now either."""
        served = self.next_pending()
        for waiting in self.portal.pending:
            if waiting is not served and waiting.until_mono <= self.now.mono:
                self.forget(waiting)
                self.turn_away(waiting.decision)

    def classify(self, fact: Fact) -> list[Input]:
        """Note what the fact changes by itself, and say which inputs it is to the table."""
        match fact:
            case Decision():
                if fact.duress:
                    self.tell_of_duress(fact)
                return [self.decide(fact)]
            case Contact():
                return self.contact(fact)
            case SetMode():
                return self.set_mode(fact)
            case Written(seq=seq):
                self.written(seq)
            case Flushed(up_to_seq=seq):
                self.flushed(seq)
            case NotWritten():
                return [Input.NOT_WRITTEN]
            case Moved():
                self.moves()
            case NotMoved(detail=detail):
                self.detail = detail
                return [Input.NOT_MOVED]
            case Locked():
                self.locks()
            case NotLocked(detail=detail):
                self.detail = detail
                self.does_not_lock()
        return []

    def contact(self, contact: Contact) -> list[Input]:
        """What an input says, by its role."""
        match contact:
            case Contact(name="rex", active=True):
                return [Input.REX]
            case Contact(name="emergency", active=active) if active != self.portal.emergency:
                self.record(EventKind.EMERGENCY, active=active)
                self.effects.append(Alert("emergency", active))
                return self.wish(emergency=active)
            case Contact(name="interlock", active=active):
                self.keep(interlocked=active)
            case Contact(name="override", active=True):
                return [self.decide(self.overridden())]
            case Contact(name=name, active=active) if name in OPENING:
                return self.opening(name, active)
        return []

    def decide(self, decision: Decision) -> Input:
        """The input that a decision is; a way in has to wait for a late flush, and for the other door."""
        self.decision = decision
        if decision.alerts:
            self.call_operators(decision)
        if not decision.granted:
            if decision.direction is Direction.ENTRY:
                self.keep(refused=Pending(decision, self.now.mono + OVERRIDE_S))
            return Input.DENY
        if decision.direction is Direction.EXIT:
            return Input.GRANT_EXIT
        if (obstacle := self.obstacle()) and self.portal.state is State.CLOSED:
            self.decision = replace(decision, granted=False, reason=obstacle)
            return Input.DENY
        return Input.GRANT_ENTRY

    def obstacle(self) -> Reason | None:
        """Why nobody is let in at present, whoever it is."""
        if self.portal.flush_late:
            return Reason.STORE_SLOW
        return Reason.INTERLOCK if self.portal.interlocked else None

    def wish(self, **change: Any) -> list[Input]:
        """A change of mode or of the emergency input is an input only when the wish really changes."""
        before = self.portal.wish
        self.keep(**change)
        if self.portal.wish is before:
            return []
        wished = Input(f"wish_{self.portal.wish.value}")
        passer = self.portal.passer
        leaving = self.portal.state is State.RELEASED and (passer is None or passer.direction is Direction.EXIT)
        # Somebody on the way out is never locked in; REST finds the lockdown when they have gone.
        return [] if leaving and wished is Input.WISH_LOCKDOWN else [wished]

    def set_mode(self, wanted: SetMode) -> list[Input]:
        """A mode until further notice, or free access for a while over whatever the mode is."""
        for_s = wanted.for_s
        lasting = {} if for_s is None else {"for_s": for_s}
        self.record(EventKind.MODE_CHANGED, mode=wanted.mode.value, actor=wanted.actor, cause=wanted.cause, **lasting)
        if for_s is None:
            return self.wish(mode=wanted.mode, open_until_mono=None)
        return self.wish(open_until_mono=self.now.mono + for_s)

    def opening(self, name: str, active: bool) -> list[Input]:
        """The lane counts as open while any contact says so."""
        before = self.portal.open
        self.keep(open=before | {name} if active else before - {name})
        if bool(before) == bool(self.portal.open):
            return []
        return [Input.OPENED if active else Input.SHUT]

    def step(self, happened: Input) -> None:
        """Follow one row of the table."""
        self.cancel(happened)
        row = TRANSITIONS[self.portal.state][happened]
        self.passer = self.portal.passer
        if row.next is State.REST:
            self.rest()
        else:
            self.keep(state=row.next)
        for action in row.actions:
            self.do(action)

    def rest(self) -> None:
        """Come to rest where the wish and the door say."""
        if self.portal.wish is Mode.FREE:
            state = State.FREE
        elif self.portal.open:
            state = State.PASSING
        elif self.portal.wish is Mode.LOCKDOWN:
            state = State.LOCKED_DOWN
        else:
            state = State.CLOSED
        passer = self.portal.passer if state in (State.FREE, State.PASSING) else None
        self.keep(state=state, passer=passer, grant_seq=None, timers=NO_TIMERS)
        for action in AT_REST[state]:
            self.do(action)

    def next_pending(self) -> Pending | None:
        """Whose turn it is, while the lane is at rest; a way out first."""
        if self.portal.pending and self.portal.state in (State.CLOSED, State.LOCKED_DOWN, State.FREE):
            return min(self.portal.pending, key=lambda each: each.decision.direction is Direction.ENTRY)
        return None

    def serve_pending(self) -> None:
        """Serve who waits, while the lane is at rest."""
        while waiting := self.next_pending():
            self.forget(waiting)
            self.step(self.decide(waiting.decision))
