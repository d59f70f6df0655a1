from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.drivers.keypad import Entry, Keypad, KeypadSettings
from gate.model import Direction, ReaderState, Scan

IDLE_S = 8.0


def typed(keys: bytes, entry: Entry | None = None, mono: float = 100.0) -> list[bytes]:
    entry = entry or Entry(digits_max=6, idle_s=IDLE_S)
    return [number for key in keys if (number := entry.press(key, mono)) is not None]


@pytest.mark.parametrize(("keys", "numbers"), [
    (b"123456#", [b"123456"]),
    (b"123456\r", [b"123456"]),
    (b"12\r\n34\r\n", [b"12", b"34"]),
    (b"007#", [b"007"]),
    (b"12*34#", [b"34"]),
    (b"12\x0834#", [b"34"]),
    (b"12\x1b34#", [b"34"]),
    (b"#\r\n", []),
    (b"1a2 3#", [b"123"]),
    (b"1234567#", []),
    (b"1234567#12#", [b"12"]),
    (b"12345678*12#", [b"12"]),
])
def test_keys_give_these_numbers(keys, numbers):
    assert typed(keys) == numbers


def test_half_typed_number_is_forgotten_after_the_time_out():
    entry = Entry(digits_max=6, idle_s=IDLE_S)
    typed(b"12", entry, mono=100.0)
    assert typed(b"34#", entry, mono=100.0 + IDLE_S) == [b"34"]


def test_slow_typing_within_the_time_out_is_one_number():
    entry = Entry(digits_max=6, idle_s=IDLE_S)
    typed(b"12", entry, mono=100.0)
    assert typed(b"34#", entry, mono=99.9 + IDLE_S) == [b"1234"]


def test_number_that_is_too_long_is_counted_not_shortened():
    entry = Entry(digits_max=6, idle_s=IDLE_S)
    assert typed(b"12345678901234#", entry) == []
    assert entry.dropped == 1


KEYS = st.integers(0, 255) | st.sampled_from(b"0123456789#")


@given(st.lists(st.tuples(KEYS, st.floats(0, 10) | st.just(0.0)), min_size=20, max_size=200))
def test_whatever_is_pressed_a_number_is_some_digits_within_the_limit(presses):
    entry, mono = Entry(digits_max=6, idle_s=IDLE_S), 0.0
    for key, pause_s in presses:
        mono += pause_s
        number = entry.press(key, mono)
        assert number is None or (number.isdigit() and 1 <= len(number) <= 6)


@pytest.fixture
def keypad_of(pty, heard):
    started = []

    def make(**settings) -> Keypad:
        keypad = Keypad("keypad", Direction.ENTRY, KeypadSettings(source=f"line:{pty.path}", **settings))
        keypad.start(heard)
        started.append(keypad)
        assert not heard.next().present
        pty.plug()
        assert heard.next() == ReaderState("keypad", True)
        return keypad

    yield make
    for keypad in started:
        keypad.stop()


def test_number_typed_on_a_line_is_a_scan_of_its_digits(keypad_of, pty, heard):
    keypad_of()
    pty.send(b"9*123456#")
    scan = heard.next()
    assert isinstance(scan, Scan)
    assert (scan.payload, scan.direction) == (b"123456", Direction.ENTRY)


def test_same_number_entered_twice_is_two_attempts(keypad_of, pty, heard):
    keypad_of()
    pty.send(b"123456#123456#")
    assert [heard.next().payload, heard.next().payload] == [b"123456", b"123456"]


def test_digits_typed_before_an_unplug_do_not_count_after_it(keypad_of, pty, heard):
    keypad_of()
    pty.send(b"99")
    pty.unplug()
    assert not heard.next().present
    pty.plug()
    assert heard.next().present
    pty.send(b"12#")
    assert heard.next().payload == b"12"


def test_pad_that_is_not_there_is_waited_for_with_the_fix(heard):
    keypad = Keypad("keypad", Direction.ENTRY, KeypadSettings(source="evdev:/dev/input/event99"))
    keypad.start(heard)
    assert "group input" in heard.next().detail
    keypad.stop()


def test_ten_thousand_random_entries_neither_end_the_reader_nor_pile_up(keypad_of, pty, heard):
    keypad = keypad_of()
    noise = random.Random(7)
    for _ in range(100):
        pty.send(b"".join(noise.randbytes(noise.randrange(1, 40)) + b"#" for _ in range(100)))
    pty.send(b"*424242#")
    while heard.next().payload != b"424242":
        pass
    assert not keypad._entry.begun
