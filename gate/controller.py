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
from gate.errors import DeviceError, StoreError, UsageError
from gate.inbox import Inbox
from gate.model import Alert, EventKind, Now, Record
from gate.ports import Feed, Patience, Store, Ticket
from gate.view import View

IDLE_S = 1.0
"""The loop turns at least this often, so that the watchdog and the reports go on."""
HOLD_LEASE_S = 3.0
"""A held release drops by itself when the core has not renewed it for this long (law 5)."""
DETAIL_MAX_CHARS = 300
"""How much of a text from the edge goes into a record or an alert."""
LOCKED = frozenset({portal.State.CLOSED, portal.State.LOCKED_DOWN})


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
        self.doom: StoreError | None = None
        self.faults: set[str] = set()

    def begin(self, now: Now) -> None:
        """Bring lane and outputs to rest, in the mode that the portal was made with."""
        self.lane, effects = portal.begin(self.lane, now)
        self.carry_out(effects, now)

    def run(self, inbox: Inbox) -> None:
        """Turn until somebody sets `stopping`.

        Raises:
            StoreError: the ledger can keep no promise any more; during an emergency, once that is over.
        """
        while not self.stopping:
            due, now = self.lane.deadline, self.clock.now()
            wait_s = IDLE_S if due is None else min(IDLE_S, due - now.mono)
            self.turn(inbox.take(wait_s) or model.Tick(), self.clock.now())

    def turn(self, stimulus: model.Stimulus, now: Now) -> None:
        """Take one stimulus through the whole flow, after what had become due by then."""
        fact = self.understand(stimulus, now)
        if not isinstance(fact, model.Tick):
            self.follow(model.Tick(), now)
        self.follow(fact, now)
        self.check_lock(now)
        for routine in self.each_turn:
            routine(now)
        if self.doom is not None and not self.lane.emergency:
            raise self.doom

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
            case model.Contact() | model.Tick():
                return stimulus
            case model.Flushed():
                self.fault("ledger", None)
                return stimulus
            case model.Documents(view=documents, versions=versions, problem=None):
                self.view = replace(self.view, documents=documents)
                self.note(now, EventKind.DOCUMENTS_APPLIED, {"versions": dict(versions)}, "documents-refused", None)
            case model.Documents(problem=str(problem)):
                problem = brief(problem)
                self.note(now, EventKind.DOCUMENTS_REFUSED, {"detail": problem}, "documents-refused", problem)
            case model.ReaderState(reader=reader, present=present, detail=detail):
                kind = EventKind.READER_BACK if present else EventKind.READER_LOST
                alert = None if present else brief(detail) or "gone"
                self.note(now, kind, {"reader": reader, "detail": brief(detail)}, f"reader-{reader}", alert)
            case model.Fault(source=source, detail=detail, fatal=fatal):
                self.fault(source, detail)
                if fatal:
                    self.doom = StoreError(f"{source}: {detail}")
        return model.Tick()

    def note(self, now: Now, kind: EventKind, data: dict[str, object], alert: str, detail: str | None) -> None:
        """Record what happened at the gate's edge, and raise or clear its alert."""
        self.carry_out([Record(kind, data), Alert(alert, detail is not None, detail or "")], now)

    def fault(self, source: str, detail: str | None) -> bool:
        """Raise the alert of a fault, or clear it with None; say whether it stood already."""
        stood = source in self.faults
        if detail is not None:
            self.faults.add(source)
            self.feed.alert(f"fault-{source}", brief(detail))
        elif stood:
            self.faults.remove(source)
            self.feed.alert(f"fault-{source}", None)
        return stood

    def follow(self, fact: portal.Fact, now: Now) -> None:
        """Move the lane, and do what it asks for."""
        self.lane, effects = portal.on(self.lane, fact, now)
        self.carry_out(effects, now)

    def carry_out(self, effects: Sequence[model.Effect], now: Now) -> None:
        """Do the effects in order; rows gather until a grant needs them written, or until all is done."""
        rows: list[Record] = []
        answers: list[portal.Fact] = []
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
                    elif isinstance(effect, model.Hold) and rows:
                        self.append(rows, now, way_out=True)  # free access waits for nothing either, and is noted
                        rows = []
                    answers += self.move(effect)
                case model.Show(signal=signal, decision=decision):
                    if not any(isinstance(answer, portal.NotMoved) for answer in answers):
                        rows += self.show(signal, decision)
                case Alert(id=name, active=active, detail=detail):
                    self.feed.alert(name, (detail or name) if active else None)
        if rows:
            self.append(rows, now)
        for answer in answers:
            self.follow(answer, now)

    def append(self, rows: Sequence[Record], now: Now, *, way_out: bool = False) -> Ticket | None:
        """Hand rows to the ledger; what it refuses to take is told to the operators, and ends nothing."""
        try:
            return self.ledger.append(rows, now, way_out=way_out)
        except UsageError as error:
            self.fault("record", str(error))
            return None

    def keep(self, rows: Sequence[Record], release: model.Release, now: Now) -> bool:
        """Law 1: a way out is noted at once and waits for nothing; a grant waits until it is written, or flushed."""
        ticket = self.append(rows, now, way_out=not release.must_record)
        if not release.must_record:
            return True
        if ticket is None or not ticket.wait(self.patience.write_max_s):
            return False
        limit_s = self.patience.flush_max_s
        if limit_s is not None and not self.ledger.flushed(ticket.last_seq, limit_s):
            return False
        self.follow(portal.Written(ticket.last_seq), now)
        if limit_s is not None:
            self.follow(model.Flushed(ticket.last_seq), now)
        return True

    def move(self, effect: model.Release | model.Hold | model.Secure) -> list[portal.Fact]:
        """Drive the barrier; give what the lane has to hear of it when the other effects are done."""
        try:
            match effect:
                case model.Release(direction=direction, pulse_s=pulse_s):
                    self.barrier.release(direction, pulse_s)
                case model.Hold(direction=towards):
                    self.barrier.hold(HOLD_LEASE_S, towards)
                case model.Secure():
                    self.barrier.secure()
        except DeviceError as error:
            detail = brief(str(error))
            return [portal.NotLocked(detail) if isinstance(effect, model.Secure) else portal.NotMoved(detail)]
        return [portal.Moved()] if self.lane.unmoved and not isinstance(effect, model.Secure) else []

    def check_lock(self, now: Now) -> None:
        """A relay that does not let go shows nowhere else: compare the barrier with what the lane believes."""
        if self.lane.state in LOCKED and (released := self.barrier.released()) != self.lane.unlocked:
            self.follow(portal.NotLocked("the barrier does not lock") if released else portal.Locked(), now)

    def show(self, signal: model.Signal, decision: model.Decision | None) -> list[Record]:
        """Show it on every indicator; give the record of the first failure, which ends nothing."""
        faults: list[Record] = []
        for indicator in self.indicators:
            try:
                indicator.show(signal, decision)
            except DeviceError as error:
                if not self.fault("indicator", str(error)):
                    faults.append(Record(EventKind.OUTPUT_FAULT, {"detail": brief(str(error))}))
        return faults


def brief(text: str) -> str:
    """Text from the edge, as long and as clean as a record can take it."""
    return text[:DETAIL_MAX_CHARS].encode(errors="replace").decode()
