"""What reading pixels gives: the symbols in a grey image, behind one interface over several engines.

Cameras read QR Code Model 2 only: every further symbology costs time and lets one more parser meet hostile pixels.
Payloads are the symbol's raw bytes; no engine's guess at a text encoding is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gate.decoder.frame import Frame

Corners = tuple[tuple[int, int], ...]
"""Four points of an image, in order around a symbol."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol in view: its raw bytes, and the area it covers in the image."""

    payload: bytes
    size_px2: int


class SymbolReader(Protocol):
    """Finds symbols; one instance belongs to one thread."""

    def read(self, frame: Frame) -> list[Symbol]:
        """Every symbol that could be read, each payload once, largest first."""
        ...


def largest_first(symbols: Iterable[Symbol]) -> list[Symbol]:
    """Each payload once, by its largest sight; an empty one says nothing."""
    largest: dict[bytes, Symbol] = {}
    for symbol in sorted(symbols, key=lambda symbol: -symbol.size_px2):
        if symbol.payload:
            largest.setdefault(symbol.payload, symbol)
    return list(largest.values())


def area_px2(corners: Corners) -> int:
    """The area of a polygon by the shoelace formula."""
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in edges)) // 2
