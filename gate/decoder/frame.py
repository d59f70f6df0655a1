"""A grey image in memory: what every source of pixels gives and every symbol engine takes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from gate.errors import DeviceError, UsageError

CAMERA_EXTRA = "install the camera extra: pip install 'gate[camera]'"
SIDE_MAX_PX = 8192
"""The widest and the highest image that any engine is shown."""
AREA_MAX_PX2 = 25_000_000
"""The largest area: a photograph of a telephone fits, and a gate with 512 MB of memory can hold it."""
IMAGE_MAX_BYTES = 32 * 1024 * 1024
"""The largest image file that is opened."""
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "PPM")


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
        if self.stride < self.width or len(self.luma) < self.stride * (self.height - 1) + self.width:
            raise UsageError(f"{len(self.luma)} bytes are too few for {self.width} x {self.height} px "
                             f"in rows of {self.stride} bytes")

    def packed(self) -> bytes:
        """The pixels without the padding at the end of each row."""
        if self.stride == self.width:
            return bytes(self.luma[:self.width * self.height])
        starts = range(0, self.stride * self.height, self.stride)
        return b"".join(self.luma[start:start + self.width] for start in starts)


def load_image(path: str | Path) -> Frame:
    """An image file as a grey frame; what is transparent in it is white, as on paper.

    Raises:
        UsageError: there is no such file, it is no image in one of `IMAGE_FORMATS`, or it is larger than
            `IMAGE_MAX_BYTES`, `SIDE_MAX_PX` or `AREA_MAX_PX2`.
    """
    images = load_library("PIL.Image", CAMERA_EXTRA)
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"{file.name!r} is not there, or is not a file")
    if file.stat().st_size > IMAGE_MAX_BYTES:
        raise UsageError(f"{file.name!r} has {file.stat().st_size} bytes: an image may have {IMAGE_MAX_BYTES}")
    try:
        with warnings.catch_warnings(action="ignore"), images.open(file, formats=IMAGE_FORMATS) as image:
            width, height = image.size
            check_size(width, height)  # before any pixel is unpacked
            luma = _flattened(image).tobytes()
    except UsageError:
        raise
    except (OSError, SyntaxError, ValueError, images.DecompressionBombError) as error:  # as Pillow raises them
        raise UsageError(f"{file.name!r} is not an image that can be read: {error}; "
                         f"{', '.join(IMAGE_FORMATS)} can") from error
    return Frame(luma, width, height, width)


def check_size(width: int, height: int) -> None:
    """Refuse an image that no engine should be shown.

    Raises:
        UsageError: a side is not within 1 to `SIDE_MAX_PX`, or the area is above `AREA_MAX_PX2`.
    """
    if not (1 <= width <= SIDE_MAX_PX and 1 <= height <= SIDE_MAX_PX and width * height <= AREA_MAX_PX2):
        raise UsageError(f"an image of {width} x {height} px: each side may be 1 to {SIDE_MAX_PX} px, "
                         f"and the whole {AREA_MAX_PX2} px")


def _flattened(image: Any) -> Any:
    """A Pillow image in grey, on white paper."""
    if image.has_transparency_data:
        images = load_library("PIL.Image", CAMERA_EXTRA)
        paper = images.new("RGBA", image.size, "white")
        return images.alpha_composite(paper, image.convert("RGBA")).convert("L")
    return image.convert("L")


def load_library(module: str, remedy: str) -> Any:
    """A library that only reading pixels needs, imported when it is used.

    Raises:
        DeviceError: it is not installed; says the `remedy`.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise DeviceError(f"reading symbols needs {module} ({error}); {remedy}") from error
