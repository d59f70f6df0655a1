"""What the drivers' tests stand on: mock pins that can break, real ptys that can be unplugged, and patience."""

from __future__ import annotations

import os
import queue
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from gate.model import CodeBegun

PATIENCE_S = 20.0
"""How long to wait for what must happen; a loaded machine is slow, and nothing here measures time."""


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until a condition holds."""
    def wait(condition: Callable[[], object]) -> None:
        pause, end = threading.Event(), time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "it never happened"
            pause.wait(0.002)

    return wait


class BreakablePin(MockPin):
    """A mock pin that refuses to be written while `broken` names that level."""

    broken: bool | None = None

    def _set_state(self, value: bool) -> None:
        if self.broken is not None and bool(value) is self.broken:
            raise OSError("the pin does not move")
        super()._set_state(value)


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    """A mock factory of its own for each test; `levels(pins, n)` tells what a pin went through."""
    factory = MockFactory(pin_class=BreakablePin)
    yield factory
    factory.reset()


@pytest.fixture
def levels(pins: MockFactory) -> Callable[[int], list[bool]]:
    """Every level that a BCM pin went through, its first included."""
    return lambda number: [bool(state.state) for state in pins.pin(f"GPIO{number}").states]


class Pty:
    """A serial line whose far end the test holds; its path is a link, as udev's by-id names are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fds: list[int] = []

    def plug(self) -> None:
        """The device appears."""
        master, slave = os.openpty()
        tty.setraw(slave)  # before anybody reads: what arrives in line mode is echoed and may be lost
        self._fds = [master, slave]
        self.path.symlink_to(os.ttyname(slave))

    def unplug(self) -> None:
        """The device goes, with whoever holds it open."""
        self.path.unlink(missing_ok=True)
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def send(self, data: bytes) -> None:
        """Send it all, as fast as the reader takes it."""
        while data:
            data = data[os.write(self._fds[0], data):]

    def receive(self) -> bytes:
        """What the reader wrote."""
        return os.read(self._fds[0], 4096)


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[Pty]:
    """A serial line, not plugged in yet."""
    line = Pty(tmp_path / "line")
    yield line
    line.unplug()


class Heard:
    """Keeps what a reader says; `next()` waits for it, `begun` holds what only foretells it."""

    def __init__(self) -> None:
        self._said: queue.Queue[object] = queue.Queue()
        self.begun: queue.Queue[CodeBegun] = queue.Queue()

    def __call__(self, said: object) -> None:
        if isinstance(said, CodeBegun):
            self.begun.put(said)
        else:
            self._said.put(said)

    def next(self) -> object:
        """The next thing it says."""
        return self._said.get(timeout=PATIENCE_S)

    def nothing(self) -> bool:
        """Whether nothing more has been said."""
        return self._said.empty()


@pytest.fixture
def heard() -> Heard:
    """An ear for a reader or a contact."""
    return Heard()
