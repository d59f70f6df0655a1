"""Where time comes from: a protocol, the real clock with its trust, and one that tests turn by hand."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from gate.model import Now

BUILD_FLOOR = datetime(2026, 11, 1, tzinfo=UTC)
"""No trusted moment lies before this release was made."""

FLOOR_SLACK = timedelta(minutes=1)
"""A synchronised clock may be set by this much either way, and two threads may read it out of order."""

DRIFT_MAX = 0.001
"""How much faster or slower than monotonic time wall time may run; adjtimex(2) allows half of it."""

SHIFT_START = datetime(2026, 11, 22, 23, 55, tzinfo=UTC)
"""Monday 23 November 2026, 06:55 in Ho Chi Minh City: where tests and scenarios begin."""


class Clock(Protocol):
    """Gives the moment; nothing in the pure part reads time otherwise."""

    def now(self) -> Now:
        """The moment, with `trusted` false where wall time cannot be believed."""
        ...


def kernel_synchronised() -> bool:
    """Whether the kernel believes its own clock (adjtimex(2): TIME_ERROR is 5; STA_UNSYNC stands in it)."""
    if Path("/run/systemd/timesync/synchronized").exists():
        return True
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(256)  # struct timex with modes = 0 only reads
    return bool(libc.adjtimex(buffer) not in (-1, 5))


def always() -> bool:
    """For a clock that somebody vouches for: it counts as synchronised."""
    return True


def wall_time() -> datetime:
    """What the machine's clock says, right or wrong."""
    return datetime.now(UTC)


class SystemClock:
    """Wall and monotonic time; trusted when it is synchronised, not behind the floor, and has made no jump.

    The floor rises only from trusted time. A jump, away from where monotonic time says that wall time must be by
    now, is believed only from a clock that has become synchronised since: so one jump to 2038 bricks nothing, and
    costs nobody their validity. `synchronised` is asked at most once in `recheck_s` seconds; `wall` and `mono` are
    the machine's own two clocks.
    """

    def __init__(
        self, floor_at: datetime = BUILD_FLOOR, synchronised: Callable[[], bool] = kernel_synchronised,
        recheck_s: float = 10.0, wall: Callable[[], datetime] = wall_time, mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self.floor_at = max(floor_at, BUILD_FLOOR)
        self._synchronised = synchronised
        self._recheck_s = recheck_s
        self._wall, self._mono = wall, mono
        self._checked_mono = float("-inf")
        self._synced = False
        self._trusted_last: tuple[datetime, float] | None = None

    def now(self) -> Now:
        mono, utc = self._mono(), self._wall()
        if mono - self._checked_mono >= self._recheck_s:
            synced_before, self._synced = self._synced, self._synchronised()
            self._checked_mono = mono
            if not synced_before:
                self._trusted_last = None
        trusted = self._synced and utc >= self.floor_at - FLOOR_SLACK and not self._jumped(utc, mono)
        if trusted:
            self.floor_at = max(self.floor_at, utc)
            self._trusted_last = utc, mono
        return Now(utc, mono, trusted)

    def _jumped(self, utc: datetime, mono: float) -> bool:
        if self._trusted_last is None:
            return False
        last_utc, last_mono = self._trusted_last
        passed = timedelta(seconds=mono - last_mono)
        return abs(utc - last_utc - passed) > FLOOR_SLACK + DRIFT_MAX * passed


class ManualClock:
    """A clock that stands still until somebody moves it."""

    def __init__(self, utc: datetime = SHIFT_START, trusted: bool = True) -> None:
        self.utc = utc
        self.mono = 1000.0
        self.trusted = trusted

    def now(self) -> Now:
        return Now(self.utc, self.mono, self.trusted)

    def advance(self, seconds: float) -> None:
        """Move wall and monotonic time together."""
        self.utc += timedelta(seconds=seconds)
        self.mono += seconds
