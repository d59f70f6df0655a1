"""The lane: what is released, who is passing, what is held, forced, locked or free. Pure.

`on(portal, fact, now)` gives the next portal and the effects to carry out, in order, and never reads a clock.
Which state follows which is in `gate.portal_table`, what each action does in `gate.portal_actions`; here stands
how a fact becomes inputs, how a row is followed, how the lane comes to rest and who is served next.

Only the way in can be held up: a way out is released from every state in which the lane is at rest, lockdown
included, and nothing secures the lane while the emergency input is active (laws 3 and 5).
"""

from __future__ import annotations

from dataclasses import dataclass
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
from gate.portal_actions import NO_TIMERS, Actions, Pending, Portal, Timing
from gate.portal_table import AT_REST, TRANSITIONS, Input, State

__all__ = ["NotMoved", "NotWritten", "Pending", "Portal", "State", "Timing", "Written", "begin", "on"]

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
class NotMoved:
    """The barrier's output failed."""

    detail: str


Fact = Decision | Contact | SetMode | Flushed | Written | NotWritten | NotMoved | Tick



def on(portal: Portal, fact: Fact, now: Now) -> tuple[Portal, list[Effect]]:
    """Take one fact; give the next portal and what must be done, in order."""
    lane = _Lane(portal, now)
    lane.run_timers()
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


def grant_input(decision: Decision) -> Input:
    """The input that a granted decision is."""
    return Input.GRANT_EXIT if decision.direction is Direction.EXIT else Input.GRANT_ENTRY


class _Lane(Actions):
    """The flow of one call of `on`."""

    def run_timers(self) -> None:
        """Let what is due happen, earliest first; refuse who has waited too long."""
        for at, name in sorted((at, name) for name, at in self.portal.timers.items()):
            if at <= self.now.mono and self.portal.timers.get(name) == at:
                self.step(name)
        for waiting in self.portal.pending:
            if waiting.until_mono <= self.now.mono:
                self.forget(waiting)
                self.refuse(waiting.decision, Reason.PORTAL_BUSY)

    def classify(self, fact: Fact) -> list[Input]:  # noqa: PLR0911  (one return a fact)
        """Note what the fact changes by itself, and say which inputs it is to the table."""
        match fact:
            case Decision():
                self.decision = fact
                return [grant_input(fact) if fact.granted else Input.DENY]
            case Contact(name="rex", active=True):
                return [Input.REX]
            case Contact(name="emergency", active=active) if active != self.portal.emergency:
                self.record(EventKind.EMERGENCY, active=active)
                self.effects.append(Alert("emergency", active))
                return self.wish(emergency=active)
            case Contact(name=name, active=active) if name in OPENING:
                return self.opening(name, active)
            case SetMode(mode=mode, actor=actor, cause=cause):
                self.record(EventKind.MODE_CHANGED, mode=mode.value, actor=actor, cause=cause)
                return self.wish(mode=mode)
            case Written(seq=seq):
                self.keep(grant_seq=seq)
                self.store_answers()
            case Flushed(up_to_seq=seq) if self.portal.grant_seq is not None and seq >= self.portal.grant_seq:
                self.cancel(Input.FLUSH_DUE)
            case NotWritten():
                return [Input.NOT_WRITTEN]
            case NotMoved(detail=detail):
                self.detail = detail
                return [Input.NOT_MOVED]
        return []

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

    def serve_pending(self) -> None:
        """Serve who waits, while the lane is at rest; a way out first."""
        while self.portal.pending and self.portal.state in (State.CLOSED, State.LOCKED_DOWN, State.FREE):
            waiting = min(self.portal.pending, key=lambda each: each.decision.direction is Direction.ENTRY)
            self.forget(waiting)
            self.decision = waiting.decision
            self.step(grant_input(waiting.decision))
