"""The camera as the daemon knows it: a process of its own that is watched, and replaced when it stalls."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from gate import config
from gate.drivers.byte_reader import ByteReader
from gate.drivers.camera_link import RECONNECT_MAX_S, CameraLink, CameraStarter, connect_within
from gate.drivers.camera_wire import Alive, check_socket_path, decode
from gate.errors import DeviceError
from gate.model import Direction

Pixels = Annotated[int, Meta(ge=64, le=4096)]


class CameraSettings(config.Section, frozen=True, kw_only=True):
    """Which camera, and how its process is watched."""

    source: Annotated[str, Meta(pattern="^(picamera2(:[01])?|(v4l2|video|folder):.+)$")] = "picamera2"
    """`picamera2`, `picamera2:1` (the second), `v4l2:/dev/video0`, `video:FILE`, or `folder:DIR`."""
    engine: Literal["ladder", "zxing", "zbar"] = "ladder"
    """What finds the symbols; `ladder` is zxing, and closer looks where it sees more than it can read."""
    width: Pixels = 1280
    """Pixels across."""
    height: Pixels = 720
    """Pixels down."""
    fps: Annotated[int, Meta(ge=1, le=120)] = 15
    """Frames a second."""
    socket: Path | None = None
    """Where the unit `gate-camera` listens; left out, the daemon runs the camera's process itself."""
    stall_s: config.Seconds = 3.0
    """A camera without a new frame for so long is replaced."""
    repeat_s: config.Seconds = 3.0
    """A code is new again when it was out of view for so long."""
    hold_s: config.Seconds = 1.0
    """How long a folder shows each image."""


class CameraReader(ByteReader):
    """Offers every code that comes into view, of several the largest first.

    A process that shows no new frame for `stall_s`, ends, or sends anything but messages is hung up on, killed
    where it is ours (systemd's watchdog kills the other), and started again.
    """

    Settings = CameraSettings

    def __init__(self, name: str, direction: Direction, settings: CameraSettings) -> None:
        super().__init__(name, direction)
        if settings.socket is not None:
            check_socket_path(settings.socket)
        self._settings = settings
        self._starter = CameraStarter(options(settings))
        self._deadline_mono = 0.0
        self.camera_pid: int | None = None
        """The process in use, where the daemon runs its own."""

    @property
    def standby_pid(self) -> int | None:
        """The process that will be in use when that one dies."""
        return self._starter.standby_pid

    def open(self) -> CameraLink:
        settings = self._settings
        if settings.socket is not None:
            link = CameraLink(connect_within(RECONNECT_MAX_S, settings.socket, self._stopping_within))
        else:
            link = self._starter.start(self._stopping_within)
        self.camera_pid = link.pid
        self._deadline_mono = time.monotonic() + settings.stall_s
        return link

    def stop(self) -> None:
        super().stop()
        self._starter.close()

    def take(self, data: bytes, mono: float) -> None:
        if data:
            message = decode(data)
            if isinstance(message, Alive):
                self._deadline_mono = mono + self._settings.stall_s - message.frame_age_s
            else:
                self.offer(message.payload, mono, message.size_px2)
        if mono > self._deadline_mono:
            raise DeviceError(f"the camera showed no new frame for {self._settings.stall_s} s")

    def silence_s(self) -> float | None:
        return max(self._deadline_mono - time.monotonic(), 0)


def options(settings: CameraSettings) -> list[str]:
    """The command line of `gate camera` for these settings, without its socket."""
    return [
        "--source", settings.source, "--engine", settings.engine,
        "--width", str(settings.width), "--height", str(settings.height), "--fps", str(settings.fps),
        "--repeat-s", str(settings.repeat_s), "--hold-s", str(settings.hold_s),
    ]
