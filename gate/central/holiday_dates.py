"""Writes a country's public holidays into a schedules document, so that a gate needs dates only."""

from __future__ import annotations

from collections.abc import Iterable

import holidays
import msgspec

from gate.errors import UsageError
from gate.policy.schedule import schedules_from_json


def with_holidays(document: bytes, country: str, years: Iterable[int]) -> bytes:
    """Add the public holidays of `country` (ISO 3166-1 alpha-2) in `years` to those of a `schedules.json`.

    Raises:
        DocumentError: no schedules document.
        UsageError: the `holidays` package does not know the country.
    """
    dates = set(schedules_from_json(document).holidays)
    try:
        dates.update(holidays.country_holidays(country, years=list(years)))
    except NotImplementedError as error:
        raise UsageError(f"--holidays {country}: no such country; give two letters such as VN") from error
    fields = msgspec.json.decode(document)
    return msgspec.json.encode({**fields, "holidays": sorted(dates)})
