from __future__ import annotations

import os
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.drivers.evdev_keys import CAPS_LOCK, EV_KEY, EV_SYN, EVENT, PLAIN, SHIFTED, SYN_DROPPED, EvdevKeys, KeyLayout
from gate.drivers.keyboard_scanner import KeyboardScanner, KeyboardScannerSettings
from gate.errors import DeviceError
from gate.model import PAYLOAD_MAX_BYTES, Direction, ReaderState, Scan

LEFT_SHIFT = 42
PATIENCE_S = 20.0


def event(kind: int, code: int, value: int) -> bytes:
    return EVENT.pack(0, 0, kind, code, value)


def stroke(code: int) -> bytes:
    """A key down, held, and up, each with its report."""
    return b"".join(event(EV_KEY, code, value) + event(EV_SYN, 0, 0) for value in (1, 2, 0))


def typed(text: str) -> bytes:
    """What a scanner on a USB plug sends for ASCII `text`."""
    strokes = []
    for character in text:
        code = next((code for code, key in PLAIN.items() if key == character), None)
        if code is not None:
            strokes.append(stroke(code))
        else:
            code = next(code for code, key in SHIFTED.items() if key == character)
            strokes.append(event(EV_KEY, LEFT_SHIFT, 1) + stroke(code) + event(EV_KEY, LEFT_SHIFT, 0))
    return b"".join(strokes)


class Recorded:
    """An input device that plays what is sent to it, as a kernel without uinput can have."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR)

    def send(self, events: bytes) -> None:
        while events:
            events = events[os.write(self._fd, events[:EVENT.size * 64]):]

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def recorded(tmp_path):
    devices = []

    def make(name: str) -> Recorded:
        devices.append(Recorded(tmp_path / name))
        return devices[-1]

    yield make
    for device in devices:
        device.close()


@pytest.fixture
def scanner_of(heard):
    started = []

    class OnRecorded(KeyboardScanner):
        def __init__(self, *made_of: object) -> None:
            super().__init__(*made_of)
            self.grabbed: list[int] = []
            self.opened = Event()

        def open(self) -> EvdevKeys:
            keys = EvdevKeys(self._settings.port, self.grabbed.append)
            self.opened.set()
            return keys

    def make(device: Recorded, **settings: object) -> KeyboardScanner:
        scanner = OnRecorded("usb", Direction.ENTRY, KeyboardScannerSettings(port=str(device.path), **settings))
        scanner.start(heard)
        started.append(scanner)
        assert scanner.opened.wait(PATIENCE_S)
        return scanner

    yield make
    for scanner in started:
        scanner.stop()


ASCII = "".join(map(chr, range(32, 127)))


def test_every_printable_ascii_character_can_be_typed():
    assert KeyLayout().type(typed(ASCII)) == ASCII.encode()


def test_caps_lock_turns_letters_round_and_leaves_digits():
    assert KeyLayout().type(stroke(CAPS_LOCK) + typed("aB1%")) == b"Ab1%"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 0xFFFF), st.integers(-2, 2)), max_size=50))
def test_whatever_an_input_device_says_becomes_ascii_or_a_device_error(events):
    try:
        text = KeyLayout().type(b"".join(event(*each) for each in events))
    except DeviceError:
        assert (EV_SYN, SYN_DROPPED) in {each[:2] for each in events}
    else:
        assert text.isascii()
        assert len(text) <= len(events)


def test_lost_keys_are_a_fault_and_no_shorter_code():
    with pytest.raises(DeviceError, match="scan again"):
        KeyLayout().type(typed("12") + event(EV_SYN, SYN_DROPPED, 0) + typed("34"))


def test_device_that_is_no_input_device_is_not_grabbed_and_the_message_says_what_to_do(recorded):
    with pytest.raises(DeviceError, match="group input"):
        EvdevKeys(str(recorded("fifo").path))


def test_code_that_is_typed_is_one_scan_and_the_same_again_is_none(recorded, scanner_of, heard):
    device = recorded("scanner")
    scanner_of(device)
    device.send(typed("GP1:AB%C\rGP1:AB%C\rHC1:X\r"))
    assert [heard.next().payload, heard.next().payload] == [b"GP1:AB%C", b"HC1:X"]


def test_silence_ends_a_code_without_an_enter(recorded, scanner_of, heard):
    device = recorded("scanner")
    scanner_of(device, idle_gap_ms=20)
    device.send(typed("12345"))
    assert heard.next().payload == b"12345"


def test_code_that_is_too_long_is_dropped_and_counted(recorded, scanner_of, heard):
    device = recorded("scanner")
    scanner = scanner_of(device, idle_gap_ms=2_000)
    device.send(typed("x" * (PAYLOAD_MAX_BYTES + 1) + "\r123\r"))
    assert heard.next().payload == b"123"
    assert scanner.dropped == 1


def test_hundred_thousand_keys_of_another_keyboard_have_no_effect(recorded, scanner_of, heard):
    device, other = recorded("scanner"), recorded("other")
    scanner = scanner_of(device)
    events = typed("1234567890123456789\r" * 50)
    drain = os.open(other.path, os.O_RDONLY | os.O_NONBLOCK)
    for _ in range(100):  # 100 x 1,000 keys
        for at in range(0, len(events), 48_000):
            other.send(events[at:at + 48_000])
            while len(os.read(drain, 1 << 16)) == 1 << 16:
                pass
    os.close(drain)
    device.send(typed("GP1:MINE\r"))
    said = heard.next()
    assert isinstance(said, Scan)
    assert said.payload == b"GP1:MINE"
    assert heard.nothing()
    assert len(scanner.grabbed) == 1


def test_keys_that_are_lost_are_told_and_the_next_code_is_read(recorded, scanner_of, heard):
    device = recorded("scanner")
    scanner_of(device)
    device.send(typed("12") + event(EV_SYN, SYN_DROPPED, 0))
    assert "scan again" in heard.next().detail
    assert heard.next() == ReaderState("usb", True)
    device.send(typed("345\r"))
    assert heard.next().payload == b"345"
