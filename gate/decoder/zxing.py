"""zxing-cpp: by far the fastest engine, and the best single reader; it also says what it saw and could not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from gate.decoder.frame import CAMERA_EXTRA, Frame, load_library
from gate.decoder.symbols import Corners, Symbol, area_px2, largest_first


@dataclass(frozen=True, slots=True)
class Unread:
    """A symbol whose finder patterns were seen and whose content was not understood.

    `corners` from its top left one clockwise; `modules` along a side, 0 where not even that could be told.
    """

    corners: Corners
    modules: int

    @property
    def size_px2(self) -> int:
        return area_px2(self.corners)


class Sight(NamedTuple):
    """What one look at an image gave; unread symbols come largest first."""

    symbols: list[Symbol]
    unread: list[Unread]

    def enlarged(self, factor: int) -> Sight:
        """The same in an image `factor` times as wide and high."""
        return Sight(
            [Symbol(symbol.payload, symbol.size_px2 * factor * factor) for symbol in self.symbols],
            [Unread(tuple((factor * x, factor * y) for x, y in seen.corners), seen.modules) for seen in self.unread],
        )


class ZxingReader:
    """One look, by the average of each pixel's surroundings; `look` has other ways of telling light from dark."""

    def __init__(self) -> None:
        self._zxing = load_library("zxingcpp", CAMERA_EXTRA)

    def read(self, frame: Frame) -> list[Symbol]:
        return self.look(frame).symbols

    def look(self, frame: Frame, *, histogram: bool = False, downscale: bool = True) -> Sight:
        """Look once, light on dark as well as dark on light.

        Args:
            histogram: one threshold for the whole image: it reads blurred and evenly lit codes in whose place
                local averages see noise.
            downscale: look at a third of the size too, where the image is larger than 500 px.
        """
        zxing = self._zxing
        view = zxing.ImageView(frame.luma, frame.width, frame.height, zxing.ImageFormat.Lum, frame.stride, 1)
        results = zxing.read_barcodes(
            view, formats=zxing.BarcodeFormat.QRCodeModel2,
            binarizer=zxing.Binarizer.GlobalHistogram if histogram else zxing.Binarizer.LocalAverage,
            try_rotate=False,  # turns linear codes only; a QR is found at any angle
            try_downscale=downscale, try_invert=True, return_errors=True)
        symbols = [Symbol(result.bytes, area_px2(_corners(result))) for result in results if result.valid]
        unread = [Unread(_corners(result), _modules(result)) for result in results if not result.valid]
        return Sight(largest_first(symbols), sorted(unread, key=lambda seen: -seen.size_px2))


def _corners(result: Any) -> Corners:
    at = result.position
    return tuple((corner.x, corner.y) for corner in (at.top_left, at.top_right, at.bottom_right, at.bottom_left))


def _modules(result: Any) -> int:
    """ISO/IEC 18004 5.1: 21 modules in version 1, and four more in each further one."""
    version = (result.extra or {}).get("Version")
    return 17 + 4 * int(version) if version else 0
