"""A number pad for people without a phone: digits, clear, enter."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gate import config
from gate.drivers.byte_reader import ByteReader, ByteSource
from gate.drivers.evdev_keys import EvdevKeys
from gate.drivers.serial_line import Baud, SerialLine
from gate.model import Direction

ENTER, CLEAR = b"#\r\n", b"*\x1b\x08\x7f"
DIGITS_MAX = 32


class KeypadSettings(config.Section, frozen=True, kw_only=True):
    """Where the keys come from, and when a half-typed number is forgotten."""

    source: Annotated[str, Meta(pattern="^(evdev|line):.+")]
    """`evdev:/dev/input/by-id/...` for a USB pad, `line:/dev/...` for one that sends characters."""
    baud: Baud = 9600
    """For a `line:` source."""
    digits_max: Annotated[int, Meta(ge=1, le=DIGITS_MAX)] = 16
    idle_s: Annotated[float, Meta(gt=0, le=60)] = 8.0
    """Digits left untouched for this long are forgotten: the next person starts afresh."""


class Entry:
    """What has been typed so far. Pure: time arrives as `mono`.

    Keys are bytes: digits, ENTER (`#`, CR, LF) and CLEAR (`*`, escape, backspace, delete); others do nothing.
    A number of more than `digits_max` digits is void up to its enter, and counted in `dropped`: cutting it
    short would enter somebody else's number.
    """

    def __init__(self, digits_max: int, idle_s: float) -> None:
        self.dropped = 0
        self._digits_max = digits_max
        self._idle_s = idle_s
        self._digits = bytearray()
        self._void = False
        self._pressed_mono = 0.0

    def press(self, key: int, mono: float) -> bytes | None:
        """Take one key and return the whole number when it was enter."""
        self.expire(mono)
        self._pressed_mono = mono
        if key in CLEAR:
            self.clear()
        elif key in ENTER:
            number = bytes(self._digits)
            self.dropped += self._void
            self.clear()
            return number or None
        elif key in b"0123456789":
            if len(self._digits) == self._digits_max:
                self._digits.clear()
                self._void = True
            elif not self._void:
                self._digits.append(key)
        return None

    def expire(self, mono: float) -> None:
        """Forget the digits if they have been left for `idle_s`."""
        if mono - self._pressed_mono >= self._idle_s:
            self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._digits.clear()
        self._void = False

    @property
    def begun(self) -> bool:
        """Whether there is something to forget."""
        return bool(self._digits) or self._void


class NumberPad(ByteReader):
    """Hands on each number as its digits, once it is entered."""

    def __init__(self, name: str, direction: Direction, digits_max: int, idle_s: float) -> None:
        super().__init__(name, direction)
        self._idle_s = idle_s
        self._entry = Entry(digits_max, idle_s)

    def take(self, data: bytes, mono: float) -> None:
        self._entry.expire(mono)
        for key in data:
            number = self._entry.press(key, mono)
            self.dropped = self._entry.dropped
            if number is not None:
                self.offer(number, mono)

    def silence_s(self) -> float | None:
        return self._idle_s if self._entry.begun else None

    def forget(self) -> None:
        self._entry.clear()


class Keypad(NumberPad):
    """A pad on USB or on a line."""

    Settings = KeypadSettings

    def __init__(self, name: str, direction: Direction, settings: KeypadSettings) -> None:
        super().__init__(name, direction, settings.digits_max, settings.idle_s)
        self._settings = settings

    def open(self) -> ByteSource:
        kind, _, path = self._settings.source.partition(":")
        return SerialLine(path, self._settings.baud) if kind == "line" else EvdevKeys(path)
