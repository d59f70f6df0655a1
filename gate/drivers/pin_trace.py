"""Mock pins that write down each change, so that simulation and crash tests can see what a relay would have done.

One line a change: monotonic seconds, BCM pin, level. Each is one `write` to a file opened for appending: it is in
the kernel's hands before the pin counts as set, so a killed process leaves a whole trace.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from gpiozero.pins.mock import MockFactory, MockPin


def tracing_factory(path: Path) -> MockFactory:
    """A mock factory whose output pins leave their trace in `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    class TracedPin(MockPin):  # type: ignore[misc]
        """A mock pin that says so before its output level changes."""

        def _change_state(self, value: int) -> bool:
            if self.function == "output" and bool(value) != self.state:
                line = f"{time.monotonic():.6f} {self.info.name.removeprefix('GPIO')} {int(value)}\n"
                os.write(descriptor, line.encode())
            return bool(super()._change_state(value))

    return MockFactory(pin_class=TracedPin)
