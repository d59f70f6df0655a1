"""A still scene: what is read again, and what no saving may hide."""

from __future__ import annotations

import io

import pytest
import segno
from PIL import Image

from gate.decoder.engines import open_reader
from gate.decoder.frame import Frame
from gate.decoder.still import LOOK_EVERY, NOISE_LEVELS, StillReader
from gate.decoder.symbols import Symbol

WIDTH, HEIGHT = 640, 480


class Counting:
    """A reader that counts how often it is asked, over a real one."""

    def __init__(self) -> None:
        self.asked = 0
        self._reader = open_reader("zxing")

    def read(self, frame: Frame) -> list[Symbol]:
        self.asked += 1
        return self._reader.read(frame)


def wall(level: int = 120, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """An empty scene."""
    return Image.new("L", size, level)


def with_code(payload: bytes, scale: int = 3, at: tuple[int, int] = (200, 150)) -> Image.Image:
    """A code on the wall."""
    file = io.BytesIO()
    segno.make_qr(payload, mode="byte", error="m").save(file, kind="png", scale=scale, border=4)
    scene = wall()
    scene.paste(Image.open(file).convert("L"), at)
    return scene


def frame(image: Image.Image) -> Frame:
    return Frame(image.tobytes(), image.width, image.height, image.width)


def test_unchanged_scene_is_read_now_and_then_only() -> None:
    inner = Counting()
    still = StillReader(inner)
    for _ in range(3 * LOOK_EVERY):
        assert still.read(frame(wall())) == []
    assert inner.asked == 3


def test_code_held_still_stays_in_view() -> None:
    inner = Counting()
    still = StillReader(inner)
    view = frame(with_code(b"held"))
    assert [[symbol.payload for symbol in still.read(view)] for _ in range(10)] == [[b"held"]] * 10
    assert inner.asked == 1


@pytest.mark.parametrize("scale", [2, 3, 6])
def test_code_that_comes_or_goes_is_noticed_in_its_first_frame(scale: int) -> None:
    still = StillReader(Counting())
    still.read(frame(wall()))
    assert [symbol.payload for symbol in still.read(frame(with_code(b"here", scale)))] == [b"here"]
    assert still.read(frame(wall())) == []


def test_another_code_in_the_same_place_is_noticed() -> None:
    still = StillReader(Counting())
    for payload in (b"first-phone", b"other-phone"):
        assert [symbol.payload for symbol in still.read(frame(with_code(payload)))] == [payload]


def test_sensor_noise_is_no_change_and_slow_change_adds_up() -> None:
    inner = Counting()
    still = StillReader(inner)
    for level in (120, 120 + NOISE_LEVELS, 120 - NOISE_LEVELS):
        still.read(frame(wall(level)))
    assert inner.asked == 1
    still.read(frame(wall(120 + NOISE_LEVELS + 1)))
    assert inner.asked == 2


def test_frame_of_another_size_is_read() -> None:
    inner = Counting()
    still = StillReader(inner)
    still.read(frame(wall()))
    still.read(frame(wall(size=(320, 240))))
    assert inner.asked == 2
