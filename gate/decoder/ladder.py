"""More looks where one is not enough, each for a reason: what a gate's camera and `gate decode` read symbols with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gate.decoder.frame import AREA_MAX_PX2, CAMERA_EXTRA, SIDE_MAX_PX, Frame, frame_of, image_of, load_library
from gate.decoder.straight import flattened
from gate.decoder.symbols import Symbol, largest_first
from gate.decoder.zbar import ZbarReader
from gate.decoder.zxing import Sight, Unread, ZxingReader

SECOND_LOOK_EVERY = 8
"""One frame in so many in which nothing was seen is looked at once more."""
UNREAD_MAX = 4
"""Symbols of one frame that were seen and not read, and are looked at more closely: the largest."""
MARGIN_PX = 24
"""What is looked at around such a symbol: its quiet zone, and what its finder patterns left out."""
FLAT_MAX_PX2 = 120_000
"""Pixels of one frame's symbols that are laid flat: five ways for a pass of ours, one for the densest certificate."""
DOUBLE_MAX_PX2 = 2_100_000
"""Larger images (full HD) are not doubled: their modules are large enough, and it would take too long."""


class LadderReader:
    """zxing-cpp once. A symbol that it saw and could not read is looked at closely; an empty scene now and then.

    So an empty scene costs little more than zxing-cpp, and so does one that holds codes it can read.
    """

    def __init__(self) -> None:
        self._zxing = ZxingReader()
        self._empty_frames = 0

    def read(self, frame: Frame) -> list[Symbol]:
        sight = self._zxing.look(frame)
        if sight.symbols or sight.unread:
            self._empty_frames = 0
        else:
            sight = self._second_look(frame)
        return largest_first(sight.symbols + _closely(self._zxing, frame, sight.unread, FLAT_MAX_PX2))

    def _second_look(self, frame: Frame) -> Sight:
        """By the histogram: at half the size, in which print's dots and screens' grids melt into areas; or whole."""
        turn, wait = divmod(self._empty_frames, SECOND_LOOK_EVERY)
        self._empty_frames += 1
        if wait:
            return Sight([], [])
        if turn % 2:
            return self._zxing.look(frame, histogram=True, downscale=False)
        return self._zxing.look(frame_of(image_of(frame).reduce(2)), histogram=True, downscale=False).enlarged(2)


class ThoroughReader:
    """Every rung there is, for single images: where the ladder reads nothing, changed images of it, and zbar."""

    def __init__(self) -> None:
        self._zxing, self._zbar = ZxingReader(), ZbarReader()

    def read(self, frame: Frame) -> list[Symbol]:
        if symbols := LadderReader().read(frame):
            return symbols
        for image in _changed(image_of(frame)):
            changed = frame_of(image)
            for histogram in (True, False):
                sight = self._zxing.look(changed, histogram=histogram)
                if symbols := sight.symbols or _closely(self._zxing, changed, sight.unread, AREA_MAX_PX2):
                    shrunk = frame.width / image.width
                    return [replace(symbol, size_px2=round(symbol.size_px2 * shrunk ** 2)) for symbol in symbols]
        return self._zbar.read(frame)


def _changed(image: Any) -> Iterator[Any]:
    """The image as it is; smaller, so that print's dots and screens' grids melt into areas; larger; evenly lit."""
    filters, ops = load_library("PIL.ImageFilter", CAMERA_EXTRA), load_library("PIL.ImageOps", CAMERA_EXTRA)
    yield image
    yield image.reduce(2)
    yield image.reduce(4)
    if image.width * image.height <= DOUBLE_MAX_PX2 and 2 * max(image.size) <= SIDE_MAX_PX:
        yield image.resize((2 * image.width, 2 * image.height))
    yield ops.equalize(image)
    yield image.filter(filters.BoxBlur(1))


def _closely(zxing: ZxingReader, frame: Frame, unread: list[Unread], flat_max_px2: int) -> list[Symbol]:
    """What the unread symbols say: by the histogram of their own place, or laid flat one way or another."""
    found: list[Symbol] = []
    if not unread:
        return found
    image = image_of(frame)
    for seen in unread[:UNREAD_MAX]:
        symbols = _look(zxing, _around(image, seen))
        ways = flattened(image, seen.corners, seen.modules, flat_max_px2)
        while not symbols and (flat := next(ways, None)):
            flat_max_px2 -= flat.width * flat.height
            symbols = [replace(symbol, size_px2=seen.size_px2) for symbol in _look(zxing, flat)]
        found += symbols
    return found


def _look(zxing: ZxingReader, image: Any) -> list[Symbol]:
    return zxing.look(frame_of(image), histogram=True, downscale=False).symbols


def _around(image: Any, seen: Unread) -> Any:
    """The part of an image that holds a symbol and its surroundings."""
    xs, ys = zip(*seen.corners, strict=True)
    left, top = max(min(xs) - MARGIN_PX, 0), max(min(ys) - MARGIN_PX, 0)
    return image.crop((left, top, max(left + 1, min(max(xs) + MARGIN_PX, image.width)),
                       max(top + 1, min(max(ys) + MARGIN_PX, image.height))))
