"""What a rule may know beside the health record: `external` in its data context. Pure.

    validationClock   the moment, with the site's offset         today     the local day, YYYY-MM-DD
    dayStart          when that day began                        monthsAgo see below
    roles             of the person's papers, sorted             company   of the roster's entry
    clockTrusted      whether the moment can be believed         valueSets of the pack
    headcount         {"present", "staff"} of the site, without the person; null where nobody counts (`quotas`)

Days are local days in the site's time zone, and the distance of two days is the difference of their dates: the day of a
dose is day 0, fourteen days after it is day 14, from its first second. A term of months ends with the day of the same
number, or the last of a shorter month (Civil Code of Vietnam, 2015, articles 147 and 148); CertLogic's months run on
into the next one instead, so `monthsAgo.N` gives the earliest day from which N months have not ended yet.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from functools import lru_cache
from typing import Any

from msgspec import Struct

MONTHS_MAX = 24


@dataclass(frozen=True, slots=True)
class Headcount:
    """How many people are on the site, not counting the one who asks, and how many belong to it."""

    present: int
    staff: int


class Circumstances(Struct, frozen=True):  # made for each decision, and a Struct costs a tenth of a dataclass
    """Who asks, and when: `local` is aware, in the site's time zone."""

    local: datetime
    trusted: bool = True
    roles: frozenset[str] = frozenset()
    company: str = ""
    headcount: Headcount | None = None


def external(circumstances: Circumstances, value_sets: Mapping[str, Any]) -> dict[str, Any]:
    """The circumstances as a rule sees them."""
    local, headcount = circumstances.local, circumstances.headcount
    return {
        **_day(local.date(), local.tzinfo),
        "validationClock": local.isoformat(timespec="milliseconds"),
        "clockTrusted": circumstances.trusted,
        "roles": sorted(circumstances.roles),
        "company": circumstances.company,
        "headcount": {"present": headcount.present, "staff": headcount.staff} if headcount else None,
        "valueSets": value_sets,
    }


@lru_cache(8)
def _day(day: date, zone: tzinfo | None) -> dict[str, Any]:
    return {
        "today": day.isoformat(),
        "dayStart": datetime.combine(day, time(), zone).isoformat(),
        "monthsAgo": [_months_ago(day, months).isoformat() for months in range(MONTHS_MAX + 1)],
    }


def _months_ago(day: date, months: int) -> date:
    """The earliest day whose term of so many months includes `day`."""
    year, month = divmod(12 * day.year + day.month - 1 - months, 12)
    if day.day <= monthrange(year, month + 1)[1]:
        return date(year, month + 1, day.day)
    return date(year, month + 2, 1)  # a month with fewer days than another is never December
