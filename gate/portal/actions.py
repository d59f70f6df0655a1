"""One small function for each action of the lane's table. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from msgspec import structs

from gate.model import (
    Alert,
    Decision,
    Direction,
    Effect,
    EventKind,
    Hold,
    Now,
    Reason,
    Record,
    Release,
    Secure,
    Show,
    Signal,
)
from gate.portal.lane import Pending, Portal, Unflushed, people
from gate.portal.table import Action, Input, State

PERSON_ALERT_S = 600.0
"""How long the operators' alert stands of a person who was denied; the event stays."""
OVERRIDE_S = 30.0
"""How long after a refusal the guard's key lets that person in; later it lets in whoever stands there."""
GUARD_KEY = "guard-key"
"""The actor of what the key switch at the lane did."""
LEASE_RENEW_S = 1.0
"""A longer release is a lease that the core renews this often (law 5)."""


NOBODYS = frozenset({Reason.WRONG_CODE, Reason.UNKNOWN_FORMAT, Reason.MALFORMED})
"""Refusals of codes that belong to no person."""


def decision_data(decision: Decision) -> dict[str, Any]:
    """What an event says of a decision: never a name, a code or a health fact (law 6)."""
    data = {
        "reader": decision.reader, "direction": decision.direction.value, "reason": decision.reason.name,
        "bacnet": decision.reason.bacnet, "format": decision.format, "proof": decision.proof.value,
        "holder": decision.holder, "rule": decision.rule, "hint": decision.hint, "observed": list(decision.observed),
        "actor": decision.actor, "cause": decision.cause,
    }
    if decision.uses is not None and (decision.granted or decision.reason is Reason.STORE_SLOW):
        data["uses"] = decision.uses + decision.granted  # used up from the grant on; a grant taken back gives it back
    return {key: value for key, value in data.items() if value not in ("", [])}


