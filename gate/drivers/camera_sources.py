"""Where frames come from: the Pi's camera, a USB camera, a video file, or a folder that plays a camera.

A source is made without touching its device, but with its library loaded; `frames` opens the device, and may block for
ever on a broken camera.
It runs only in the camera process, which its daemon (or systemd) kills when frames stop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gate.decoder.frame import Frame, load_library
from gate.drivers.images import load_image
from gate.errors import DeviceError, UsageError

log = logging.getLogger(__name__)

VIDEO_EXTRA = "install the video extra: pip install 'gate[video]'"
LUMA_FIRST = frozenset((
    "gray", "nv12", "nv21", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p",
))
"""Pixel formats of FFmpeg whose first plane is the grey image already."""


@dataclass(frozen=True, slots=True)
class View:
    """What is asked of a camera; `hold_s` is how long a folder shows each image."""

    width: int = 1280
    height: int = 720
    fps: int = 15
    hold_s: float = 1.0


class Source(Protocol):
    """Gives frames one after another, as fast as they come."""

    def frames(self) -> Iterator[Frame]:
        """Every frame from now on.

        Raises:
            DeviceError: the device or file is not there, or has failed.
        """
        ...


def open_source(spec: str, view: View) -> Source:
    """The source that `spec` names: `picamera2`, `picamera2:1`, `v4l2:DEVICE`, `video:FILE` or `folder:DIR`.

    Raises:
        UsageError: `spec` has none of these forms.
    """
    kind, colon, place = spec.partition(":")
    match kind:
        case "picamera2" if place.isdecimal() or not colon:
            return Picamera2Source(int(place or 0), view)
        case "v4l2" if place:
            return V4l2Source(place, view)
        case "video" if place:
            return VideoSource(place)
        case "folder" if place:
            return FolderSource(place, view)
    raise UsageError(f"{spec!r} names no camera: write picamera2, v4l2:/dev/video0, video:FILE or folder:DIR")


class Picamera2Source:
    """A camera on the Pi's own connector; a Pi 5 has two, 0 and 1."""

    def __init__(self, number: int, view: View) -> None:
        self._library = load_library(
            "picamera2", "apt-get install python3-picamera2, and make the environment with --system-site-packages")
        self._number = number
        self._view = view

    def frames(self) -> Iterator[Frame]:
        size = (self._view.width, self._view.height)
        try:
            camera = self._library.Picamera2(self._number)
            camera.configure(camera.create_video_configuration(
                main={"format": "YUV420", "size": size}, controls={"FrameRate": self._view.fps}))
            if "AfMode" in camera.camera_controls:
                camera.set_controls({"AfMode": 2})  # libcamera's AfModeEnum.Continuous
            camera.start()
            width, height = camera.stream_configuration("main")["size"]
            stride = camera.stream_configuration("main")["stride"]
            while True:
                # Planar: the grey rows come first, the colours behind them are not looked at.
                yield Frame(memoryview(camera.capture_buffer("main")), width, height, stride)
        except (RuntimeError, IndexError, OSError) as error:  # IndexError: no such camera
            raise DeviceError(f"the Pi's camera: {error}; check its ribbon cable with rpicam-hello") from error


class V4l2Source:
    """A USB camera, or any other that Linux shows as a video device."""

    def __init__(self, device: str, view: View) -> None:
        self._av = load_library("av", VIDEO_EXTRA)
        self._device = device
        self._options = {"video_size": f"{view.width}x{view.height}", "framerate": str(view.fps)}

    def frames(self) -> Iterator[Frame]:
        try:
            with self._av.open(self._device, format="v4l2", options=self._options) as container:
                yield from map(_luma, container.decode(video=0))
        except (self._av.FFmpegError, OSError) as error:
            raise DeviceError(f"{error}; plug the camera in, and put this user into the group video") from error


class VideoSource:
    """A video file, at its own rate, over and over."""

    def __init__(self, file: str) -> None:
        self._av = load_library("av", VIDEO_EXTRA)
        self._file = file

    def frames(self) -> Iterator[Frame]:
        while True:
            yield from self._once()

    def _once(self) -> Iterator[Frame]:
        began_mono, shown = time.monotonic(), 0
        try:
            with self._av.open(self._file) as container:
                stream = container.streams.video[0]
                period_s = 1 / float(stream.average_rate or 25)
                for picture in container.decode(stream):
                    _sleep_until(began_mono + shown * period_s)
                    yield _luma(picture)
                    shown += 1
        except (self._av.FFmpegError, OSError, IndexError) as error:
            raise DeviceError(f"{error}; {self._file} must be a video that FFmpeg can read") from error
        if shown == 0:
            raise DeviceError(f"{self._file}: no frame in it")
        _sleep_until(began_mono + shown * period_s)


class FolderSource:
    """A folder as a camera: each image put into it is held before the lens once, for `hold_s`.

    Images that are there at the start are shown in the order of their names; between images the scene is
    empty. A file is shown again when it was written again. One that cannot be read yet (a copy under way)
    is tried again when it has grown.
    """

    def __init__(self, folder: str, view: View) -> None:
        self._folder = Path(folder)
        self._view = view
        self._known: dict[str, tuple[int, int]] = {}

    def frames(self) -> Iterator[Frame]:
        width, height = self._view.width, self._view.height
        empty = Frame(b"\x80" * (width * height), width, height, width)
        period_s = 1 / self._view.fps
        while True:
            image = self._next_image()
            until_mono = time.monotonic() + (period_s if image is None else self._view.hold_s)
            while time.monotonic() < until_mono:
                yield image or empty
                time.sleep(period_s)

    def _next_image(self) -> Frame | None:
        """The first image that was not shown as it is now."""
        try:
            files = sorted(file for file in self._folder.iterdir()
                           if not file.name.startswith(".") and file.is_file())
            states = {file.name: (file.stat().st_mtime_ns, file.stat().st_size) for file in files}
        except FileNotFoundError as error:
            if self._folder.is_dir():
                return None  # a file went away between the two looks
            raise DeviceError(f"there is no folder {self._folder}: make it, then put images into it") from error
        self._known = {name: state for name, state in self._known.items() if name in states}
        for file in files:
            if self._known.get(file.name) != states[file.name]:
                self._known[file.name] = states[file.name]
                try:
                    return load_image(file)
                except UsageError as error:
                    log.warning("passed over: %s", error)
        return None


def _luma(picture: Any) -> Frame:
    """The grey image of a frame that FFmpeg decoded, without a copy where it is there already."""
    if picture.format.name not in LUMA_FIRST:
        picture = picture.reformat(format="gray")
    plane = picture.planes[0]
    return Frame(memoryview(plane), picture.width, picture.height, plane.line_size)


def _sleep_until(mono: float) -> None:
    time.sleep(max(mono - time.monotonic(), 0))
