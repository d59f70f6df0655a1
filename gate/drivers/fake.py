"""Devices without hardware: a barrier for checkpoints that have none, and fakes that are driven from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gate import config
from gate.drivers.base import ContactSays, ReaderSays
from gate.drivers.release import Release
from gate.errors import DeviceError
from gate.model import Contact, Decision, Direction, ReaderState, Scan, Signal

MonotonicS = Callable[[], float]


class NoBarrierSettings(config.Section, frozen=True, kw_only=True):
    """Nothing to set."""


class NoBarrier:
    """A checkpoint where lamps and sound tell a guard, and nothing locks."""

    Settings = NoBarrierSettings

    def __init__(self, settings: NoBarrierSettings, pins: Any = None) -> None:
        pass

    def start(self) -> None:
        pass

    def release(self, direction: Direction, pulse_s: float) -> None:
        pass

    def hold(self, lease_s: float, direction: Direction | None = None) -> None:
        pass

    def secure(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def released(self) -> bool:
        return False


class FakeBarrier:
    """Records each move as (monotonic second, released) and ends releases as the relay does, in `mono`'s time.

    Time moves outside, so an end is noticed when somebody asks: `moves` and `released` settle first. Set
    `fault` to make every release fail as a dead pin would.
    """

    def __init__(self, mono: MonotonicS, max_on_s: float = 5.0) -> None:
        self.fault: str | None = None
        self._mono = mono
        self._release = Release(max_on_s)
        self._moves: list[tuple[float, bool]] = []

    @property
    def moves(self) -> list[tuple[float, bool]]:
        """Every change so far, oldest first."""
        self._settle()
        return list(self._moves)

    def start(self) -> None:
        self.secure()

    def release(self, direction: Direction, pulse_s: float) -> None:
        self._settle()
        self._check()
        self._release.pulse(self._mono(), pulse_s)
        self._record(True, self._mono())

    def hold(self, lease_s: float, direction: Direction | None = None) -> None:
        self._settle()
        self._check()
        self._release.lease(self._mono(), lease_s)
        self._record(True, self._mono())

    def secure(self) -> None:
        self._settle()
        self._release.end()
        self._record(False, self._mono())

    def stop(self) -> None:
        self.secure()

    def released(self) -> bool:
        self._settle()
        return self._release.until_mono is not None

    def _check(self) -> None:
        if self.fault is not None:
            self.secure()
            raise DeviceError(self.fault)

    def _settle(self) -> None:
        until_mono = self._release.until_mono
        if until_mono is not None and self._release.due(self._mono()):
            self._release.end()
            self._record(False, until_mono)

    def _record(self, released: bool, mono: float) -> None:
        if released is not (self._moves[-1][1] if self._moves else False):
            self._moves.append((mono, released))


class FakeReader:
    """A reader whose codes come from whoever holds it."""

    def __init__(self, name: str, direction: Direction, mono: MonotonicS) -> None:
        self.name = name
        self.direction = direction
        self.dropped = 0
        self._mono = mono
        self._say: ReaderSays | None = None

    def start(self, say: ReaderSays) -> None:
        self._say = say

    def stop(self) -> None:
        self._say = None

    def alive_mono(self) -> float:
        return self._mono()

    def scan(self, payload: bytes, size: int = 0) -> None:
        """Show this code to the reader; nothing happens while it is not started."""
        if self._say is not None:
            self._say(Scan(self.name, self.direction, payload, self._mono(), size))

    def lose(self, detail: str = "unplugged") -> None:
        """The device goes away."""
        if self._say is not None:
            self._say(ReaderState(self.name, False, detail))

    def bring_back(self) -> None:
        """The device comes back."""
        if self._say is not None:
            self._say(ReaderState(self.name, True))


class FakeIndicator:
    """Keeps what it was told to show; set `fault` to make it fail."""

    def __init__(self) -> None:
        self.shown: list[tuple[Signal, Decision | None]] = []
        self.fault: str | None = None

    def start(self) -> None:
        pass

    def show(self, signal: Signal, decision: Decision | None = None) -> None:
        if self.fault is not None:
            raise DeviceError(self.fault)
        self.shown.append((signal, decision))

    def stop(self) -> None:
        pass


class FakeContact:
    """An input line moved by hand."""

    def __init__(self, name: str, active: bool = False) -> None:
        self.name = name
        self._active = active
        self._say: ContactSays | None = None

    def start(self, say: ContactSays) -> None:
        self._say = say
        say(Contact(self.name, self._active))

    def stop(self) -> None:
        self._say = None

    def set(self, active: bool) -> None:
        """Move the line; an edge is told, a level that stays is not."""
        if active is not self._active:
            self._active = active
            if self._say is not None:
                self._say(Contact(self.name, active))
