"""The limit on a release that lives outside the daemon: what the barrier tells `gate.drivers.release_guardian`.

A thread of the daemon ends a pulse, and `systemd` runs `gate outputs safe` when the daemon is dead; but a process that
is stopped or swapped out ends nothing, and starting a program takes a Pi about a second. So a small process waits,
loaded: when the daemon has ended it claims the lines, and when a release outlasts its end by GRACE_S it kills the
daemon first.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any

import msgspec

from gate import config
from gate.model import Fault

GRACE_S = 2.0
"""How much later than its end a release may be locked before its process counts as hung."""
RESTART_AFTER_S = 1.0
BYE = math.inf
"""What the barrier says last of all, when everything is locked in order."""
SYSTEMD_ONLY = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""What systemd gave the daemon for its own watchdog is not the child's to use."""


class Order(msgspec.Struct, frozen=True):
    """The first line that the guardian reads: whose pins they are."""

    pins: config.Pins
    barrier: Any


class ReleaseGuard:
    """Starts the guardian, tells it of each release, and starts it again should it die.

    `say` hears a Fault while there is no guardian; the gate goes on, as `gate outputs safe` still stands behind it.
    """

    def __init__(self, pins: config.Pins, barrier: config.Section, say: Callable[[Fault], None]) -> None:
        self._order = msgspec.json.encode(Order(pins, barrier), enc_hook=str) + b"\n"
        self._say = say
        self._stopping = Event()
        self._telling = Lock()
        self._pipe = -1
        self._until_mono = 0.0
        self._thread = Thread(target=self._keep, name="release-guard", daemon=True)

    def start(self) -> None:
        """Start the guardian; it loads while the daemon does, and locks as well when that ends meanwhile."""
        self._thread.start()

    def released_until(self, until_mono: float) -> None:
        """Tell the guardian: called before a pin moves, and with 0 once all is locked.

        Never waits: a guardian that is gone or does not read is missed, not waited for.
        """
        with self._telling, suppress(OSError):
            self._until_mono = until_mono
            os.write(self._pipe, b"%f\n" % until_mono)

    def stop(self) -> None:
        """Say that all is locked; the guardian ends."""
        self._stopping.set()
        self.released_until(BYE)
        if self._thread.ident is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                ended = f"ended with {self._watch_one()}"
            except OSError as error:
                ended = str(error)
            if not self._stopping.is_set():
                self._say(Fault("release-guard", f"nothing locks the barrier should this process die: {ended}"))
                self._stopping.wait(RESTART_AFTER_S)

    def _watch_one(self) -> int:
        """Stay with one guardian until it ends; its exit code."""
        with self._spawn() as child:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(self._order)
            child.stdin.flush()
            os.set_blocking(child.stdin.fileno(), False)
            with self._telling:
                self._pipe = child.stdin.fileno()
                os.write(self._pipe, b"%f\n" % self._until_mono)  # what was said while none listened
            if child.stdout.read(1):
                self._say(Fault("release-guard", None))
            try:
                return child.wait()
            finally:
                with self._telling:
                    self._pipe = -1

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name not in SYSTEMD_ONLY}
        return subprocess.Popen(
            [sys.executable, "-m", "gate.drivers.release_guardian", str(os.getpid())],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True)  # neither Ctrl-C nor a hang-up is for the guardian
