"""A pass as people carry it: QR as PNG or SVG, and a printed card (PDF, one card a page or ten on an A4 sheet).

Cards are ISO/IEC 7810 ID-1 (85.6 x 54 mm); the symbol has the quiet zone of ISO/IEC 18004, 4 modules. The largest
that we print, version 10, has modules of 0.64 mm; fixed-focus scanners want 0.4 mm at the least.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

import segno
from fpdf import FPDF
from fpdf.fonts import TTFFont

from gate.errors import UsageError

VERSION_MAX = 10
"""The largest QR that a gate's scanners are promised to meet, at error correction M."""
QUIET_MODULES = 4
MODULE_PX = 8

CARD_MM = (85.6, 54.0)
QR_MM = 42.0
MARGIN_MM = 3.5
BAND_MM = 9.0
SHEET_COLUMNS, SHEET_ROWS = 2, 5
A4_MM = (210.0, 297.0)

FONT_DIR = Path("/usr/share/fonts/truetype/dejavu")
FONTS = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
POINTS_MIN = 5.0
BAND_COLOUR = (16, 62, 107)


@dataclass(frozen=True, slots=True)
class Card:
    """What one card shows; `valid_until` is its last day as people read it, `number` how a guard looks it up."""

    text: str
    full_name: str
    company: str
    valid_until: str
    number: str
    issuer: str


@lru_cache(maxsize=4096)  # a pass is drawn three times in a batch: picture, card, sheet
def make_symbol(text: str) -> segno.QRCode:
    """The QR of a pass.

    Raises:
        UsageError: longer than version 10-M holds.
    """
    symbol = segno.make_qr(text, error="m")
    if int(symbol.version) > VERSION_MAX:
        raise UsageError(f"{len(text)} characters need a QR of version {symbol.version}, scanners at the gate are "
                         f"promised {VERSION_MAX} at most; give the person fewer areas or roles")
    return symbol


def write_png(text: str, path: Path) -> None:
    """Write the QR of `text` as PNG, `MODULE_PX` pixels a module."""
    make_symbol(text).save(str(path), kind="png", scale=MODULE_PX, border=QUIET_MODULES)


def write_svg(text: str, path: Path) -> None:
    """Write the QR of `text` as SVG, one millimetre a module, on white."""
    make_symbol(text).save(str(path), kind="svg", border=QUIET_MODULES, unit="mm", light="white")


def write_cards(cards: Iterable[Card], path: Path, made_at: datetime) -> None:
    """Write a PDF with one card a page, for a card printer.

    Raises:
        UsageError: the font is not installed, or lacks a letter of a name.
    """
    pdf = _document(CARD_MM, made_at)
    for card in cards:
        pdf.add_page()
        _draw(pdf, card, 0, 0)
    pdf.output(str(path))


def write_sheets(cards: Iterable[Card], path: Path, made_at: datetime) -> None:
    """Write a PDF of A4 sheets with ten cards each and hair lines to cut along.

    Raises:
        UsageError: as `write_cards`.
    """
    pdf = _document(A4_MM, made_at)
    places = list(_sheet_places())
    for index, card in enumerate(cards):
        if index % len(places) == 0:
            pdf.add_page()
        x, y = places[index % len(places)]
        _draw(pdf, card, x, y)
        pdf.set_draw_color(170)
        pdf.set_line_width(0.1)
        pdf.rect(x, y, *CARD_MM)
    pdf.output(str(path))


def _sheet_places() -> Iterator[tuple[float, float]]:
    left = (A4_MM[0] - SHEET_COLUMNS * CARD_MM[0]) / 2
    top = (A4_MM[1] - SHEET_ROWS * CARD_MM[1]) / 2
    for row in range(SHEET_ROWS):
        for column in range(SHEET_COLUMNS):
            yield left + column * CARD_MM[0], top + row * CARD_MM[1]


def _document(size_mm: tuple[float, float], made_at: datetime) -> FPDF:
    pdf = FPDF(unit="mm", format=size_mm)
    pdf.set_margin(0)
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(made_at)
    for style, name in FONTS.items():
        if not (FONT_DIR / name).is_file():
            raise UsageError(f"{FONT_DIR / name} is missing; install it: sudo apt install fonts-dejavu-core")
        pdf.add_font("card", style, FONT_DIR / name)
    return pdf


