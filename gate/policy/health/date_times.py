"""Date-times of CertLogic 1.3.3: sections "Offset date-time (plusTime)" and "DCC Date of birth". Pure.

A date-time is a naive `datetime` in UTC, cut to milliseconds. What the specification leaves undefined raises.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta
from functools import lru_cache

UNITS = ("year", "month", "day", "hour")
CACHED = 4096
"""So many results are kept: the same days are asked about again and again."""

_DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d{1,2}?)(?::?(\d\d))?)?)?)?)?", re.ASCII)
_TEXT_MAX_CHARS = 64


def parse(text: str) -> datetime:
    """Read one of the allowed forms; a year or a month alone is its last day, and without an offset it is UTC.

    Raises:
        ValueError: no date-time of these forms, or none that exists.
    """
    found = _DATE_TIME.fullmatch(text) if len(text) <= _TEXT_MAX_CHARS else None
    if found is None:
        raise ValueError("not a date or date-time that CertLogic knows")
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = found.groups()
    if day is None:
        return _last_day(int(year), int(month or 12))
    if hour is None:
        return datetime(int(year), int(month), int(day))  # noqa: DTZ001  (UTC without saying so, as all here)
    milliseconds = int((fraction or "")[:3].ljust(3, "0"))
    at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second),  # noqa: DTZ001
                  1000 * milliseconds)
    if sign is None:
        return at
    offset = timedelta(hours=int(off_hours), minutes=int(off_minutes or 0))
    return at - offset if sign == "+" else at + offset


@lru_cache(CACHED)
def plus_time(text: str, amount: int, unit: str) -> datetime:
    """Add so many units as JavaScript's `Date` does: a day that a month lacks runs on into the next month.

    Raises:
        ValueError, OverflowError: no such date-time.
    """
    at = parse(text)
    match unit:
        case "hour":
            return at + timedelta(hours=amount)
        case "day":
            return at + timedelta(days=amount)
        case "month":
            months = 12 * at.year + at.month - 1 + amount
        case _:
            months = 12 * (at.year + amount) + at.month - 1
    return at.replace(year=months // 12, month=months % 12 + 1, day=1) + timedelta(days=at.day - 1)


def _last_day(year: int, month: int) -> datetime:
    return datetime(year, month, monthrange(year, month)[1])  # noqa: DTZ001
