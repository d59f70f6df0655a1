"""The walk through the demo: each check holds a code to a reader and waits for what must reach the centre."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from gate import wire
from gate.central.db import open_database, reading
from gate.central.db.models import Event
from gate.demo.lane import Lane
from gate.demo.parts import Parts, wait_for
from gate.demo.site import AN, ENTRY_PIN, EXIT_PIN, DemoSite
from gate.errors import GateError
from gate.model import EventKind

EVENT_S = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """What was tried, what had to come, what came."""

    what: str
    expected: str
    happened: str

    @property
    def passed(self) -> bool:
        """Whether they agree."""
        return self.expected == self.happened


class Walk:
    """Runs the checks one by one; each looks only at events after the last."""

    def __init__(self, site: DemoSite, parts: Parts, lane: Lane) -> None:
        self.site, self.parts, self.lane = site, parts, lane
        self._engine = open_database(site.database)
        self._seen = 0

    def run(self) -> Iterator[Check]:
        """Every check in order, as it ends."""
        wait_for("the gate's start at the recorder", lambda: self._next(EventKind.GATE_STARTED) is not None)
        yield Check("cổng khởi động · the gate starts", "GateStarted", "GateStarted")
        granted, denied = "AccessGranted {}", "AccessDenied {}"
        yield self._scan("camera-in", "an-pass", granted.format("signed"), "thẻ của An · An's pass, by camera")
        yield self._scan("camera-in", "an-qr", granted.format("listed"), "QR cá nhân của An · An's personal QR")
        yield self._scan("camera-in", "thanh-toan", denied.format("WRONG_CODE"), "QR thanh toán · a payment QR")
        yield self._scan("scanner-in", "binh-cccd", granted.format("listed"), "căn cước của Bình · Bình's ID card")
        yield self._scan("scanner-in", "gia-pass", denied.format("BAD_SIGNATURE"), "thẻ giả · a forged pass")
        yield self._scan("scanner-in", "chi-cccd", denied.format("EXPIRED"), "Chi đã hết hạn · Chi has expired")
        yield self._scan("scanner-in", "dung-cccd", denied.format("NO_ACCESS_RIGHTS"), "Dũng: khu khác · not his area")
        yield self._scan("scanner-in", "la-cccd", denied.format("UNKNOWN_CREDENTIAL"), "người lạ · a stranger")
        yield self._scan("scanner-out", "chi-cccd", granted.format("listed"), "Chi vẫn ra được · Chi still leaves",
                         pin=EXIT_PIN)
        yield self._scan("keypad-in", "binh-so", granted.format("listed"), "mã số của Bình · Bình's number, typed")
        yield self._scan("keypad-in", "12345678", denied.format("MALFORMED"), "mã số sai · a wrong number")
        yield from self._without_broker()
        yield from self._revoke()
        yield self._sound_ledger()
        yield self._page()
        yield Check("không tiến trình nào rơi · no process fell", "", ", ".join(self.parts.fallen()))

    def _scan(self, reader: str, code: str, expected: str, what: str, pin: int = ENTRY_PIN) -> Check:
        """Hold a code to a reader; the barrier must pulse for a grant, and must not for a denial."""
        pulses = self._pulses(pin)
        self.lane.scan(reader, code)
        event: dict[str, Any] | None = None

        def arrived() -> bool:
            nonlocal event
            event = self._next(EventKind.ACCESS_GRANTED, EventKind.ACCESS_DENIED)
            return event is not None

        try:
            wait_for("the event", arrived, EVENT_S)
        except GateError:
            return Check(what, expected, "nothing")
        assert event is not None
        granted = event["kind"] == EventKind.ACCESS_GRANTED
        happened = f"{event['kind']} {event['proof' if granted else 'reason']}"
        moved = self._pulses(pin) - pulses
        return Check(what, expected, happened if moved == granted else f"{happened}, but {moved} pulses")

    def _without_broker(self) -> Iterator[Check]:
        """The gate decides while the broker is away, and its events arrive afterwards."""
        self.parts.stop("broker")
        pulses = self._pulses(ENTRY_PIN)
        self.lane.scan("scanner-in", "an-qr")
        try:
            wait_for("a pulse without a broker", lambda: self._pulses(ENTRY_PIN) > pulses, EVENT_S)
            moved = "released"
        except GateError:
            moved = "nothing"
        yield Check("mất mạng vẫn mở · no broker: it opens all the same", "released", moved)
        self.parts.start_broker()
        try:
            wait_for("the event", lambda: self._next(EventKind.ACCESS_GRANTED) is not None)
            arrived = "AccessGranted"
        except GateError:
            arrived = "nothing"
        yield Check("có mạng lại: sự kiện tới · the broker is back: so is the event", "AccessGranted", arrived)

    def _revoke(self) -> Iterator[Check]:
        self.site.gate("central", "issue", "revoke", "--person", AN, "--reason", "demo", "--db", self.site.database)
        self.site.publish()
        self.site.import_documents()
        wait_for("the new documents", lambda: self._next(EventKind.DOCUMENTS_APPLIED) is not None)
        yield self._scan("scanner-in", "an-pass", "AccessDenied REVOKED", "thu hồi thẻ của An · An's pass is withdrawn")

    def _sound_ledger(self) -> Check:
        try:
            self.site.gate("events", "verify", "--config", self.site.config, "--json")
            happened = "whole"
        except GateError as error:
            happened = str(error)
        return Check("chuỗi sự kiện nguyên vẹn · the ledger's chain", "whole", happened)

    def _page(self) -> Check:
        with urllib.request.urlopen(self.parts.page, timeout=10) as answer:  # noqa: S310  (our own page on loopback)
            page = answer.read().decode()
        shown = "shows gate-1" if "gate-1" in page else page[:80]
        return Check("trang trực tiếp · the live page", "shows gate-1", shown)

    def _next(self, *kinds: EventKind) -> dict[str, Any] | None:
        """The first recorded event of these kinds after the last one looked at."""
        with reading(self._engine) as session:
            row = session.execute(
                select(Event.id, Event.body).where(Event.id > self._seen, Event.kind.in_(kinds)).order_by(Event.id)
            ).first()
        if row is None:
            return None
        self._seen = row.id
        event = wire.read_event(row.body)
        return {"kind": event.kind, **event.data}

    def _pulses(self, pin: int) -> int:
        trace = self.site.folder / "pins.trace"
        lines = trace.read_text().splitlines() if trace.exists() else []
        return sum(line.split()[1:] == [str(pin), "1"] for line in lines)


def table(checks: list[Check]) -> str:
    """The checks as a readable table."""
    width = max(len(check.what) for check in checks)
    lines = [f"  {'✓' if check.passed else '✗'}  {check.what:{width}}  {check.happened}"
             + ("" if check.passed else f"   (expected: {check.expected})") for check in checks]
    failed = sum(not check.passed for check in checks)
    return "\n".join([*lines, "", f"{len(checks) - failed} passed, {failed} failed"])

