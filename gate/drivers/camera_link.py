"""The daemon's end of the camera's socket, and the child process behind it where it runs its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from gate.drivers.camera_wire import MESSAGE_MAX_BYTES
from gate.errors import DeviceError

START_MAX_S = 20.0
"""How long a camera may take from its process's start to the first frame."""
CONNECT_EVERY_S = 0.05
KILL_MAX_S = 2.0
"""How long a killed process may take to end; one that is stuck in a driver is left behind."""


class CameraLink:
    """A connection to a camera process (a `ByteSource` of packets); closing it also ends a child of ours."""

    def __init__(
        self, connection: socket.socket, pid: int | None = None, close_also: ExitStack | None = None,
    ) -> None:
        self._connection = connection
        self._close_also = close_also
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
        if self._close_also is not None:
            self._close_also.close()


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


def start_camera(options: Sequence[str], stopping_within: Callable[[float], bool]) -> CameraLink:
    """Start `gate camera` with `options`, and connect once it has its first frame.

    `stopping_within(seconds)` waits so long, and is true when the wait is not worth going on.

    Raises:
        DeviceError: the process ended, or showed no frame within `START_MAX_S`.
    """
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="gate-camera-")), "socket")
        child = _spawn(("--socket", os.fspath(path), *options))
        stack.callback(_end, child)
        until_mono = time.monotonic() + START_MAX_S
        while not stopping_within(CONNECT_EVERY_S):
            with suppress(FileNotFoundError, ConnectionRefusedError):
                connection = connect(path)
                return CameraLink(connection, child.pid, stack.pop_all())
            if child.poll() is not None:
                raise DeviceError(f"the camera process ended at its start (exit code {child.returncode})")
            if time.monotonic() > until_mono:
                raise DeviceError(f"the camera showed no frame within {START_MAX_S:.0f} s")
    raise DeviceError("stopped while the camera was starting")


def _spawn(options: Sequence[str]) -> subprocess.Popen[bytes]:
    # What systemd gave the daemon for its own watchdog is not the child's to use.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")}
    return subprocess.Popen(
        [sys.executable, "-m", "gate", "camera", "--parent", str(os.getpid()), *options],
        env=environment, stdin=subprocess.DEVNULL,
        start_new_session=True)  # Ctrl-C in a terminal is for the daemon, which stops its parts in order


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill at once: a camera's own way to stop can block for ever."""
    child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(KILL_MAX_S)
