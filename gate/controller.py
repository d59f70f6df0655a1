"""THE FLOW: one stimulus at a time becomes a fact, the fact moves the lane, the lane's effects are carried out.

    stimulus -> understand (a scan: admit) -> portal.on -> Effector.carry_out -> records, barrier, lamps, feed
                                                  ^              |
                                                  +--- answers --+   written, not written, not moved, not locked

One thread runs this, and it alone decides and drives outputs. What is durable before what moves (law 1) is in
`gate.effector`; who may pass is in `gate.admission`; what the lane does is in `gate.portal`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gate import model, portal
from gate.admission import answer, forget
from gate.alarms import WATCHED, Alarms
from gate.clock import Clock
from gate.edge_notes import edge_note
from gate.effector import Effector
from gate.errors import PartError
from gate.inbox import Inbox
from gate.model import Alert, EventKind, Now, Record
from gate.order import Order
from gate.passages import Passages
from gate.policy.visits import count_uses
from gate.rehearsal import Rehearsal
from gate.view import NoRoster, View

IDLE_S = 1.0
"""The loop turns at least this often, so that the watchdog and the reports go on."""
LOCKED = frozenset({portal.State.CLOSED, portal.State.LOCKED_DOWN})


class Controller:
    """The core of one portal; `each_turn` runs after every stimulus (watchdog, reports)."""

    def __init__(
        self, *, clock: Clock, view: View, lane: portal.Portal, hands: Effector,
        each_turn: Iterable[Callable[[Now], None]] = (), passages: Passages | None = None,
        obey: Callable[[Controller, Order, Now], None] | None = None,
    ) -> None:
        self.clock, self.view, self.lane, self.hands = clock, view, lane, hands
        self.each_turn = tuple(each_turn)
        self.passages, self.obey = passages, obey
        if passages is not None:
            self.view = replace(view, presence=passages.presence, crossing=passages.crossing)
            self.each_turn += (passages.each_turn,)
        self.alarms = Alarms()
        self.rehearsal = Rehearsal(hands)
        self.stopping = False
        self.doom: PartError | None = None

    def begin(self, now: Now) -> None:
        """Bring lane and outputs to rest, in the mode that the portal was made with."""
        self.lane, effects = portal.begin(self.lane, now)
        self.carry_out(effects, now)

    def run(self, inbox: Inbox) -> None:
        """Turn until somebody sets `stopping`.

        Raises:
            PartError: the gate cannot do its work any more; during an emergency, once that is over.
        """
        while not self.stopping:
            due, now = self.lane.deadline, self.clock.now()
            wait_s = IDLE_S if due is None else min(IDLE_S, due - now.mono)
            self.turn(inbox.take(wait_s) or model.Tick(), self.clock.now())

    def turn(self, stimulus: model.Stimulus, now: Now) -> None:
        """Take one stimulus through the whole flow, after what had become due by then."""
        self.view = forget(self.view, now)
        fact = self.understand(stimulus, now)
        if not isinstance(fact, model.Tick):
            self.follow(model.Tick(), now)
        self.follow(fact, now)
        self.check_lock(now)
        self.carry_out(self.alarms.watch(self.lane.state in LOCKED, now), now)
        for routine in self.each_turn:
            routine(now)
        if self.doom is not None and not self.lane.emergency:
            raise self.doom

    def understand(self, stimulus: model.Stimulus, now: Now) -> portal.Fact:  # noqa: PLR0912  (one a stimulus)
        """Make a fact for the lane of it, after noting what it means to the core itself."""
        match stimulus:
            case model.Scan():
                if self.passages is not None:
                    self.passages.expect(self.lane, self.view.two_persons.waiting(now.mono))
                decision = self.decide(stimulus, now)
                self.rehearsal.heed(stimulus, decision)
                return decision
            case model.CodeBegun():
                if self.lane.state in LOCKED:
                    self.rehearsal.run(self.view, self.lane, now)
            case Order() if self.obey is not None:
                self.obey(self, stimulus, now)
            case model.SetMode(mode=mode, for_s=None):
                self.view = replace(self.view, mode=mode)
                self.hands.ledger.remember("mode", mode.value.encode())
                return stimulus
            case model.Contact(name=name) if name in WATCHED:
                self.carry_out(self.alarms.hear(stimulus, now), now)
            case model.SetMode() | model.Contact() | model.Tick():
                return stimulus
            case model.Flushed():
                self.hands.fault("ledger", None)
                return stimulus
            case model.Documents() | model.ReaderState():
                if isinstance(stimulus, model.Documents) and stimulus.problem is None:
                    self.view = replace(self.view, documents=stimulus.view)
                self.note(now, *edge_note(stimulus))
            case model.PeerMoves() if self.passages is not None:
                self.carry_out(self.passages.hear(stimulus, now), now)
            case model.Fault(source=source, detail=detail, fatal=fatal):
                self.hands.fault(source, detail)
                if fatal:
                    self.doom = PartError(f"{source}: {detail}")
        return model.Tick()

    def decide(self, scan: model.Scan, now: Now) -> model.Decision:
        """Admit; in an emergency without the roster, whose disk may stall until the free lane's lease has run out."""
        if self.lane.emergency:
            unlisted = replace(self.view, documents=replace(self.view.documents, roster=NoRoster()))
            return answer(scan, unlisted, now)[0]  # who is refused for want of a roster has not guessed
        decision, self.view = answer(scan, self.view, now)
        return decision

    def note(self, now: Now, kind: EventKind, data: dict[str, object], alert: str, detail: str | None) -> None:
        """Record what happened at the gate's edge, and raise or clear its alert."""
        self.carry_out([Record(kind, data), Alert(alert, detail is not None, detail or "")], now)

    def follow(self, fact: portal.Fact, now: Now) -> None:
        """Move the lane, and do what it asks for."""
        self.lane, effects = portal.on(self.lane, fact, now)
        self.carry_out(effects, now)
        self.carry_out(self.alarms.heed(effects, now), now)

    def carry_out(self, effects: Sequence[model.Effect], now: Now) -> None:
        """Do it, and let the lane hear what came of it."""
        if self.passages is not None:
            effects = self.passages.complete(effects, now)
        count_uses(self.view.uses, effects)
        for came_of_it in self.hands.carry_out(effects, now):
            self.follow(came_of_it, now)

    def check_lock(self, now: Now) -> None:
        """A relay that does not let go shows nowhere else: compare the barrier with what the lane believes."""
        if self.lane.state in LOCKED and (released := self.hands.barrier.released()) != self.lane.unlocked:
            self.follow(portal.NotLocked("the barrier does not lock") if released else portal.Locked(), now)
