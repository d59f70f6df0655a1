"""A barrier behind one or two relays: a pulse unlocks, and a thread of its own locks again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from gate import config
from gate.drivers.pins import BcmPin, open_output, pin_faults
from gate.drivers.release import Release
from gate.errors import DeviceError
from gate.model import Direction

if TYPE_CHECKING:
    from gpiozero import Factory, OutputDevice

RETRY_S = 0.1
"""How soon a pin that would not be secured is tried again."""


class RelaySettings(config.Section, frozen=True, kw_only=True):
    """Which relays, which way they switch, and when they are cut off."""

    entry_pin: BcmPin
    exit_pin: BcmPin | None = None
    """None: one relay releases both directions."""
    active_high: bool = True
    """False for the many boards whose relay pulls in when the pin goes low."""
    lock: Literal["fail_secure", "fail_safe"] = "fail_secure"
    """fail_secure: relay on = released; fail_safe (a magnet): relay off = released, as without power."""
    max_on_s: Annotated[float, Meta(gt=0, le=60)] = 5.0


@dataclass(eq=False)
class _Lock:
    """One relay, whose device is on while released."""

    role: str
    pin: int
    device: OutputDevice
    release: Release

    def unlock(self) -> None:
        with pin_faults(self.role, self.pin):
            self.device.on()

    def secure(self) -> None:
        """Lock; the release ends only when the pin has taken it, so a failed write stays due."""
        with pin_faults(self.role, self.pin):
            self.device.off()
        self.release.end()


class RelayBarrier:
    """Releases and secures; each release has its end before the pin moves (law 5).

    The bounds: a pulse ends after `pulse_s`, any release without a renewed lease after `max_on_s`. Both are
    kept by this object's thread, so they hold while the main thread hangs. When the whole process hangs or dies a
    line keeps its level: hence `tell`, which hears before a release until when it lasts, and 0 once all is locked.
    """

    Settings = RelaySettings

    def __init__(self, settings: RelaySettings, pins: Factory) -> None:
        self._settings = settings
        self._pins = pins
        self._changed = Condition()
        self._locks: dict[Direction, _Lock] = {}
        self._timer: Thread | None = None
        self.tell: Callable[[float], None] = lambda until_mono: None

    def start(self) -> None:
        """Claim the lines, locked from the first moment.

        Raises:
            DeviceError: a line cannot be had; none is kept.
        """
        with self._changed:
            if self._timer is not None:
                return
            self._locks = self._open()
            self._timer = Thread(target=self._end_releases, name="relay", daemon=True)
            self._timer.start()

    def release(self, direction: Direction, pulse_s: float) -> None:
        with self._changed:
            for lock in self._ready(direction):
                lock.release.pulse(time.monotonic(), pulse_s)
                self._unlock(lock)

    def hold(self, lease_s: float, direction: Direction | None = None) -> None:
        with self._changed:
            for lock in self._ready(direction):
                lock.release.lease(time.monotonic(), lease_s)
                self._unlock(lock)

    def secure(self) -> None:
        """Lock every direction now.

        Raises:
            DeviceError: a pin would not go; it is tried again every RETRY_S, and `released` says so meanwhile.
        """
        with self._changed:
            fault = self._secure(self._distinct())
            self._changed.notify()
        if fault is not None:
            raise fault

    def stop(self) -> None:
        with self._changed:
            timer, self._timer = self._timer, None
            locks = self._distinct()
            self._secure(locks)
            self._locks = {}
            self._changed.notify()
        if timer is not None:
            timer.join()
        for lock in locks:
            with suppress(Exception):  # it is as safe as it can be made, and stopping goes on
                lock.device.close()

    def released(self) -> bool:
        """Whether any direction is released, or could not be secured."""
        with self._changed:
            return any(lock.release.until_mono is not None for lock in self._distinct())

    def _open(self) -> dict[Direction, _Lock]:
        settings = self._settings
        roles = {"barrier": settings.entry_pin} if settings.exit_pin is None else {
            "barrier entry": settings.entry_pin, "barrier exit": settings.exit_pin
        }
        released_high = settings.active_high == (settings.lock == "fail_secure")
        with ExitStack() as undo:
            locks = [
                _Lock(role, pin, undo.enter_context(open_output(role, pin, released_high, self._pins)),
                      Release(settings.max_on_s))
                for role, pin in roles.items()
            ]
            undo.pop_all()
        return {Direction.ENTRY: locks[0], Direction.EXIT: locks[-1]}

    def _distinct(self) -> list[_Lock]:
        return list(dict.fromkeys(self._locks.values()))

    def _ready(self, direction: Direction | None) -> list[_Lock]:
        """The locks of that direction (None: all), with nothing overdue on them."""
        locks = self._distinct() if direction is None else [self._locks[d] for d in self._locks if d is direction]
        if not locks:
            raise DeviceError("the barrier is not started")
        for lock in locks:
            if lock.release.due(time.monotonic()):
                lock.secure()
        return locks

    def _unlock(self, lock: _Lock) -> None:
        self._tell()
        try:
            lock.unlock()
        except DeviceError:
            self._secure(self._distinct())
            raise
        finally:
            self._changed.notify()  # after the pin: the thread that it wakes would only stand in the way

    def _secure(self, locks: Iterable[_Lock]) -> DeviceError | None:
        """Try to lock each of them; one that fails is due again at once. Returns the first failure."""
        first: DeviceError | None = None
        locks = list(locks)
        for lock in locks:
            try:
                lock.secure()
            except DeviceError as error:
                lock.release.until_mono = time.monotonic()
                first = first or error
        if locks:
            self._tell()
        return first

    def _tell(self) -> None:
        self.tell(max((lock.release.until_mono or 0.0 for lock in self._distinct()), default=0.0))

    def _end_releases(self) -> None:
        with self._changed:
            while self._timer is not None:
                now = time.monotonic()
                fault = self._secure(lock for lock in self._distinct() if lock.release.due(now))
                ends = [lock.release.until_mono for lock in self._distinct() if lock.release.until_mono is not None]
                until_next_s = max(min(ends) - now, 0.0) if ends else None
                self._changed.wait(until_next_s if fault is None else RETRY_S)
