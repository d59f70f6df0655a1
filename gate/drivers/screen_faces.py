"""What a lane's screen shows for each signal: a shape, a colour and words, each of which tells the result alone. Pure.

Nobody's name and no health fact is shown: the words depend on the signal, the direction, and the reason's next step.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from gate.model import Decision, Direction, Reason, Signal
from gate.texts import TEXTS, Words, hint_words

FONT_FILE = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
LETTERS_MIN_PX = 9
"""Smaller letters cannot be read; on a screen that small one language is shown."""

Colour = tuple[int, int, int]
Point = tuple[float, float]
BLACK, WHITE, NIGHT = (0, 0, 0), (255, 255, 255), (10, 26, 56)
GREEN, RED, AMBER = (0, 110, 51), (179, 0, 27), (255, 191, 0)


class Shape(StrEnum):
    """The picture that tells the result to who reads neither language."""

    FRAME = "frame"
    DOTS = "dots"
    TICK = "tick"
    CROSS = "cross"
    TRIANGLE = "triangle"
    DOOR = "door"
    BELL = "bell"
    BAR = "bar"
    ARROW = "arrow"
    RINGS = "rings"
    PAUSE = "pause"


class Face(NamedTuple):
    """One picture of the screen; `title` and `step` (what to do next) in both languages."""

    shape: Shape
    ink: Colour
    paper: Colour
    title: Words
    step: Words | None = None


FACES: dict[Signal, Face] = {
    Signal.IDLE: Face(Shape.FRAME, WHITE, NIGHT, Words("ĐƯA MÃ VÀO ĐÂY", "SHOW YOUR CODE")),
    Signal.READING: Face(Shape.DOTS, WHITE, NIGHT, Words("ĐANG XỬ LÝ", "ONE MOMENT")),
    Signal.GRANTED: Face(Shape.TICK, WHITE, GREEN, Words("MỜI VÀO", "PLEASE GO IN")),
    Signal.DENIED: Face(Shape.CROSS, WHITE, RED, Words("KHÔNG ĐƯỢC VÀO", "NO ENTRY")),
    Signal.CALL_GUARD: Face(Shape.TRIANGLE, BLACK, AMBER, Words("GỌI BẢO VỆ", "CALL THE GUARD")),
    Signal.PREALARM: Face(Shape.DOOR, BLACK, AMBER, Words("XIN ĐÓNG CỬA", "CLOSE THE DOOR")),
    Signal.ALARM: Face(Shape.BELL, WHITE, RED, Words("BÁO ĐỘNG", "ALARM")),
    Signal.LOCKDOWN: Face(Shape.BAR, WHITE, RED, Words("CỔNG ĐANG KHÓA", "LOCKED DOWN"),
                          Words("Ra: đưa mã như thường lệ.", "To leave, show your code.")),
    Signal.FREE: Face(Shape.ARROW, WHITE, GREEN, Words("LỐI ĐANG MỞ", "THE WAY IS OPEN"),
                      Words("Mời đi qua.", "Go straight through.")),
    Signal.IDENTIFY: Face(Shape.RINGS, BLACK, WHITE, Words("CỔNG NÀY", "THIS GATE")),
}

OUT_OF_SERVICE = Face(Shape.PAUSE, BLACK, AMBER, Words("CỔNG NGỪNG", "OUT OF SERVICE"),
                      Words("Vui lòng gặp bảo vệ.", "Please see the guard."))
"""What stays on the screen when the gate has stopped."""

_GUARD = Words("Vui lòng gặp bảo vệ.", "Please see the guard.")


def in_one_colour(face: Face) -> Face:
    """The face for a screen whose pixels are on or off: its shape and words tell it."""
    return face._replace(ink=WHITE, paper=BLACK)


def face_of(signal: Signal, decision: Decision | None = None) -> Face:
    """The face of a signal, with what its decision adds."""
    face = FACES[signal]
    if decision is None:
        return face
    leaving = decision.direction is Direction.EXIT
    match signal:
        case Signal.GRANTED if leaving:
            return face._replace(title=Words("MỜI RA", "PLEASE GO OUT"))
        case Signal.DENIED:
            title = Words("CHƯA RA ĐƯỢC", "NOT YET") if leaving else face.title
            return face._replace(title=title, step=_next_step(decision.reason))
        case Signal.READING if decision.reason is Reason.NEEDS_SECOND_CODE:
            return face._replace(title=Words("CẦN THÊM MỘT MÃ", "ONE MORE CODE"), step=hint_words(decision.hint))
    return face


def _next_step(reason: Reason) -> Words:
    """What to do about a refusal; whom the others in the queue see sent to the health desk would be told on."""
    if reason is Reason.HEALTH_RULE:
        return _GUARD
    text = TEXTS[reason]
    return Words(text.next_vi, text.next_en)


def contrast(one: Colour, other: Colour) -> float:
    """How far two colours are apart: 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# --- drawing ---