class _Box(NamedTuple):
    """Where text goes, in millimetres."""

    x: float
    y: float
    width: float
    height: float


def _draw(pdf: FPDF, card: Card, x: float, y: float) -> None:
    width, height = CARD_MM
    pdf.set_fill_color(*BAND_COLOUR)
    pdf.rect(x, y, width, BAND_MM, style="F")
    pdf.set_text_color(255)
    left, text_mm = x + MARGIN_MM, width - QR_MM - 2 * MARGIN_MM
    _line(pdf, "THẺ RA VÀO", _Box(left, y + 1.5, text_mm, 4.2), points=11, style="B")
    _line(pdf, "Gate pass", _Box(left, y + 5.6, text_mm, 2.6), points=6)
    _line(pdf, card.issuer, _Box(x + width / 2, y + 2.7, width / 2 - MARGIN_MM, 4), points=8, align="R")
    pdf.set_text_color(0)
    below = _paragraph(pdf, card.full_name, _Box(left, y + 12.5, text_mm, 13), points=11, style="B")
    _paragraph(pdf, card.company, _Box(left, below + 1, text_mm, y + 37 - below - 1), points=8)
    _line(pdf, "Có giá trị đến hết ngày / Valid through", _Box(left, y + 37.5, text_mm, 2.6), points=6)
    _line(pdf, card.valid_until, _Box(left, y + 40.2, text_mm, 4.6), points=11, style="B")
    _line(pdf, "Số thẻ / Pass no.", _Box(left, y + 46, text_mm, 2.6), points=6)
    _line(pdf, card.number, _Box(left, y + 48.4, text_mm, 3.4), points=8)
    _qr(pdf, card.text, x + width - QR_MM, y + BAND_MM + (height - BAND_MM - QR_MM) / 2)


def _qr(pdf: FPDF, text: str, x: float, y: float) -> None:
    symbol = make_symbol(text)
    module = QR_MM / symbol.symbol_size(border=QUIET_MODULES)[0]
    pdf.set_fill_color(0)
    for row_index, row in enumerate(symbol.matrix):
        for start, length in _dark_runs(bytes(row)):
            pdf.rect(x + (start + QUIET_MODULES) * module, y + (row_index + QUIET_MODULES) * module,
                     length * module, module, style="F")


def _dark_runs(row: bytes) -> Iterator[tuple[int, int]]:
    """Where dark modules stand side by side: (first, how many)."""
    start = 0
    for run in row.split(b"\0"):
        if run:
            yield start, len(run)
        start += len(run) + 1


def _line(pdf: FPDF, text: str, box: _Box, *, points: float, style: str = "", align: str = "L") -> None:
    """One line, made smaller until it fits."""
    _check_letters(pdf, text, style)
    pdf.set_font("card", style, points)
    needed_mm = pdf.get_string_width(text) + 2 * pdf.c_margin
    pdf.set_font("card", style, points * min(1.0, box.width / needed_mm))
    pdf.set_xy(box.x, box.y)
    pdf.cell(box.width, box.height, text, align=align)


def _paragraph(pdf: FPDF, text: str, box: _Box, *, points: float, style: str = "") -> float:
    """Wrapped text, made smaller until it fits, and cut at `POINTS_MIN`; gives the y below it."""
    _check_letters(pdf, text, style)
    while True:
        pdf.set_font("card", style, points)
        pdf.set_xy(box.x, box.y)
        line_mm = points * 0.42
        lines = cast(list[str], pdf.multi_cell(box.width, line_mm, text, dry_run=True, output="LINES"))
        room = int(box.height / line_mm)
        if len(lines) <= room or points <= POINTS_MIN:
            break
        points -= 0.5
    pdf.multi_cell(box.width, line_mm, "\n".join(lines[:room]), align="L")
    return box.y + line_mm * min(len(lines), room)


def _check_letters(pdf: FPDF, text: str, style: str) -> None:
    known = cast(TTFFont, pdf.fonts["card" + style]).cmap
    missing = sorted({char for char in text if ord(char) not in known})
    if missing:
        raise UsageError(f"the card's font has no {' '.join(missing)}; write the name in Latin letters")
