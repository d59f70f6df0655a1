"""THE FLOW: one stimulus at a time becomes a fact, the fact moves the lane, the lane's effects are carried out.

    stimulus -> understand (a scan: admit) -> portal.on -> carry_out -> records, barrier, lamps, feed

One thread runs this, and it alone decides and drives outputs. Law 1 is here: a grant is written before the
barrier moves, for at most `write_max_s`, and is taken back as STORE_SLOW when the ledger is late; a way out
leaves a note that survives a crash, and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gate import model, portal
from gate.admission import admit
from gate.clock import Clock
from gate.drivers.base import Barrier, Indicator
from gate.errors import DeviceError, StoreError
from gate.inbox import Inbox
from gate.model import Alert, EventKind, Now, Record
from gate.ports import Feed, Patience, Store
from gate.view import View

IDLE_S = 1.0
"""The loop turns at least this often, so that the watchdog and the reports go on."""
HOLD_LEASE_S = 3.0
"""A held release drops by itself when the core has not renewed it for this long (law 5)."""


class Controller:
    """The core of one portal; `each_turn` runs after every stimulus (watchdog, reports)."""

    def __init__(
        self, *, clock: Clock, view: View, lane: portal.Portal, ledger: Store, barrier: Barrier,
        indicators: Sequence[Indicator], feed: Feed, patience: Patience,
        each_turn: Iterable[Callable[[Now], None]] = (),
    ) -> None:
        self.clock, self.view, self.lane = clock, view, lane
        self.ledger, self.barrier, self.indicators, self.feed = ledger, barrier, tuple(indicators), feed
        self.patience = patience
        self.each_turn = tuple(each_turn)
        self.stopping = False

    def begin(self, now: Now) -> None:
        """Bring lane and outputs to rest, in the mode that the portal was made with."""
        self.lane, effects = portal.begin(self.lane, now)
        self.carry_out(effects, now)

    def run(self, inbox: Inbox) -> None:
        """Turn until somebody sets `stopping`; raises StoreError when the ledger can keep no promise."""
        while not self.stopping:
            due, now = self.lane.deadline, self.clock.now()
            wait_s = IDLE_S if due is None else min(IDLE_S, due - now.mono)
            self.turn(inbox.take(wait_s) or model.Tick(), self.clock.now())

    def turn(self, stimulus: model.Stimulus, now: Now) -> None:
        """Take one stimulus through the whole flow."""
        fact = self.understand(stimulus, now)
        self.follow(fact, now)
        for routine in self.each_turn:
            routine(now)

    def understand(self, stimulus: model.Stimulus, now: Now) -> portal.Fact:
        """Make a fact for the lane of it, after noting what it means to the core itself."""
        match stimulus:
            case model.Scan():
                decision = admit(stimulus, self.view, now)
                self.view = replace(self.view, attempts=self.view.attempts.after(decision, now.mono))
                return decision
            case model.SetMode(mode=mode):
                self.view = replace(self.view, mode=mode)
                self.ledger.remember("mode", mode.value.encode())
                return stimulus
            case model.Contact() | model.Flushed() | model.Tick():
                return stimulus
            case model.Documents(view=documents, versions=versions, problem=None):
                self.view = replace(self.view, documents=documents)
                self.note(now, EventKind.DOCUMENTS_APPLIED, {"versions": dict(versions)}, "documents-refused", None)
            case model.Documents(problem=str(problem)):
                self.note(now, EventKind.DOCUMENTS_REFUSED, {"detail": problem}, "documents-refused", problem)
            case model.ReaderState(reader=reader, present=present, detail=detail):
                kind = EventKind.READER_BACK if present else EventKind.READER_LOST
                alert = None if present else detail or "gone"
                self.note(now, kind, {"reader": reader, "detail": detail}, f"reader-{reader}", alert)
            case model.Fault(source=source, detail=detail, fatal=True):
                raise StoreError(f"{source}: {detail}")
            case model.Fault(source=source, detail=detail):
                self.feed.alert(f"fault-{source}", detail)
        return model.Tick()

    def note(self, now: Now, kind: EventKind, data: dict[str, object], alert: str, detail: str | None) -> None:
        """Record what happened at the gate's edge, and raise or clear its alert."""
        self.carry_out([Record(kind, data), Alert(alert, detail is not None, detail or "")], now)

    def follow(self, fact: portal.Fact, now: Now) -> None:
        """Move the lane, and do what it asks for."""
        self.lane, effects = portal.on(self.lane, fact, now)
        self.carry_out(effects, now)

    def carry_out(self, effects: Sequence[model.Effect], now: Now) -> None:
        """Do the effects in order; rows gather until a grant needs them written, or until all is done."""
        rows: list[Record] = []
        for effect in effects:
            match effect:
                case Record(kind=kind, data=data):
                    rows.append(effect)
                    self.feed.live(kind.value, data)
                case model.Release() | model.Hold() | model.Secure():
                    if isinstance(effect, model.Release):
                        if not self.keep(rows, effect, now):
                            self.follow(portal.NotWritten(), now)
                            return
                        rows = []
                    if not self.move(effect, now):
                        break
                case model.Show(signal=signal, decision=decision):
                    for indicator in self.indicators:
                        indicator.show(signal, decision)
                case Alert(id=name, active=active, detail=detail):
                    self.feed.alert(name, (detail or name) if active else None)
        if rows:
            self.ledger.append(rows, now)

    def keep(self, rows: Sequence[Record], release: model.Release, now: Now) -> bool:
        """Law 1: a way out is noted at once and waits for nothing; a grant waits until it is written, or flushed."""
        ticket = self.ledger.append(rows, now, way_out=not release.must_record)
        if not release.must_record:
            return True
        if not ticket.wait(self.patience.write_max_s):
            return False
        limit_s = self.patience.flush_max_s
        if limit_s is not None and not self.ledger.flushed(ticket.last_seq, limit_s):
            return False
        self.follow(portal.Written(ticket.last_seq), now)
        return True

    def move(self, effect: model.Release | model.Hold | model.Secure, now: Now) -> bool:
        """Drive the barrier; what a failing output means is the lane's business, and ends what was to follow."""
        try:
            match effect:
                case model.Release(direction=direction, pulse_s=pulse_s):
                    self.barrier.release(direction, pulse_s)
                case model.Hold(direction=towards):
                    self.barrier.hold(HOLD_LEASE_S, towards)
                case model.Secure():
                    self.barrier.secure()
        except DeviceError as error:
            self.follow(portal.NotMoved(str(error)), now)
            return False
        return True
