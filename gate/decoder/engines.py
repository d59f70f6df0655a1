"""The engines that a config may name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from gate.decoder.ladder import LadderReader
from gate.decoder.symbols import SymbolReader
from gate.decoder.zbar import ZbarReader
from gate.decoder.zxing import ZxingReader
from gate.errors import UsageError

Engine = Literal["ladder", "zxing", "zbar"]


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
