"""Pixels to payloads: the QR symbols in a grey image, behind one interface over two engines.

Only QR Code Model 2 is read: every further symbology costs time and lets one more parser meet hostile pixels.
Payloads are the symbol's raw bytes; no engine's guess at a text encoding is asked for.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from ctypes import string_at
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from gate.decoder.frame import CAMERA_EXTRA, SIDE_MAX_PX, Frame, load_library
from gate.errors import DeviceError, UsageError

Engine = Literal["ladder", "zxing", "zbar"]
DOUBLE_MAX_PX2 = 2_100_000
"""Larger images (full HD) are not doubled: their modules are large enough, and it would take too long."""
SECOND_LOOK_EVERY = 16
"""One frame in so many without a symbol is looked at with both binarizers."""
UNREAD_MAX = 4
"""Symbols of one frame that were seen and not read, to which the ladder's slow rungs are shown."""
MARGIN_PX = 24
"""What is shown of the surroundings of such a symbol: its quiet zone, and what its finder patterns left out."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol in view: its raw bytes, and the area it covers in the image."""

    payload: bytes
    size_px2: int


Corners = list[tuple[int, int]]
"""Four points of an image, in order around a symbol."""


class SymbolReader(Protocol):
    """Finds symbols; one instance belongs to one thread."""

    def read(self, frame: Frame) -> list[Symbol]:
        """Every symbol that could be read, each payload once, largest first."""
        ...


def open_reader(engine: str) -> SymbolReader:
    """The reader that the config names.

    Raises:
        UsageError: no engine has that name.
        DeviceError: its library is not installed.
    """
    readers: dict[str, Callable[[], SymbolReader]] = {
        "ladder": LadderReader, "zxing": ZxingReader, "zbar": ZbarReader,
    }
    if engine not in readers:
        raise UsageError(f"no symbol engine is called {engine!r}: choose one of {', '.join(get_args(Engine))}")
    return readers[engine]()


class ZxingReader:
    """zxing-cpp: by far the fastest, and the best single reader."""

    def __init__(self) -> None:
        self._zxing = load_library("zxingcpp", CAMERA_EXTRA)
        # The global histogram reads blurred and evenly lit codes on which the local average sees noise.
        self._binarizers = (self._zxing.Binarizer.LocalAverage, self._zxing.Binarizer.GlobalHistogram)

    def read(self, frame: Frame) -> list[Symbol]:
        return self.look(frame)[0]

    def look(self, frame: Frame, second: bool = True) -> tuple[list[Symbol], list[Corners]]:
        """The symbols, and the corners of those seen but not read; `second`: on a miss with the other binarizer."""
        view = self._zxing.ImageView(
            frame.luma, frame.width, frame.height, self._zxing.ImageFormat.Lum, frame.stride, 1)
        unread: list[Corners] = []
        for binarizer in self._binarizers:
            # A QR is found at any angle without try_rotate, which only turns linear codes.
            results = self._zxing.read_barcodes(
                view, formats=self._zxing.BarcodeFormat.QRCodeModel2, binarizer=binarizer,
                try_rotate=False, try_downscale=True, try_invert=True, return_errors=True)
            unread += [_corners(result.position) for result in results if not result.valid]
            symbols = [Symbol(result.bytes, _area(_corners(result.position))) for result in results if result.valid]
            if symbols or not (second or unread):
                break
        return _largest_first(symbols), unread


