"""Image files: as a frame for the folder camera, and as symbols for `gate decode` and `gate decide`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from gate.decoder.frame import CAMERA_EXTRA, Frame, check_size, load_library
from gate.decoder.ladder import ThoroughReader
from gate.decoder.symbols import Symbol
from gate.errors import UsageError

IMAGE_MAX_BYTES = 32 * 1024 * 1024
"""The largest image file that is opened."""
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "PPM")


def read_image(path: str | Path) -> list[Symbol]:
    """Every symbol in an image file, by the whole ladder, largest first.

    Raises:
        UsageError: not an image file within the limits (`load_image`).
    """
    return ThoroughReader().read(load_image(path))


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
    except UsageError as error:
        raise UsageError(f"{file.name!r}: {error}") from error
    except (OSError, SyntaxError, ValueError, images.DecompressionBombError) as error:  # as Pillow raises them
        raise UsageError(f"{file.name!r} is damaged, or not an image of these kinds: {', '.join(IMAGE_FORMATS)}"
                         ) from error
    return Frame(luma, width, height, width)


def _flattened(image: Any) -> Any:
    """A Pillow image in grey, on white paper."""
    if image.has_transparency_data:
        images = load_library("PIL.Image", CAMERA_EXTRA)
        paper = images.new("RGBA", image.size, "white")
        return images.alpha_composite(paper, image.convert("RGBA")).convert("L")
    return image.convert("L")
