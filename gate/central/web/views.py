"""What the live page shows of a gate and of an event, as plain text in both languages. Pure.

Everything that came from a gate passes through `plain`: nothing here is trusted because it was signed. Escaping is
the templates' work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from gate.errors import MalformedError
from gate.model import EventKind
from gate.texts import Words, kind_words, reason_text, state_words
from gate.wire import read_event

STALE_AFTER_S = 35
"""`up/state` comes each 10 s: after three of them missed, the tile says so whatever the status was."""

LATE_AFTER_S = 60
"""An event that took longer is marked: it was replayed after an outage."""

TEXT_MAX_CHARS = 80

_GOOD = {EventKind.ACCESS_GRANTED, EventKind.ACCESS_TAKEN}
_BAD = {EventKind.ACCESS_DENIED}
_ALARM = {
    EventKind.DURESS, EventKind.DOOR_FORCED_OPEN, EventKind.DOOR_OPEN_TOO_LONG, EventKind.EMERGENCY,
    EventKind.UNEXPECTED_PASSAGE, EventKind.READER_LOST, EventKind.DOCUMENTS_REFUSED, EventKind.EVENTS_LOST,
    EventKind.OUTPUT_FAULT, EventKind.STORE_FAULT,
}
PASSAGES = (EventKind.ACCESS_TAKEN, EventKind.UNEXPECTED_PASSAGE)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the feed; `tone` is good, bad, alarm or plain, `way` entry, exit or empty."""

    id: int
    site: str
    gate: str
    kind: str
    words: Words
    reason: Words | None
    tone: str
    way: str
    at: datetime | None
    late: bool
    reader: str
    proof: str
    holder: str
    count: int
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One gate as its tile shows it; `tone` is good, bad or alarm."""

    site: str
    gate: str
    tone: str
    status: Words
    heard_at: datetime | None
    mode: Words | None
    portal: Words | None
    outbox: int | None
    clock_trusted: bool | None
    alerts: tuple[tuple[str, str], ...]
    passage: EventRow | None

    @property
    def key(self) -> str:
        """What tells one gate's tile from every other's."""
        return f"{self.site}/{self.gate}"


def event_row(id: int, site: str, gate: str, body: bytes, received_at: datetime) -> EventRow:
    """Read one stored event for the feed; a body that cannot be read is a line that says so."""
    try:
        event = read_event(body)
        at = datetime.fromisoformat(event.time)
    except (MalformedError, ValueError):
        return EventRow(id, plain(site), plain(gate), "", Words("Sự kiện không đọc được", "Unreadable event"), None,
                        "alarm", "", None, False, "", "", "", 1)
    data, kind = event.data, event.kind
    refused = kind == EventKind.ACCESS_DENIED and "reason" in data
    reason = reason_text(str(data["reason"])) if refused else None
    way = data.get("direction")
    count = data.get("count")
    return EventRow(
        id, plain(site), plain(gate), plain(kind), Words(*map(plain, kind_words(kind))),
        Words(reason.vi, reason.en) if reason else None,
        tone=("good" if kind in _GOOD else "bad" if kind in _BAD else "alarm" if kind in _ALARM else "plain"),
        way=way if way in ("entry", "exit") else "",
        at=at, late=at.tzinfo is not None and received_at - at > timedelta(seconds=LATE_AFTER_S),
        reader=plain(data.get("reader", "")), proof=plain(data.get("proof", "")),
        holder=plain(data.get("holder", "")),
        count=count if isinstance(count, int) and count > 1 else 1, rule=plain(data.get("rule", "")),
    )


def tile(
    site: str, gate: str, *, status: str, state: Mapping[str, Any], alerts: Mapping[str, Any],
    heard_at: datetime | None, passage: EventRow | None, now: datetime, zone: tzinfo,
) -> Tile:
    """Make one gate's tile from what it last said of itself; `now` decides whether that is stale."""
    stale = heard_at is None or now - heard_at > timedelta(seconds=STALE_AFTER_S)
    said = Words(*map(plain, state_words(status))) if status else Words("chưa rõ", "unknown")
    if stale and status not in ("offline", "stopped"):
        said = Words("im lặng", "silent")
    mode, portal, outbox = state.get("mode"), state.get("portal"), state.get("outbox")
    trusted = state.get("clock_trusted")
    live = status in ("online", "degraded", "starting") and not stale
    troubled = (bool(alerts) or status != "online" or mode not in (None, "normal") or trusted is False
                or portal in ("held", "forced"))
    return Tile(
        plain(site), plain(gate), "bad" if not live else "alarm" if troubled else "good", said,
        heard_at.astimezone(zone) if heard_at else None,
        mode=_state(mode), portal=_state(portal),
        outbox=outbox if isinstance(outbox, int) else None,
        clock_trusted=trusted if isinstance(trusted, bool) else None,
        alerts=tuple(sorted((plain(name), plain(detail)) for name, detail in alerts.items())),
        passage=passage,
    )


def plain(value: Any) -> str:
    """A value as one short line without control, invisible or direction-changing characters."""
    text = str(value)
    short = text if len(text) <= TEXT_MAX_CHARS else text[:TEXT_MAX_CHARS - 1] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in short)


def _state(value: Any) -> Words | None:
    return Words(*map(plain, state_words(value))) if isinstance(value, str) else None
