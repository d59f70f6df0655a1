"""The camera's own process: the newest frame to symbols, symbols to the one daemon that is connected.

Hostile pixels meet C code here and nowhere else, with no network in reach. Two threads: the grabber, which may
block for ever in a camera's driver, and the main one, which never waits longer than a heartbeat.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread
from typing import NoReturn

from gate.decoder.frame import Frame
from gate.decoder.symbols import SymbolReader
from gate.drivers.camera_sources import Source
from gate.drivers.camera_wire import HEARTBEAT_S, MESSAGE_MAX_BYTES, Alive, Code, Message, check_socket_path, encode
from gate.drivers.repeat import RepeatFilter
from gate.errors import DeviceError, UsageError

CODES_MAX = 8
"""The most codes in one frame that are offered, the largest ones."""


class NewestFrame:
    """A buffer of one: a frame that comes before the last was taken replaces it."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: Frame | None = None
        self._error: Exception | None = None
        self._count = 0
        self._put_mono = time.monotonic()

    def put(self, frame: Frame) -> None:
        """Show `frame`; whoever waits in `take` gets it."""
        with self._changed:
            self._frame, self._count, self._put_mono = frame, self._count + 1, time.monotonic()
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """No frame will come any more."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def take(self, timeout_s: float | None) -> Frame | None:
        """The newest frame, once; None when none came within `timeout_s`. Raises what `fail` was given."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._error is not None, timeout_s)
            if self._error is not None:
                raise self._error
            frame, self._frame = self._frame, None
            return frame

    def state(self) -> Alive:
        """How many frames came, and the age of the newest (of this buffer, before the first)."""
        with self._changed:
            return Alive(frames=self._count, frame_age_s=time.monotonic() - self._put_mono)


class CameraProcess:
    """Joins a source, a symbol reader and a socket; `run` is the process's whole life.

    `on_heartbeat` hears every heartbeat, whether or not a daemon is connected (for systemd's watchdog); `confine` is
    called once, when the camera is open and before a frame of it is read.
    """

    def __init__(
        self, source: Source, reader: SymbolReader, socket_path: Path, repeat_s: float,
        on_heartbeat: Callable[[Alive], None], *, confine: Callable[[], None],
    ) -> None:
        check_socket_path(socket_path)
        self._source = source
        self._reader = reader
        self._socket_path = socket_path
        self._repeats = RepeatFilter(repeat_s)
        self._on_heartbeat = on_heartbeat
        self._confine = confine
        self._newest = NewestFrame()
        self._daemon: socket.socket | None = None

    def run(self) -> NoReturn:
        """Serve until killed. The socket appears with the first frame, so that who can connect has a camera.

        Raises:
            DeviceError: the source failed or ended.
        """
        Thread(target=self._grab, name="grabber", daemon=True).start()
        frame = self._newest.take(timeout_s=None)
        self._confine()
        beat_mono = time.monotonic()
        with listen(self._socket_path) as listener:
            while True:
                self._accept(listener)
                if frame is not None and self._daemon is not None:
                    self._report(frame)
                if time.monotonic() >= beat_mono:
                    beat_mono = time.monotonic() + HEARTBEAT_S
                    alive = self._newest.state()
                    self._send(alive)
                    self._on_heartbeat(alive)
                frame = self._newest.take(timeout_s=max(beat_mono - time.monotonic(), 0))

    def _grab(self) -> None:
        try:
            for frame in self._source.frames():
                self._newest.put(frame)
            self._newest.fail(DeviceError("the camera's source ended"))
        except Exception as error:  # the main thread raises it, which ends the process
            self._newest.fail(error)

    def _accept(self, listener: socket.socket) -> None:
        """Take a daemon that knocks; it replaces the one before, which it must have outlived."""
        try:
            daemon, _ = listener.accept()
        except BlockingIOError:
            return
        daemon.setblocking(False)
        self._hang_up()
        self._daemon = daemon

    def _report(self, frame: Frame) -> None:
        now_mono = time.monotonic()
        for symbol in self._reader.read(frame)[:CODES_MAX]:
            if self._repeats.is_new(symbol.payload, now_mono):
                self._send(Code(payload=symbol.payload, size_px2=symbol.size_px2))

    def _send(self, message: Message) -> None:
        """Send without waiting; a daemon that is gone, or does not read for minutes, is hung up on."""
        packet = encode(message)
        if self._daemon is None or len(packet) > MESSAGE_MAX_BYTES:
            return
        try:
            self._daemon.send(packet)
        except OSError:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, for this user and this group only; takes the place of a stale one.

    The group is for systemd's unit, in which the daemon is another user.

    Raises:
        UsageError: something else is at `path`, or its folder is not there.
    """
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise UsageError(f"{path} is there and is not a socket: give --socket another path")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise UsageError(f"no socket can be made at {path}: {error.strerror}") from error
    path.chmod(0o660)  # before listen, until which nobody can connect
    listener.listen()
    listener.setblocking(False)
    return listener
