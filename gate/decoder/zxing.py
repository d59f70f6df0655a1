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

    def is_within(self, other: Unread) -> bool:
        """Whether the middle of this one lies inside the other's bounds."""
        axes = zip(zip(*self.corners, strict=True), zip(*other.corners, strict=True), strict=True)
        return all(min(bounds) <= sum(own) / 4 <= max(bounds) for own, bounds in axes)


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
        self._options = {
            "formats": self._zxing.BarcodeFormat.QRCodeModel2,
            "try_rotate": False,  # turns linear codes only; a QR is found at any angle
        }

    def read(self, frame: Frame) -> list[Symbol]:
        return self.look(frame).symbols

    def look(self, frame: Frame, *, histogram: bool = False, downscale: bool = True) -> Sight:
        """Look once, light on dark as well as dark on light.

        Args:
            histogram: one threshold for the whole image: it reads blurred and evenly lit codes in whose place
                local averages see noise.
            downscale: look at a third of the size too, where the image is larger than 500 px.
        """
        binarizers = self._zxing.Binarizer
        results = self._zxing.read_barcodes(
            self._view(frame), **self._options, try_downscale=downscale, try_invert=True, return_errors=True,
            binarizer=binarizers.GlobalHistogram if histogram else binarizers.LocalAverage)
        symbols = [Symbol(result.bytes, area_px2(_corners(result))) for result in results if result.valid]
        unread = [Unread(_corners(result), _modules(result)) for result in results if not result.valid]
        return Sight(largest_first(symbols), _apart(unread))

    def read_one(self, frame: Frame) -> Symbol | None:
        """The first symbol found by the histogram, dark on light, for a view in which only one can be."""
        result = self._zxing.read_barcode(
            self._view(frame), **self._options, try_downscale=False, try_invert=False,
            binarizer=self._zxing.Binarizer.GlobalHistogram)
        return Symbol(result.bytes, area_px2(_corners(result))) if result else None

    def read_aztec(self, frame: Frame) -> list[Symbol]:
        """Aztec codes (ISO/IEC 24778), which some countries print in place of QR: for single images only."""
        results = self._zxing.read_barcodes(
            self._view(frame), formats=self._zxing.BarcodeFormat.Aztec, try_invert=True, try_rotate=False)
        return largest_first(Symbol(result.bytes, area_px2(_corners(result))) for result in results)

    def _view(self, frame: Frame) -> Any:
        return self._zxing.ImageView(
            frame.luma, frame.width, frame.height, self._zxing.ImageFormat.Lum, frame.stride, 1)


def _apart(unread: list[Unread]) -> list[Unread]:
    """Each place once, largest first: a symbol is seen in the image and again in its smaller copy."""
    places: list[Unread] = []
    for seen in sorted(unread, key=lambda seen: -seen.size_px2):
        if seen.size_px2 and not any(seen.is_within(place) for place in places):
            places.append(seen)
    return places


def _corners(result: Any) -> Corners:
    at = result.position
    return tuple((corner.x, corner.y) for corner in (at.top_left, at.top_right, at.bottom_right, at.bottom_left))


def _modules(result: Any) -> int:
    """ISO/IEC 18004 5.1: 21 modules in version 1, and four more in each further one."""
    version = str((result.extra or {}).get("Version"))  # "M4" in a Micro QR that was seen as well
    return 17 + 4 * int(version) if version.isdecimal() else 0
