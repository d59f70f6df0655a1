"""A grey image in memory: what every source of pixels gives and every symbol engine takes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from gate.errors import DeviceError, UsageError

CAMERA_EXTRA = "install the camera extra: pip install 'gate[camera]'"
SIDE_MAX_PX = 8192
"""The widest and the highest image that any engine is shown."""
AREA_MAX_PX2 = 25_000_000
"""The largest area: a photograph of a telephone fits, and a gate with 512 MB of memory can hold it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A grey image: `luma` holds `height` rows, `stride` bytes apart, of `width` bytes (0 black, 255 white).

    Raises:
        UsageError: the size is out of bounds (`check_size`), or `luma` is too short for its rows.
    """

    luma: bytes | memoryview
    width: int
    height: int
    stride: int

    def __post_init__(self) -> None:
        check_size(self.width, self.height)
        if self.stride < self.width or len(self.luma) < self.stride * self.height:
            raise UsageError(f"{len(self.luma)} bytes are too few for {self.width} x {self.height} px "
                             f"in rows of {self.stride} bytes")

    def packed(self) -> bytes:
        """The pixels without the padding at the end of each row."""
        if self.stride == self.width:
            return bytes(self.luma[:self.width * self.height])
        starts = range(0, self.stride * self.height, self.stride)
        return b"".join(self.luma[start:start + self.width] for start in starts)


def check_size(width: int, height: int) -> None:
    """Refuse an image that no engine should be shown.

    Raises:
        UsageError: a side is not within 1 to `SIDE_MAX_PX`, or the area is above `AREA_MAX_PX2`.
    """
    if not (1 <= width <= SIDE_MAX_PX and 1 <= height <= SIDE_MAX_PX and width * height <= AREA_MAX_PX2):
        raise UsageError(f"an image of {width} x {height} px: each side may be 1 to {SIDE_MAX_PX} px, "
                         f"and the whole {AREA_MAX_PX2} px")


def image_of(frame: Frame) -> Any:
    """The frame as a grey Pillow image, without a copy."""
    images = load_library("PIL.Image", CAMERA_EXTRA)
    return images.frombuffer("L", (frame.width, frame.height), frame.luma, "raw", "L", frame.stride, 1)


def frame_of(image: Any) -> Frame:
    """A grey Pillow image as a frame."""
    return Frame(image.tobytes(), image.width, image.height, image.width)


def load_library(module: str, remedy: str) -> Any:
    """A library that only reading pixels needs, imported when it is used.

    Raises:
        DeviceError: it is not installed; says the `remedy`.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise DeviceError(f"reading symbols needs {module} ({error}); {remedy}") from error