class Line(NamedTuple):
    """A line of text as it fits."""

    text: str
    px: int


def draw(face: Face, width: int, height: int, languages: tuple[str, ...] = ("vi", "en")) -> Image.Image:
    """The face in RGB: shape on top of the words, or beside them where the screen is wide."""
    image = Image.new("RGB", (width, height), face.paper)
    canvas = ImageDraw.Draw(image)
    margin = max(2, min(width, height) // 24)
    wide = width >= 1.6 * height
    side = min(height - 2 * margin, int(width * 0.36)) if wide else int(min(width, height) * 0.44)
    if wide:
        shape_at, words = (margin, (height - side) // 2), (side + 2 * margin, margin, width - margin, height - margin)
    else:
        shape_at, words = ((width - side) // 2, margin), (margin, side + 2 * margin, width - margin, height - margin)
    DRAWN[face.shape](Square(canvas, *shape_at, side, face.ink, face.paper))
    _write(canvas, words, face, languages)
    return image


def _write(canvas: ImageDraw.ImageDraw, box: tuple[int, int, int, int], face: Face, languages: tuple[str, ...]) -> None:
    left, top, right, bottom = box
    lines = fit(face, right - left, bottom - top, languages)
    y = top + (bottom - top - sum(_height(line.px) for line in lines)) // 2
    for line in lines:
        canvas.text(((left + right) / 2, y), line.text, font=_font(line.px), fill=face.ink, anchor="ma")
        y += _height(line.px)


def fit(face: Face, width: int, height: int, languages: tuple[str, ...]) -> list[Line]:
    """The words in the largest letters that fit: the first language's title, then the rest in smaller ones."""
    first, *others = languages
    for px in range(height // 2, LETTERS_MIN_PX - 1, -1):
        small = max(LETTERS_MIN_PX, px * 5 // 9)
        parts = [(getattr(face.title, first), px)]
        parts += [(getattr(face.step, first), small)] if face.step else []
        for other in others:
            parts.append((getattr(face.title, other), small))
            parts += [(getattr(face.step, other), small)] if face.step else []
        lines = [Line(line, size) for text, size in parts for line in _wrap(text, size, width)]
        if all(_font(line.px).getlength(line.text) <= width for line in lines) and sum(
                _height(line.px) for line in lines) <= height:
            return lines
    if others:
        return fit(face, width, height, (first,))
    return fit(face._replace(step=None), width, height, languages) if face.step else [
        Line(getattr(face.title, first), LETTERS_MIN_PX)]


def _wrap(text: str, px: int, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _font(px).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def _height(px: int) -> int:
    return round(px * 1.25)  # Vietnamese letters carry two marks


@cache
def _font(px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT_FILE, px)


class Square(NamedTuple):
    """Where a shape is drawn; its points go from 0 to 1."""

    canvas: ImageDraw.ImageDraw
    x: int
    y: int
    side: int
    ink: Colour
    paper: Colour

    def at(self, *points: Point) -> list[Point]:
        """The points on the canvas."""
        return [(self.x + a * self.side, self.y + b * self.side) for a, b in points]

    def disc(self, middle: Point, radius: float, colour: Colour) -> None:
        a, b = middle
        self.canvas.ellipse(self.at((a - radius, b - radius), (a + radius, b + radius)), fill=colour)

    def line(self, points: tuple[Point, ...]) -> None:
        """A thick line with round ends."""
        pen = max(2, self.side // 8)
        self.canvas.line(self.at(*points), fill=self.ink, width=pen, joint="curve")
        for point in points:
            self.disc(point, pen / 2 / self.side, self.ink)


def _lines(*lines: tuple[Point, ...]) -> Callable[[Square], None]:
    def drawn(square: Square) -> None:
        for line in lines:
            square.line(line)

    return drawn


def _dots(square: Square) -> None:
    for across in (0.2, 0.5, 0.8):
        square.disc((across, 0.5), 0.11, square.ink)


def _triangle(square: Square) -> None:
    square.canvas.polygon(square.at((0.5, 0.0), (1.0, 0.92), (0.0, 0.92)), fill=square.ink)
    square.canvas.rounded_rectangle(square.at((0.45, 0.3), (0.55, 0.64)), square.side // 24, fill=square.paper)
    square.disc((0.5, 0.77), 0.06, square.paper)


def _bell(square: Square) -> None:
    square.canvas.pieslice(square.at((0.22, 0.05), (0.78, 0.75)), 180, 360, fill=square.ink)
    square.canvas.polygon(square.at((0.22, 0.38), (0.78, 0.38), (0.92, 0.76), (0.08, 0.76)), fill=square.ink)
    square.disc((0.5, 0.86), 0.1, square.ink)


def _bar(square: Square) -> None:
    square.disc((0.5, 0.5), 0.5, square.ink)
    square.canvas.rectangle(square.at((0.17, 0.4), (0.83, 0.6)), fill=square.paper)


def _rings(square: Square) -> None:
    for radius, colour in ((0.5, square.ink), (0.38, square.paper), (0.26, square.ink), (0.12, square.paper)):
        square.disc((0.5, 0.5), radius, colour)


def _pause(square: Square) -> None:
    for left in (0.22, 0.58):
        square.canvas.rectangle(square.at((left, 0.1), (left + 0.2, 0.9)), fill=square.ink)


_CORNERS: list[tuple[Point, ...]] = [
    ((a, b + (0.25 if b < 0.5 else -0.25)), (a, b), (a + (0.25 if a < 0.5 else -0.25), b))
    for a in (0.1, 0.9) for b in (0.1, 0.9)
]
DRAWN: dict[Shape, Callable[[Square], None]] = {
    Shape.FRAME: _lines(*_CORNERS),
    Shape.DOTS: _dots,
    Shape.TICK: _lines(((0.08, 0.55), (0.38, 0.85), (0.92, 0.2))),
    Shape.CROSS: _lines(((0.14, 0.14), (0.86, 0.86)), ((0.86, 0.14), (0.14, 0.86))),
    Shape.TRIANGLE: _triangle,
    Shape.DOOR: _lines(((0.1, 0.92), (0.22, 0.92), (0.22, 0.08), (0.8, 0.08), (0.8, 0.92), (0.92, 0.92)),
                       ((0.22, 0.08), (0.56, 0.26), (0.56, 0.92))),
    Shape.BELL: _bell,
    Shape.BAR: _bar,
    Shape.ARROW: _lines(((0.06, 0.5), (0.92, 0.5)), ((0.58, 0.16), (0.92, 0.5), (0.58, 0.84))),
    Shape.RINGS: _rings,
    Shape.PAUSE: _pause,
}
"""How each shape is drawn."""
