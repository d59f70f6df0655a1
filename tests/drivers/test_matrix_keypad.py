from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gate.drivers.matrix_keypad import ROWS, Debounce, MatrixKeypad, MatrixKeypadSettings
from gate.model import Direction, ReaderState

ROW_PINS, COLUMN_PINS = (5, 6, 12, 13), (16, 18, 19)


class Pad:
    """Switches between the rows and columns of a mock factory."""

    def __init__(self, pins) -> None:
        self.pins = pins
        self.down = ""

    def solder(self) -> None:
        for column, number in enumerate(COLUMN_PINS):
            self.pins.pin(f"GPIO{number}")._get_state = lambda column=column: self._level(column)

    def _level(self, column: int) -> bool:
        joined = (self.pins.pin(f"GPIO{pin}").state for pin, keys in zip(ROW_PINS, ROWS, strict=True)
                  if keys[column] in self.down)
        return all(joined)


def pressed(looks: list[str]) -> str:
    debounce = Debounce()
    return "".join(debounce.look(down) for down in looks)


def test_key_that_bounces_is_one_key():
    assert pressed(["5", "", "5", "5", "5", "5", "", "5", ""]) == "5"


def test_second_key_needs_the_first_to_be_let_go():
    assert pressed(["5", "5", "57", "7", "7", "", "7", "7"]) == "57"


def test_several_keys_at_once_are_none():
    assert pressed(["1245", "1245", "12", "12", ""]) == ""


@given(st.lists(st.text("123", max_size=2), max_size=60))
def test_no_key_is_pressed_that_was_not_down_alone_twice(looks):
    debounce = Debounce()
    before = ""
    for down in looks:
        key = debounce.look(down)
        assert key in ("", down) and (not key or down == before)
        before = down


def test_number_pressed_on_bare_switches_is_a_scan(pins, heard, eventually):
    pad = Pad(pins)
    for number in (*ROW_PINS, *COLUMN_PINS):
        pins.pin(f"GPIO{number}")
    pad.solder()
    settings = MatrixKeypadSettings(row_pins=ROW_PINS, column_pins=COLUMN_PINS)
    keypad = MatrixKeypad("pad", Direction.ENTRY, settings, pins)
    taken = []
    take = keypad.take
    keypad.take = lambda data, mono: (taken.extend(data), take(data, mono))
    keypad.start(heard)
    for count, key in enumerate("7*1230#", 1):
        pad.down = key
        eventually(lambda count=count: len(taken) == count)
        pad.down = ""
        looks = pins.pin("GPIO13").states
        seen = len(looks)
        eventually(lambda seen=seen, looks=looks: len(looks) >= seen + 4)
    assert heard.next().payload == b"1230"
    keypad.stop()


def test_pad_whose_pins_go_is_lost_and_comes_back(pins, heard, eventually):
    settings = MatrixKeypadSettings(row_pins=ROW_PINS, column_pins=COLUMN_PINS)
    keypad = MatrixKeypad("pad", Direction.ENTRY, settings, pins)
    keypad.start(heard)
    eventually(lambda: len(pins.pins) == 7)
    row = pins.pin("GPIO5")
    row.broken = False
    assert not heard.next().present
    row.broken = None
    assert heard.next() == ReaderState("pad", True)
    keypad.stop()