class ZbarReader:
    """ZBar, through pyzbar's bindings but not its `decode`.

    That one guesses encodings, which garbles Vietnamese, and raises on an incomplete structured-append symbol,
    so that one sticker would blind the lane. Here such a symbol is passed over and the others are read.
    """

    _QR_CODE = 64
    _BINARY = 4  # ZBAR_CFG_BINARY of zbar.h, which pyzbar does not name
    _Y800 = 0x30303859

    def __init__(self) -> None:
        self._zbar = zbar = load_library("pyzbar.wrapper", f"apt-get install libzbar0, and {CAMERA_EXTRA}")
        self._scanner = zbar.zbar_image_scanner_create()
        weakref.finalize(self, zbar.zbar_image_scanner_destroy, self._scanner)
        for symbology, config, value in (
            (0, zbar.ZBarConfig.CFG_ENABLE, 0),  # symbology 0 stands for all
            (self._QR_CODE, zbar.ZBarConfig.CFG_ENABLE, 1),
            (self._QR_CODE, self._BINARY, 1),
        ):
            if zbar.zbar_image_scanner_set_config(self._scanner, symbology, config, value) != 0:
                raise DeviceError("this libzbar cannot give raw bytes: install libzbar0 0.23.1 or newer")

    def read(self, frame: Frame) -> list[Symbol]:
        zbar, pixels = self._zbar, frame.packed()
        image = zbar.zbar_image_create()
        try:
            zbar.zbar_image_set_format(image, self._Y800)
            zbar.zbar_image_set_size(image, frame.width, frame.height)
            zbar.zbar_image_set_data(image, pixels, len(pixels), None)
            zbar.zbar_scan_image(self._scanner, image)
            return _largest_first(self._symbols(zbar.zbar_image_first_symbol(image)))
        finally:
            zbar.zbar_image_destroy(image)

    def _symbols(self, symbol: Any) -> Iterable[Symbol]:
        zbar = self._zbar
        while symbol:
            if symbol.contents.type == self._QR_CODE:  # anything else is a part whose rest is not in view
                corners = [(zbar.zbar_symbol_get_loc_x(symbol, index), zbar.zbar_symbol_get_loc_y(symbol, index))
                           for index in range(zbar.zbar_symbol_get_loc_size(symbol))]
                payload = string_at(zbar.zbar_symbol_get_data(symbol), zbar.zbar_symbol_get_data_length(symbol))
                yield Symbol(payload, _area(corners))
            symbol = zbar.zbar_symbol_next(symbol)


class LadderReader:
    """zxing-cpp first; where it sees a symbol that it cannot read, the slower rungs look at that place as well.

    So an empty scene costs little more than zxing-cpp, and so does one that holds codes it can read. A single
    image (`thorough`) is shown to every rung whole when nothing was read in it.
    """

    def __init__(self, thorough: bool = False) -> None:
        self._zxing, self._zbar = ZxingReader(), ZbarReader()
        self._thorough = thorough
        self._empty_frames = 0

    def read(self, frame: Frame) -> list[Symbol]:
        second = self._thorough or self._empty_frames % SECOND_LOOK_EVERY == 0
        symbols, unread = self._zxing.look(frame, second)
        self._empty_frames = 0 if symbols else self._empty_frames + 1
        parts = [_around(corners, frame) for corners in unread[:UNREAD_MAX]]
        if self._thorough and not symbols:
            parts.append(frame)
        for part in parts:
            symbols = symbols + self._climb(part, {symbol.payload for symbol in symbols})
        return _largest_first(symbols)

    def _climb(self, part: Frame, known: set[bytes]) -> list[Symbol]:
        """What the slow rungs find there beside what is known."""
        for rung in (self._read_doubled, self._zbar.read):
            if more := [symbol for symbol in rung(part) if symbol.payload not in known]:
                return more
        return []

    def _read_doubled(self, frame: Frame) -> list[Symbol]:
        """zxing-cpp on twice the width and height: for codes that are small or far away."""
        if frame.width * frame.height > DOUBLE_MAX_PX2 or 2 * max(frame.width, frame.height) > SIDE_MAX_PX:
            return []
        images = load_library("PIL.Image", CAMERA_EXTRA)
        width, height = 2 * frame.width, 2 * frame.height
        image = images.frombytes("L", (frame.width, frame.height), frame.packed())
        doubled = image.resize((width, height), images.Resampling.BICUBIC)
        return [Symbol(symbol.payload, symbol.size_px2 // 4)
                for symbol in self._zxing.read(Frame(doubled.tobytes(), width, height, width))]


def _around(corners: Corners, frame: Frame) -> Frame:
    """The part of a frame that holds a symbol and its surroundings."""
    xs, ys = zip(*corners, strict=True)
    return frame.part(min(xs) - MARGIN_PX, min(ys) - MARGIN_PX, max(xs) + MARGIN_PX, max(ys) + MARGIN_PX)


def _corners(position: Any) -> Corners:
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return [(corner.x, corner.y) for corner in corners]


def _area(corners: Corners) -> int:
    """The area of a polygon by the shoelace formula."""
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in edges)) // 2


def _largest_first(symbols: Iterable[Symbol]) -> list[Symbol]:
    """Each payload once, by its largest sight; an empty one says nothing."""
    largest: dict[bytes, Symbol] = {}
    for symbol in sorted(symbols, key=lambda symbol: -symbol.size_px2):
        if symbol.payload:
            largest.setdefault(symbol.payload, symbol)
    return list(largest.values())
