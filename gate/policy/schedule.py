"""When a door is open to whom: weekly hours and holidays, in the site's time zone. Pure.

The signed target `schedules.json`:

    {"schema": "gate.schedules/1",
     "holidays": ["2026-09-02"],
     "schedules": {"ca-ngay": {"mon": [["06:00", "18:30"]], ..., "holiday": []}}}

A day absent from a schedule is closed. A span that ends at or before its start runs past midnight and belongs
to the day on which it starts; its start is inside, its end is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import msgspec

from gate.errors import DocumentError
from gate.strict_json import NOT_IN_FORM

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
SCHEDULES_MAX_BYTES = 1_000_000

Span = tuple[time, time]


@dataclass(frozen=True, slots=True)
class Schedules:
    """All schedules of a site by name, and the dates on which their `holiday` hours hold."""

    by_name: Mapping[str, Mapping[str, tuple[Span, ...]]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()

    def is_open(self, name: str, local: datetime) -> bool:
        """Whether schedule `name` covers `local` (wall time at the site); an unknown name never does."""
        schedule = self.by_name.get(name)
        if schedule is None:
            return False
        today, clock = local.date(), local.time()
        for start, end in self._spans(schedule, today):
            if start <= clock and (clock < end or end <= start):
                return True
        return any(end <= start and clock < end for start, end in self._spans(schedule, today - timedelta(days=1)))

    def _spans(self, schedule: Mapping[str, tuple[Span, ...]], day: date) -> tuple[Span, ...]:
        key = HOLIDAY if day in self.holidays else DAYS[day.weekday()]
        return schedule.get(key, ())


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    schedules: dict[str, dict[str, list[tuple[str, str]]]]
    holidays: list[date] = []


def schedules_from_json(data: bytes) -> Schedules:
    """Read the target `schedules.json`.

    Raises:
        DocumentError: too long, not in the form above, an unknown day or an hour that is none.
    """
    if len(data) > SCHEDULES_MAX_BYTES:
        raise DocumentError(f"schedules.json has {len(data)} bytes; at most {SCHEDULES_MAX_BYTES} are read")
    try:
        file = msgspec.json.decode(data, type=_File)
    except NOT_IN_FORM as error:
        raise DocumentError(f"schedules.json: {error}") from error
    if file.schema != "gate.schedules/1":
        raise DocumentError(f"schedules.json: schema {file.schema!r} is not gate.schedules/1")
    by_name = {}
    for name, days in file.schedules.items():
        unknown = set(days) - {*DAYS, HOLIDAY}
        if unknown:
            raise DocumentError(f"schedules.json: {name}: {min(unknown)!r} is none of {', '.join(DAYS)}, {HOLIDAY}")
        by_name[name] = {day: tuple(_span(name, text) for text in spans) for day, spans in days.items()}
    return Schedules(by_name, frozenset(file.holidays))


def _span(name: str, text: tuple[str, str]) -> Span:
    try:
        start, end = (time() if hour == "24:00" else time.fromisoformat(hour) for hour in text)
    except ValueError as error:
        raise DocumentError(f"schedules.json: {name}: {text} is not [\"HH:MM\", \"HH:MM\"]") from error
    if start.tzinfo or end.tzinfo:
        raise DocumentError(f"schedules.json: {name}: hours are in the site's time zone; drop the offset of {text}")
    return start, end
