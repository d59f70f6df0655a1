"""Mock pins that write down each change, so that simulation and crash tests can see what a relay would have done.

One line a change: monotonic seconds, BCM pin, level. Each is one `write` to a file opened for appending: it is in
the kernel's hands before the pin counts as set, so a killed process leaves a whole trace. As on a Pi, a line keeps its
level when its process dies: the last one written is where the next process finds it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin


def tracing_factory(path: Path) -> MockFactory:
    """A mock factory whose output pins leave their trace in `path`, and have the levels that it ends with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    kept = levels(path)

    class TracedPin(MockPin):  # type: ignore[misc]
        """A mock pin that says so before its output level changes."""

        def __init__(self, factory: MockFactory, info: Any) -> None:
            super().__init__(factory, info)
            self._state: bool = kept.get(self.number, bool(self.state))

        @property
        def number(self) -> int:
            """The pin's BCM number."""
            return int(self.info.name.removeprefix("GPIO"))

        def _change_state(self, value: int) -> bool:
            if self.function == "output" and bool(value) != self.state:
                os.write(descriptor, f"{time.monotonic():.6f} {self.number} {int(value)}\n".encode())
            return bool(super()._change_state(value))

    return MockFactory(pin_class=TracedPin)


def levels(path: Path) -> dict[int, bool]:
    """The level of each pin that a trace tells of, as it was left."""
    with path.open() as trace:
        return {int(pin): level == "1" for _, pin, level in map(str.split, trace)}
