"""Denials while the ledger fills: those of one reader in one second become one event with a `count`. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gate.ledger.file import Entry


class HeldDenials:
    """Denials held back until their second is over; the first of each reader and second stands for the others."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int], tuple[Entry, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, entry: Entry) -> None:
        """Hold one denial."""
        key = (str(entry.record.data.get("reader", "")), int(entry.now.utc.timestamp()))
        first, count = self._held.get(key, (entry, 0))
        self._held[key] = (first, count + 1)

    def take(self, until: datetime | None = None) -> list[Entry]:
        """Give out what was not denied in the second of `until` (None: everything), in order of arrival."""
        second = None if until is None else int(until.timestamp())
        due = [key for key in self._held if key[1] != second]
        return [_counted(*self._held.pop(key)) for key in due]


def _counted(entry: Entry, count: int) -> Entry:
    if count == 1:
        return entry
    return replace(entry, record=replace(entry.record, data={**entry.record.data, "count": count}))
