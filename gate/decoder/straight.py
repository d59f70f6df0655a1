"""A crumpled or slanted symbol as if it lay flat: its four corners pulled into a square, and its middle pushed back.

An engine lays one flat grid over a symbol. On cloth, a bent card or a crumpled print the middle of it lies up to a
module beside that grid. Nothing in one view tells which way, so a few ways are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import pi, sin
from typing import Any

from gate.decoder.frame import CAMERA_EXTRA, load_library
from gate.decoder.symbols import Corners

MODULE_PX = 4
"""Pixels a module in the flat image."""
QUIET_MODULES = 4
"""ISO/IEC 18004 6.3.8: the light zone around a symbol."""
MODULES_MAX = 117
"""A denser symbol (above version 25) is not laid flat: a camera seldom shows its modules well enough."""
BULGE = 0.02
"""How far the middle is pushed, as a share of the symbol's side."""
_WAYS = ((0, 1), (1, -1), (1, 1), (0, -1), (1, 0), (-1, 0), (-1, 1), (-1, -1))
BULGES = tuple((far * across, far * down) for far in (1, 2) for across, down in _WAYS)
"""Which ways, to the right and down, and then twice as far; those that flattened most photographs come first."""
_PATCHES = 4
"""The flat image is put together of so many patches in a row."""
_LIGHT = 255

Bulge = tuple[int, int]
Point = tuple[float, float]
Place = Callable[[float, float], Point]
"""A point of the symbol, 0 to 1 across and down it, to a point of the image."""


def flat_px2(modules: int) -> int:
    """The area of the flat image of a symbol of so many modules."""
    return ((modules + 2 * QUIET_MODULES) * MODULE_PX) ** 2


def flattened(image: Any, corners: Corners, modules: int, bulges: Iterable[Bulge]) -> Iterator[Any]:
    """The symbol between these corners as a square Pillow image, for each way of pushing its middle back.

    None where its `modules` are not known (0) or over MODULES_MAX, or the corners span no area.
    """
    place = _projection(corners)
    if place and 0 < modules <= MODULES_MAX:
        for bulge in bulges:
            yield _flat(image, place, modules, bulge)


def _flat(image: Any, place: Place, modules: int, bulge: Bulge) -> Any:
    quiet, side = QUIET_MODULES / modules, (modules + 2 * QUIET_MODULES) * MODULE_PX
    steps = [(1 + 2 * quiet) * index / _PATCHES - quiet for index in range(_PATCHES + 1)]
    humps = [sin(pi * step) if 0 < step < 1 else 0.0 for step in steps]  # 0 from the edges outwards
    knots = [[place(across + BULGE * bulge[0] * hump * other, down + BULGE * bulge[1] * hump * other)
              for across, hump in zip(steps, humps, strict=True)]
             for down, other in zip(steps, humps, strict=True)]
    edges = [index * side // _PATCHES for index in range(_PATCHES + 1)]
    mesh = [((edges[column], edges[row], edges[column + 1], edges[row + 1]),
             (*knots[row][column], *knots[row + 1][column], *knots[row + 1][column + 1], *knots[row][column + 1]))
            for row in range(_PATCHES) for column in range(_PATCHES)]
    images = load_library("PIL.Image", CAMERA_EXTRA)
    return image.transform((side, side), images.Transform.MESH, mesh, images.Resampling.BILINEAR, fillcolor=_LIGHT)


def _projection(corners: Corners) -> Place | None:
    """The perspective that maps the unit square to four corners (Heckbert, Fundamentals of Texture Mapping, 2.2.3)."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    dx1, dy1, dx2, dy2 = x1 - x2, y1 - y2, x3 - x2, y3 - y2
    slant_x, slant_y = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    if not (area := dx1 * dy2 - dx2 * dy1):
        return None
    g, h = (slant_x * dy2 - dx2 * slant_y) / area, (dx1 * slant_y - slant_x * dy1) / area

    def place(across: float, down: float) -> Point:
        depth = g * across + h * down + 1
        return (((x1 - x0 + g * x1) * across + (x3 - x0 + h * x3) * down + x0) / depth,
                ((y1 - y0 + g * y1) * across + (y3 - y0 + h * y3) * down + y0) / depth)

    return place
