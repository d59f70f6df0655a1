"""More looks where one is not enough, each for a reason: what a gate's camera and `gate decode` read symbols with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from gate.decoder.frame import CAMERA_EXTRA, SIDE_MAX_PX, Frame, frame_of, image_of, load_library
from gate.decoder.straight import BULGES, Bulge, flat_px2, flattened
from gate.decoder.symbols import Symbol, largest_first
from gate.decoder.zbar import ZbarReader
from gate.decoder.zxing import Sight, Unread, ZxingReader

SECOND_LOOK_EVERY = 16
"""One frame in so many in which nothing was seen is looked at once more."""
UNREAD_MAX = 4
"""Symbols of one frame that were seen and not read, and are looked at more closely: the largest."""
MARGIN_PX = 24
"""What is looked at around such a symbol: its quiet zone, and what its finder patterns left out."""
FLAT_PX2 = 70_000
"""Pixels that are laid flat for one frame: a small symbol three ways; any one way."""
DOUBLE_MAX_PX2 = 2_100_000
"""Larger images (full HD) are not doubled: their modules are large enough, and it would take too long."""


class LadderReader:
    """zxing-cpp once. A symbol that it saw and could not read is looked at closely; an empty scene now and then.

    So an empty scene costs little more than zxing-cpp, and so does one that holds codes it can read. What there is to
    try for one frame is more than there is time for: frames take turns.
    """

    def __init__(self) -> None:
        self._zxing = ZxingReader()
        self._empty_frames = 0
        self._flat_turns = 0

    def read(self, frame: Frame) -> list[Symbol]:
        sight = self._zxing.look(frame)
        if sight.symbols or sight.unread:
            self._empty_frames = 0
        else:
            sight = self._second_look(frame)
        return largest_first(sight.symbols + self._closely(frame, sight.unread)) if sight.unread else sight.symbols

    def _second_look(self, frame: Frame) -> Sight:
        """By the histogram: at half the size, in which print's dots and screens' grids melt into areas; or whole."""
        turn, wait = divmod(self._empty_frames, SECOND_LOOK_EVERY)
        self._empty_frames += 1
        if wait:
            return Sight([], [])
        if turn % 2:
            return self._zxing.look(frame, histogram=True, downscale=False)
        return self._zxing.look(frame_of(image_of(frame).reduce(2)), histogram=True, downscale=False).enlarged(2)

    def _closely(self, frame: Frame, unread: list[Unread]) -> list[Symbol]:
        """What the unread symbols say by the histogram of their own place; one of the others is laid flat."""
        image, found, crumpled = image_of(frame), [], []
        for seen in unread[:UNREAD_MAX]:
            symbols = _at_its_place(self._zxing, image, seen)
            found += symbols
            if not symbols:
                crumpled.append(seen)
        if crumpled:
            turn, which = divmod(self._flat_turns, len(crumpled))
            self._flat_turns += 1
            seen = crumpled[which]
            found += _laid_flat(self._zxing, image, seen, _ways(seen.modules, turn))
        return found


class ThoroughReader:
    """Every rung there is, for single images: where the ladder reads nothing, changed images of it, zbar, and Aztec."""

    def __init__(self) -> None:
        self._zxing, self._zbar = ZxingReader(), ZbarReader()

    def read(self, frame: Frame) -> list[Symbol]:
        if symbols := LadderReader().read(frame):
            return symbols
        for image in _changed(image_of(frame)):
            for histogram in (True, False):
                sight = self._zxing.look(frame_of(image), histogram=histogram)
                if symbols := sight.symbols or self._closely(image, sight.unread):
                    shrunk = frame.width / image.width
                    return [replace(symbol, size_px2=round(symbol.size_px2 * shrunk ** 2)) for symbol in symbols]
        return self._zbar.read(frame) or self._zxing.read_aztec(frame)

    def _closely(self, image: Any, unread: list[Unread]) -> list[Symbol]:
        return largest_first(
            symbol for seen in unread[:UNREAD_MAX]
            for symbol in _at_its_place(self._zxing, image, seen) or _laid_flat(self._zxing, image, seen, BULGES))


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


def _at_its_place(zxing: ZxingReader, image: Any, seen: Unread) -> list[Symbol]:
    """What the histogram of a symbol's own surroundings lets be read."""
    xs, ys = zip(*seen.corners, strict=True)
    left, top = max(min(xs) - MARGIN_PX, 0), max(min(ys) - MARGIN_PX, 0)
    place = image.crop((left, top, max(left + 1, min(max(xs) + MARGIN_PX, image.width)),
                        max(top + 1, min(max(ys) + MARGIN_PX, image.height))))
    return zxing.look(frame_of(place), histogram=True, downscale=False).symbols


def _laid_flat(zxing: ZxingReader, image: Any, seen: Unread, ways: Iterable[Bulge]) -> list[Symbol]:
    """The symbol as soon as one of the ways to lay it flat lets it be read."""
    for flat in flattened(image, seen.corners, seen.modules, ways):
        if symbol := zxing.read_one(frame_of(flat)):
            return [replace(symbol, size_px2=seen.size_px2)]
    return []


def _ways(modules: int, turn: int) -> Iterable[Bulge]:
    """The ways to lay a symbol flat for which there is time in one frame; the next turn has the next ones."""
    count = min(max(1, FLAT_PX2 // flat_px2(modules)), len(BULGES))
    return (BULGES[(turn * count + index) % len(BULGES)] for index in range(count))
