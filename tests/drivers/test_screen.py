"""What the lane's screen shows; `python tests/drivers/test_screen.py` draws the pictures in `golden/` anew."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from gate.drivers.screen import ScreenIndicator, ScreenSettings
from gate.drivers.screen_faces import (
    FACES,
    FONT_FILE,
    LETTERS_MIN_PX,
    OUT_OF_SERVICE,
    Face,
    contrast,
    draw,
    face_of,
    fit,
    in_one_colour,
)
from gate.errors import DeviceError
from gate.model import Decision, Direction, Reason, Signal

GOLDEN = Path(__file__).parent / "golden"
SIZES = {"240x240": (240, 240), "320x240": (320, 240), "128x64": (128, 64)}
DIFFERENCE_MAX = 2.0
"""How much a picture may differ from the kept one, of 255: font libraries differ in the edges of letters."""
COLUMNS, GAP_PX = 5, 4


def decided(reason: Reason, direction: Direction = Direction.ENTRY, hint: str = "") -> Decision:
    return Decision(reason is Reason.GRANTED, reason, direction, "in", holder="h-1", company="acme", hint=hint)


SHOWN: list[Face] = [
    *(face_of(signal) for signal in Signal),
    face_of(Signal.GRANTED, decided(Reason.GRANTED, Direction.EXIT)),
    face_of(Signal.DENIED, decided(Reason.NOT_LIVE)),
    face_of(Signal.DENIED, decided(Reason.EXPIRED)),
    face_of(Signal.READING, decided(Reason.NEEDS_SECOND_CODE, hint="after-identity")),
    OUT_OF_SERVICE,
]
EVERY_FACE = [OUT_OF_SERVICE, *(
    face_of(signal, decision) for signal in Signal
    for decision in (None, *(decided(*each) for each in itertools.product(Reason, Direction))))]


def sheet(width: int, height: int) -> Image.Image:
    rows = -(-len(SHOWN) // COLUMNS)
    paper = Image.new("RGB", (COLUMNS * (width + GAP_PX), rows * (height + GAP_PX)), (128, 128, 128))
    for place, face in enumerate(SHOWN):
        at = (place % COLUMNS * (width + GAP_PX), place // COLUMNS * (height + GAP_PX))
        paper.paste(draw(in_one_colour(face) if height == 64 else face, width, height), at)
    return paper


needs_font = pytest.mark.skipif(not Path(FONT_FILE).is_file(), reason="fonts-dejavu-core is not installed")


@needs_font
@pytest.mark.parametrize("name", SIZES)
def test_screen_looks_as_it_was_looked_at(name):
    with Image.open(GOLDEN / f"screen-{name}.png") as kept:
        difference = ImageStat.Stat(ImageChops.difference(kept.convert("RGB"), sheet(*SIZES[name])))
    assert max(difference.mean) < DIFFERENCE_MAX


def test_each_signal_has_a_shape_and_words_of_its_own():
    assert set(FACES) == set(Signal)
    assert len({face.shape for face in FACES.values()}) == len(FACES)
    for language in ("vi", "en"):
        assert len({getattr(face.title, language) for face in FACES.values()}) == len(FACES)


def test_result_is_told_by_its_colour_alone():
    granted, denied, guard = (FACES[signal].paper for signal in (Signal.GRANTED, Signal.DENIED, Signal.CALL_GUARD))
    assert len({granted, denied, guard}) == 3


def test_words_stand_out_from_their_ground():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)
    for face in EVERY_FACE:
        assert contrast(face.ink, face.paper) >= 4.5, face


@needs_font
@pytest.mark.parametrize(("width", "height"), SIZES.values())
def test_every_word_fits_the_screen_in_letters_that_can_be_read(width, height):
    words_width, words_height = (width // 2, height - 8) if width > 1.6 * height else (width - 20, height // 2)
    for face in set(EVERY_FACE):
        lines = fit(face, words_width, words_height, ("vi", "en"))
        assert lines
        assert all(line.px >= LETTERS_MIN_PX for line in lines)
        assert lines[0].text.split()[0] == face.title.vi.split()[0]


@needs_font
def test_refusal_says_the_next_step_in_both_languages_on_a_screen_of_240_pixels():
    for reason in set(Reason) - {Reason.GRANTED}:
        face = face_of(Signal.DENIED, decided(reason))
        text = " ".join(line.text for line in fit(face, 220, 115, ("vi", "en")))
        assert face.step.vi in text
        assert face.step.en in text


def test_no_name_and_no_health_fact_is_shown():
    health = face_of(Signal.DENIED, decided(Reason.HEALTH_RULE))
    assert health.step == face_of(Signal.DENIED, decided(Reason.REVOKED)).step
    for face in EVERY_FACE:
        words = " ".join([*face.title, *(face.step or ())]).lower()
        assert not any(word in words for word in ("h-1", "acme", "y tế", "health desk", "bệnh", "vaccine", "f0"))


def test_way_out_reads_otherwise_than_the_way_in():
    assert face_of(Signal.GRANTED, decided(Reason.GRANTED, Direction.EXIT)).title.vi == "MỜI RA"
    assert face_of(Signal.GRANTED, decided(Reason.GRANTED)).title.vi == "MỜI VÀO"


class Screen(ScreenIndicator):
    """Keeps what it was told to draw."""

    broken = False

    def __init__(self, **settings: object) -> None:
        super().__init__(ScreenSettings(display="dummy", **settings), None)
        self.drawn: list[str] = []

    def _put(self, face: Face, *, locked: bool = True) -> bool:
        if self.broken:
            self._fault = DeviceError("the bus is gone")
            return False
        fine = super()._put(face, locked=locked)
        self.drawn.append(face.title.en)
        return fine


@needs_font
def test_result_gives_way_to_the_lanes_own_picture(eventually):
    screen = Screen(result_s=0.01)
    screen.start()
    screen.show(Signal.LOCKDOWN)
    eventually(lambda: screen.drawn[-1:] == ["LOCKED DOWN"])
    screen.show(Signal.DENIED, decided(Reason.LOCKDOWN))
    eventually(lambda: screen.drawn[-2:] == ["NO ENTRY", "LOCKED DOWN"])
    screen.stop()


@needs_font
def test_stopped_gate_leaves_words_that_say_so():
    screen = Screen()
    screen.start()
    screen.stop()
    assert screen.drawn[-1] == "OUT OF SERVICE"


@needs_font
def test_screen_that_fails_is_told_and_shows_the_signal_once_it_works(eventually):
    screen = Screen()
    screen.start()
    screen.broken = True
    screen.show(Signal.GRANTED)
    eventually(lambda: screen._fault is not None)
    with pytest.raises(DeviceError, match="bus is gone"):
        screen.show(Signal.FREE)
    screen.broken = False
    with pytest.raises(DeviceError):
        screen.show(Signal.FREE)
    eventually(lambda: screen.drawn[-1:] == ["THE WAY IS OPEN"])
    screen.stop()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, size in SIZES.items():
        sheet(*size).save(GOLDEN / f"screen-{name}.png", optimize=True)
