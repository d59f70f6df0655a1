"""systemd's watchdog: petted only while the loop and every part that `app` names have shown that they run."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from gate.model import Now

STALE_S = 20.0
"""A part that has not shown itself for this long is taken for stuck."""


def notify(text: str) -> None:
    """Tell systemd one line (sd_notify(3)); it never waits, and is lost where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as channel:
        # A leading @ names the abstract namespace.
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(text.encode())


def watchdog_interval_s() -> float | None:
    """A third of WatchdogSec as the unit really set it, or None without a watchdog."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    return int(usec) / 3_000_000 if usec.isdigit() else None


class Watchdog:
    """Pets once per interval; `alive` gives, for each part by name, the monotonic second it last ran.

    A part in `tolerated` counts as missing but does not stop the petting: a stalled disk denies entry and lets people
    out, and a restart would only wait for the same disk.
    """

    def __init__(
        self, alive: Mapping[str, Callable[[], float]], interval_s: float | None,
        send: Callable[[str], None] = notify, stale_s: float = STALE_S, tolerated: Collection[str] = (),
    ) -> None:
        self._alive = alive
        self._tolerated = frozenset(tolerated)
        self._interval_s = interval_s
        self._send = send
        self._stale_s = stale_s
        self._petted_mono = float("-inf")

    def stuck(self, now: Now) -> list[str]:
        """The parts that have been silent too long."""
        return [name for name, alive in self._alive.items() if now.mono - alive() > self._stale_s]

    def pet(self, now: Now) -> None:
        """One turn of the loop: tell systemd that all is well, unless some part is stuck."""
        if self._interval_s is None or now.mono - self._petted_mono < self._interval_s:
            return
        if self._tolerated.issuperset(self.stuck(now)):
            self._petted_mono = now.mono
            self._send("WATCHDOG=1")
