"""ZBar, through pyzbar's bindings but not its `decode`.

That one guesses encodings, which garbles Vietnamese, and raises on an incomplete structured-append symbol, so that
one sticker would blind the lane. Here such a symbol is passed over and the others are read.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from ctypes import string_at
from typing import Any

from gate.decoder.frame import CAMERA_EXTRA, Frame, load_library
from gate.decoder.symbols import Symbol, area_px2, largest_first
from gate.errors import DeviceError

_QR_CODE = 64
_BINARY = 4  # ZBAR_CFG_BINARY of zbar.h, which pyzbar does not name
_Y800 = 0x30303859


class ZbarReader:
    """One look by ZBar, as raw bytes."""

    def __init__(self) -> None:
        self._zbar = zbar = load_library("pyzbar.wrapper", f"apt-get install libzbar0, and {CAMERA_EXTRA}")
        self._scanner = zbar.zbar_image_scanner_create()
        weakref.finalize(self, zbar.zbar_image_scanner_destroy, self._scanner)
        for symbology, config, value in (
            (0, zbar.ZBarConfig.CFG_ENABLE, 0),  # symbology 0 stands for all
            (_QR_CODE, zbar.ZBarConfig.CFG_ENABLE, 1),
            (_QR_CODE, _BINARY, 1),
        ):
            if zbar.zbar_image_scanner_set_config(self._scanner, symbology, config, value) != 0:
                raise DeviceError("this libzbar cannot give raw bytes: install libzbar0 0.23.1 or newer")

    def read(self, frame: Frame) -> list[Symbol]:
        zbar, pixels = self._zbar, frame.packed()
        image = zbar.zbar_image_create()
        try:
            zbar.zbar_image_set_format(image, _Y800)
            zbar.zbar_image_set_size(image, frame.width, frame.height)
            zbar.zbar_image_set_data(image, pixels, len(pixels), None)
            zbar.zbar_scan_image(self._scanner, image)
            return largest_first(self._symbols(zbar.zbar_image_first_symbol(image)))
        finally:
            zbar.zbar_image_destroy(image)

    def _symbols(self, symbol: Any) -> Iterable[Symbol]:
        zbar = self._zbar
        while symbol:
            if symbol.contents.type == _QR_CODE:  # anything else is a part whose rest is not in view
                corners = tuple((zbar.zbar_symbol_get_loc_x(symbol, index), zbar.zbar_symbol_get_loc_y(symbol, index))
                                for index in range(zbar.zbar_symbol_get_loc_size(symbol)))
                payload = string_at(zbar.zbar_symbol_get_data(symbol), zbar.zbar_symbol_get_data_length(symbol))
                yield Symbol(payload, area_px2(corners))
            symbol = zbar.zbar_symbol_next(symbol)
