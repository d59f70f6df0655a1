"""The daemon's end of the camera's socket, and the child process behind it where it runs its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from gate.drivers.camera_wire import MESSAGE_MAX_BYTES
from gate.errors import DeviceError

START_MAX_S = 20.0
"""How long a camera may take from the word to open to the first frame."""
RECONNECT_MAX_S = 2.0
"""How long a unit that systemd starts again is waited for at a stretch."""
CONNECT_EVERY_S = 0.01
KILL_MAX_S = 2.0
"""How long a killed process may take to end; one that is stuck in a driver is left behind."""


class CameraLink:
    """A connection to a camera process (a `ByteSource` of packets); closing it also ends a child of ours."""

    def __init__(
        self, connection: socket.socket, pid: int | None = None, process: _Child | None = None,
    ) -> None:
        self._connection = connection
        self._process = process
        self.pid = pid

    def fileno(self) -> int:
        return self._connection.fileno()

    def read(self) -> bytes:
        """One packet; a too long one comes with one byte more than is allowed."""
        packet = self._connection.recv(MESSAGE_MAX_BYTES + 1)
        if not packet:
            raise DeviceError("the camera process ended")
        return packet

    def close(self) -> None:
        self._connection.close()
        if self._process is not None:
            self._process.close()


def connect(path: Path) -> socket.socket:
    """A connection to the process that listens at `path`.

    Raises:
        OSError: nobody does.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(os.fspath(path))
    except OSError:
        connection.close()
        raise
    return connection


class CameraStarter:
    """Starts `gate camera` with these options; one more has loaded everything and waits for the first to die."""

    def __init__(self, options: Sequence[str]) -> None:
        self._options = options
        self._standby: _Child | None = None

    def start(self, stopping_within: Callable[[float], bool]) -> CameraLink:
        """Let a process open the camera, and connect once it has its first frame.

        `stopping_within(seconds)` waits so long, and is true when the wait is not worth going on.

        Raises:
            DeviceError: the process ended, or showed no frame within `START_MAX_S`.
        """
        child, self._standby = self._standby, None
        if child is None or not child.open_camera():
            child = _Child(self._options)
            child.open_camera()
        try:
            connection = connect_within(START_MAX_S, child.socket, stopping_within, child.check)
        except BaseException:
            child.close()
            raise
        self._standby = _Child(self._options)
        return CameraLink(connection, child.pid, child)

    @property
    def standby_pid(self) -> int | None:
        """The process that waits, where there is one."""
        return None if self._standby is None else self._standby.pid

    def close(self) -> None:
        """End the one that waits."""
        if self._standby is not None:
            self._standby.close()
            self._standby = None


class _Child:
    """A camera process, on standby until it is told to open the camera; closing it kills it."""

    def __init__(self, options: Sequence[str]) -> None:
        self._folder = TemporaryDirectory(prefix="gate-camera-")
        self.socket = Path(self._folder.name, "socket")
        self._process = _spawn(("--socket", os.fspath(self.socket), "--standby", *options))
        self.pid = self._process.pid

    def open_camera(self) -> bool:
        """Tell it to; false when it died on standby, in which case it is closed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"\n")
            self._process.stdin.close()
        except BrokenPipeError:
            self.close()
            return False
        return True

    def check(self) -> None:
        """Raises DeviceError when it has ended."""
        if self._process.poll() is not None:
            raise DeviceError(f"the camera process ended at its start (exit code {self._process.returncode})")

    def close(self) -> None:
        """Kill at once: a camera's own way to stop can block for ever."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_MAX_S)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._folder.cleanup()


def connect_within(
    seconds: float, path: Path, stopping_within: Callable[[float], bool], check: Callable[[], None] = lambda: None,
) -> socket.socket:
    """A connection to the process that is about to listen at `path`, as soon as it does.

    Raises:
        DeviceError: nobody did within `seconds`, or the wait was not worth going on; or `check` raised it.
    """
    until_mono = time.monotonic() + seconds
    while not stopping_within(CONNECT_EVERY_S):
        with suppress(FileNotFoundError, ConnectionRefusedError):
            return connect(path)
        check()
        if time.monotonic() > until_mono:
            raise DeviceError(f"the camera showed no frame within {seconds:.0f} s")
    raise DeviceError("stopped while the camera was starting")


def _spawn(options: Sequence[str]) -> subprocess.Popen[bytes]:
    # What systemd gave the daemon for its own watchdog is not the child's to use.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")}
    return subprocess.Popen(
        [sys.executable, "-m", "gate", "camera", "--parent", str(os.getpid()), *options],
        env=environment, stdin=subprocess.PIPE, bufsize=0,
        start_new_session=True)  # Ctrl-C in a terminal is for the daemon, which stops its parts in order

