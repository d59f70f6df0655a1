"""What the pins were told, read from their trace as it grows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Change(NamedTuple):
    """An output took a level, at a monotonic second."""

    at_mono: float
    pin: int
    high: bool


class Pins:
    """The outputs of a gate whose config has `pins: {factory: mock, trace: FILE}`."""

    def __init__(self, trace: Path) -> None:
        self.changes: list[Change] = []
        self.levels: dict[int, bool] = {}
        self._trace, self._read = trace, 0

    def look(self) -> int:
        """Read what is new; how many changes there are."""
        if self._trace.exists():
            with self._trace.open("rb") as trace:
                trace.seek(self._read)
                for line in trace.read().splitlines():
                    at_mono, pin, level = line.split()
                    self.changes.append(Change(float(at_mono), int(pin), level == b"1"))
                    self.levels[int(pin)] = level == b"1"
                self._read = trace.tell()
        return len(self.changes)

    def on(self, *pins: int) -> set[int]:
        """Which of these (none named: of all) are high."""
        self.look()
        return {pin for pin, high in self.levels.items() if high and (not pins or pin in pins)}

    def since(self, known: int, *pins: int) -> list[Change]:
        """The changes of these pins after the first so many of all."""
        self.look()
        return [change for change in self.changes[known:] if change.pin in pins]
