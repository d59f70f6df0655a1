"""Carries out what the lane asks for: records, barrier, lamps, feed; and answers with what the lane has to hear of it.

Law 1 is here. A grant's rows are written before the barrier moves, and are waited for at most `write_max_s`; a way
out is noted where a crash cannot reach it, and waits for nothing. No failing output, lamp or record ends the loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from gate import model, portal
from gate.drivers.base import Barrier, Indicator
from gate.edge_notes import brief
from gate.errors import DeviceError, UsageError
from gate.model import Alert, EventKind, Now, Record
from gate.ports import Feed, Patience, Store, Ticket

HOLD_LEASE_S = 3.0
"""A held release drops by itself when the core has not renewed it for this long (law 5)."""


class Effector:
    """The core's hands; used by the core's thread only."""

    def __init__(
        self, ledger: Store, barrier: Barrier, indicators: Sequence[Indicator], feed: Feed, patience: Patience,
    ) -> None:
        self.ledger, self.barrier, self.indicators, self.feed = ledger, barrier, tuple(indicators), feed
        self.patience = patience
        self._faults: dict[str, str] = {}
        self._unmoved = False

    def carry_out(self, effects: Sequence[model.Effect], now: Now) -> list[portal.Fact]:
        """Do the effects in order; rows gather until a release needs them kept, or until all is done."""
        rows: list[Record] = []
        answers: list[portal.Fact] = []
        for effect in effects:
            match effect:
                case Record(kind=kind, data=data):
                    rows.append(effect)
                    self.feed.live(kind.value, data)
                case model.Release(must_record=True):
                    written = self.write(rows, now)
                    if not written:
                        return [*answers, portal.NotWritten()]
                    rows = []
                    answers += [*written, *self.move(effect)]
                case model.Release() | model.Hold():
                    self.append(rows, now, way_out=True)
                    rows = []
                    answers += self.move(effect)
                case model.Secure():
                    answers += self.move(effect)
                case model.Show(signal=signal, decision=decision):
                    if not any(isinstance(answer, portal.NotMoved) for answer in answers):
                        rows += self.show(signal, decision)
                case Alert(id=name, active=active, detail=detail):
                    self.feed.alert(name, (detail or name) if active else None)
        # A grant that is left here moved nothing, because access is free: it stands, also while the disk is full.
        self.append(rows, now, way_out=any(row.kind is EventKind.ACCESS_GRANTED for row in rows))
        return answers

    def rehearse(self, effects: Sequence[model.Effect], now: Now) -> None:
        """Go through what these effects take while the lane is locked: nothing is kept, and what is locked stays so."""
        self.ledger.rehearse([effect for effect in effects if isinstance(effect, Record)], now)
        self.move(model.Secure())

    def append(self, rows: Sequence[Record], now: Now, *, way_out: bool = False) -> Ticket | None:
        """Hand rows to the ledger; what it refuses to take is told to the operators, and ends nothing."""
        if not rows:
            return None
        try:
            ticket = self.ledger.append(rows, now, way_out=way_out)
        except UsageError as error:
            self.fault("record", str(error))
            return None
        self.fault("record", None)
        return ticket

    def write(self, rows: Sequence[Record], now: Now) -> list[portal.Fact]:
        """Have a grant's rows written, or flushed where the site asks for that; nothing when it was not in time."""
        ticket = self.append(rows, now)
        if ticket is None or not ticket.wait(self.patience.write_max_s):
            return []
        if self.patience.flush_max_s is None:
            return [portal.Written(ticket.last_seq)]
        if not self.ledger.flushed(ticket.last_seq, self.patience.flush_max_s):
            return []
        return [portal.Written(ticket.last_seq), model.Flushed(ticket.last_seq)]

    def move(self, effect: model.Release | model.Hold | model.Secure) -> list[portal.Fact]:
        """Drive the barrier; a failure, and its end, are the lane's business."""
        try:
            match effect:
                case model.Release(direction=direction, pulse_s=pulse_s):
                    self.barrier.release(direction, pulse_s)
                case model.Hold(direction=towards):
                    self.barrier.hold(HOLD_LEASE_S, towards)
                case model.Secure():
                    self.barrier.secure()
                    return []
        except DeviceError as error:
            if isinstance(effect, model.Secure):
                return [portal.NotLocked(brief(str(error)))]
            self._unmoved = True
            return [portal.NotMoved(brief(str(error)))]
        moved, self._unmoved = self._unmoved, False
        return [portal.Moved()] if moved else []

    def show(self, signal: model.Signal, decision: model.Decision | None) -> list[Record]:
        """Show it on every indicator; a failure ends nothing, and is recorded until all of them work again."""
        faults: list[str] = []
        for indicator in self.indicators:
            try:
                indicator.show(signal, decision)
            except DeviceError as error:
                faults.append(brief(str(error)))
        stood = self.fault("indicator", "; ".join(faults) or None)
        return [Record(EventKind.OUTPUT_FAULT, {"detail": fault}) for fault in faults if not stood]

    def fault(self, source: str, detail: str | None) -> bool:
        """Raise the alert of a fault, or clear it with None; say whether it stood already."""
        stood = self._faults.pop(source, None)
        if detail is not None:
            self._faults[source] = detail = brief(detail)
        if detail != stood:
            self.feed.alert(f"fault-{source}", detail)
        return stood is not None