class Actions:
    """One fact on its way through the table: the portal so far, the effects so far, and what each action does."""

    def __init__(self, portal: Portal, now: Now) -> None:
        self.portal = portal
        self.now = now
        self.effects: list[Effect] = []
        self.decision: Decision | None = None
        self.passer: Decision | None = portal.passer
        self.detail = ""

    def written(self, seq: int) -> None:
        """The grant is in the ledger, and the barrier moves: until it is flushed a power cut can take it."""
        due_mono = self.now.mono + self.portal.timing.flush_max_s
        self.keep(grant_seq=seq, unflushed=(*self.portal.unflushed, Unflushed(seq, due_mono)))
        self.store_answers()

    def flushed(self, up_to_seq: int) -> None:
        """A power cut takes nothing up to there any more."""
        if self.portal.grant_seq is not None and up_to_seq >= self.portal.grant_seq:
            self.cancel(Input.FLUSH_DUE)
        unflushed = tuple(each for each in self.portal.unflushed if each.seq > up_to_seq)
        late = self.portal.flush_late and bool(unflushed) and unflushed[0].due_mono <= self.now.mono
        caught_up = self.portal.flush_late and not late
        self.keep(unflushed=unflushed, flush_late=late)
        if caught_up:
            self.store_answers()

    def watch_flush(self) -> None:
        """A flush that is late whatever has become of the grant: alarm, and let nobody in until it is over (law 1)."""
        unflushed = self.portal.unflushed
        if unflushed and unflushed[0].due_mono <= self.now.mono and not self.portal.flush_late:
            if not self.portal.store_slow:
                self.effects.append(Alert("store-slow", True))
            self.keep(flush_late=True, store_slow=True)

    def store_answers(self) -> None:
        """The ledger keeps up again."""
        if self.portal.store_slow and not self.portal.flush_late:
            self.keep(store_slow=False)
            self.effects.append(Alert("store-slow", False))

    def overridden(self) -> Decision:
        """The guard's key says yes: to who was refused a moment ago, else to somebody of whom nothing is known."""
        refused = self.portal.refused
        self.keep(refused=None)
        if refused is None or self.now.mono >= refused.until_mono:
            return Decision(True, Reason.GRANTED, Direction.ENTRY, "", actor=GUARD_KEY, cause="no-code")
        why = refused.decision.rule or refused.decision.reason.name
        return replace(refused.decision, granted=True, reason=Reason.GRANTED, rule="", hint="", alerts=False,
                       actor=GUARD_KEY, cause=f"override: {why}")

    def call_operators(self, decision: Decision) -> None:
        """Somebody is at the lane whom the operators have to hear of at once."""
        who = f"{decision.rule}: holder {decision.holder}, reader {decision.reader}"
        self.effects.append(Alert("denied-person", True, who))
        self.keep(person_alert_until_mono=self.now.mono + PERSON_ALERT_S)

    def tell_of_duress(self, decision: Decision) -> None:
        """Whatever the answer is, it looks at the lane like any other; only the operators hear more."""
        who = {"reader": decision.reader, "direction": decision.direction.value, "holder": decision.holder}
        self.record(EventKind.DURESS, **who)
        self.effects.append(Alert("duress", True, f"holder {decision.holder}, reader {decision.reader}"))
        self.keep(duress=True, person_alert_until_mono=self.now.mono + PERSON_ALERT_S)

    def end_person_alert(self) -> None:
        """The operators have heard, or are not there."""
        until_mono = self.portal.person_alert_until_mono
        if until_mono is not None and until_mono <= self.now.mono:
            self.effects.append(Alert("denied-person", False))
            if self.portal.duress:
                self.effects.append(Alert("duress", False))
            self.keep(person_alert_until_mono=None, duress=False)

    def do(self, action: Action) -> None:
        """Carry out one action of the table."""
        ACTIONS[action](self)

    def keep(self, **changes: Any) -> None:
        self.portal = structs.replace(self.portal, **changes)

    def forget(self, waiting: Pending) -> None:
        self.keep(pending=tuple(each for each in self.portal.pending if each is not waiting))

    def due(self, **after_s: float) -> None:
        timers = {Input(f"{name}_due"): self.now.mono + seconds for name, seconds in after_s.items()}
        self.keep(timers=MappingProxyType({**self.portal.timers, **timers}))

    def cancel(self, *names: Input) -> None:
        timers = {name: at for name, at in self.portal.timers.items() if name not in names}
        self.keep(timers=MappingProxyType(timers))

    def record(self, kind: EventKind, **data: Any) -> None:
        self.effects.append(Record(kind, data))

    def record_passer(self, kind: EventKind, **data: Any) -> None:
        for passer in people(self.passer):
            who: dict[str, Any] = {
                "direction": passer.direction.value, "holder": passer.holder, "company": passer.company}
            if passer.uses is not None and kind in (EventKind.ACCESS_TAKEN, EventKind.ACCESS_NOT_TAKEN):
                who["uses"] = passer.uses + (kind is EventKind.ACCESS_TAKEN)
            self.record(kind, **{key: value for key, value in who.items() if value not in ("", None)}, **data)
        if self.passer is None:
            self.record(kind, **data)

    def refuse(self, decision: Decision, reason: Reason) -> None:
        refused = [replace(each, granted=False, reason=reason) for each in people(decision)]
        self.effects += [Record(EventKind.ACCESS_DENIED, decision_data(each)) for each in refused]
        self.effects.append(Show(Signal.DENIED, refused[-1]))

    # --- the actions of the table, by their names there ---

    def record_grant(self) -> None:
        assert self.decision is not None
        self.effects += [Record(EventKind.ACCESS_GRANTED, decision_data(each)) for each in people(self.decision)]
        self.keep(passer=self.decision)

    def release(self) -> None:
        assert self.decision is not None
        entering = self.decision.direction is Direction.ENTRY
        timing = self.portal.timing
        self.effects.append(Release(self.decision.direction, timing.pulse_s, must_record=entering))
        self.due(passage=timing.passage_s if timing.sensor else timing.pulse_s)
        if entering:
            self.due(flush=timing.flush_max_s)

    def show_grant(self) -> None:
        self.effects.append(Show(Signal.GRANTED, self.decision))

    def record_deny(self) -> None:
        assert self.decision is not None
        self.effects.append(Record(EventKind.ACCESS_DENIED, decision_data(self.decision)))

    def show_deny(self) -> None:
        """Red; but the first of two codes is no fault, and a shop's QR in view takes the green of a pass not away."""
        assert self.decision is not None
        if self.decision.reason in (Reason.NEEDS_SECOND_CODE, Reason.NEEDS_SECOND_PERSON):
            self.effects.append(Show(Signal.READING, self.decision))
        elif self.portal.passer is None or self.decision.reason not in NOBODYS:
            self.effects.append(Show(Signal.DENIED, self.decision))

    def refuse_lockdown(self) -> None:
        assert self.decision is not None
        self.refuse(self.decision, Reason.LOCKDOWN)

    def queue(self) -> None:
        """Hold a valid scan until the lane is free; who is served or waits already is answered again, not twice.

        A phone's code changes while its owner goes in: it must not open for the person behind.
        """
        assert self.decision is not None
        portal, who = self.portal, (self.decision.holder, self.decision.direction)
        passer = portal.passer
        if passer is not None and passer.holder and (passer.holder, passer.direction) == who:
            if portal.state is State.RELEASED:
                self.show_grant()
                return
            if passer.direction is Direction.ENTRY:
                return
        waits = any(each.decision.holder and (each.decision.holder, each.decision.direction) == who
                    for each in portal.pending)
        if not waits and len(portal.pending) >= portal.timing.pending_max:
            self.turn_away(self.decision)
            return
        if not waits:
            waiting = Pending(self.decision, self.now.mono + portal.timing.pending_s)
            self.keep(pending=(*portal.pending, waiting))
        self.effects.append(Show(Signal.READING, self.decision))

    def turn_away(self, decision: Decision) -> None:
        """There is no more waiting for the lane: who enters is refused, who leaves goes now."""
        if decision.direction is Direction.EXIT:
            self.decision = decision
            self.let_out()
        else:
            self.refuse(decision, Reason.PORTAL_BUSY)

    def let_out(self) -> None:
        """Release a way out beside whatever goes on in the lane, and leave that as it is."""
        assert self.decision is not None
        self.effects += [
            Record(EventKind.ACCESS_GRANTED, decision_data(self.decision)),
            Release(Direction.EXIT, self.portal.timing.pulse_s, must_record=False),
            Show(Signal.GRANTED, self.decision),
        ]

    def record_rex(self) -> None:
        self.record(EventKind.REQUEST_TO_EXIT, direction=Direction.EXIT.value)

    def release_rex(self) -> None:
        """Who leaves has the whole time to pass: nothing that was due for a grant before locks them in."""
        timing = self.portal.timing
        self.effects.append(Release(Direction.EXIT, timing.pulse_s, must_record=False))
        if self.portal.state is State.RELEASED:
            passage_s = timing.passage_s if timing.sensor else timing.pulse_s
            self.due(passage=passage_s)
            if Input.FLUSH_DUE in self.portal.timers:
                self.due(flush=max(passage_s, timing.flush_max_s))

    def begin(self) -> None:
        """Somebody is in the lane: from here on a late flush takes nothing back (law 1)."""
        self.cancel(Input.PASSAGE_DUE, Input.FLUSH_DUE)
        self.due(prealarm=self.portal.timing.prealarm_s, held=self.portal.timing.held_open_s)

    def taken(self) -> None:
        self.record_passer(EventKind.ACCESS_TAKEN)
        self.keep(passer=None)

    def lapse(self) -> None:
        """The time to pass is over: not taken, or presumed taken where no sensor can tell."""
        if self.portal.timing.sensor:
            self.record_passer(EventKind.ACCESS_NOT_TAKEN)
        else:
            self.record_passer(EventKind.ACCESS_TAKEN, presumed=True)

    def withdraw(self) -> None:
        self.record_passer(EventKind.ACCESS_NOT_TAKEN, cause="lockdown")

    def take_back(self) -> None:
        """The ledger was late: the grant is taken back before passage has begun (law 1).

        Whoever waits to enter hears the same, so that the ledger is not waited for once more for each of them.
        """
        self.keep(store_slow=True)
        self.effects.append(Alert("store-slow", True))
        if self.passer is not None:
            self.refuse(self.passer, Reason.STORE_SLOW)
        for waiting in self.portal.pending:
            if waiting.decision.direction is Direction.ENTRY:
                self.forget(waiting)
                self.refuse(waiting.decision, Reason.STORE_SLOW)

    def fault(self) -> None:
        """The barrier did not release; recorded once until it does."""
        if not self.portal.unmoved:
            self.keep(unmoved=True)
            self.record(EventKind.OUTPUT_FAULT, detail=self.detail)
            self.effects.append(Alert("output-fault", True, self.detail))
        self.effects.append(Show(Signal.CALL_GUARD))

    def moves(self) -> None:
        """The barrier releases again."""
        if self.portal.unmoved:
            self.keep(unmoved=False)
            self.effects.append(Alert("output-fault", False))

    def does_not_lock(self) -> None:
        """The barrier stays released when it should not; recorded once until it locks."""
        if not self.portal.unlocked:
            self.keep(unlocked=True)
            self.record(EventKind.OUTPUT_FAULT, detail=self.detail)
            self.effects += [Alert("not-locked", True, self.detail), Show(Signal.CALL_GUARD)]

    def locks(self) -> None:
        """The barrier locks again."""
        if self.portal.unlocked:
            self.keep(unlocked=False)
            self.effects.append(Alert("not-locked", False))

    def warn(self) -> None:
        self.effects.append(Show(Signal.PREALARM))

    def held_alarm(self) -> None:
        self.record_passer(EventKind.DOOR_OPEN_TOO_LONG)
        self.effects += [Alert("held-open", True), Show(Signal.ALARM)]

    def held_clear(self) -> None:
        self.record(EventKind.DOOR_SECURED)
        self.effects.append(Alert("held-open", False))

    def forced_alarm(self) -> None:
        self.record(EventKind.DOOR_FORCED_OPEN)
        self.effects += [Alert("forced-open", True), Show(Signal.ALARM)]

    def forced_clear(self) -> None:
        self.record(EventKind.DOOR_SECURED)
        self.effects.append(Alert("forced-open", False))

    def hold(self) -> None:
        self.effects.append(Hold())
        self.due(lease=LEASE_RENEW_S)

    def secure(self) -> None:
        self.effects.append(Secure())

    def show_free(self) -> None:
        self.effects.append(Show(Signal.FREE))

    def show_lockdown(self) -> None:
        self.effects.append(Show(Signal.LOCKDOWN))

    def show_idle(self) -> None:
        self.effects.append(Show(Signal.IDLE))


ACTIONS: dict[Action, Callable[[Actions], None]] = {action: getattr(Actions, action.value) for action in Action}
