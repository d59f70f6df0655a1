"""A card reader on two Wiegand wires, with or without keys: 26 and 34 bits, keys of 4 or 8 bits (SIA AC-01).

D0 and D1 rest high and go low for 20 to 100 us a bit. A Pi's pins take 3.3 V: a reader's 5 V need a level shifter.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gate import config
from gate.decoder import card
from gate.drivers.byte_reader import ByteReader
from gate.drivers.edge_pipe import EdgePipe
from gate.drivers.keypad import CLEAR, Entry
from gate.drivers.pins import BcmPin, pin_faults
from gate.drivers.repeat import RepeatFilter
from gate.errors import MalformedError
from gate.model import Direction

if TYPE_CHECKING:
    from gpiozero import Factory

FRAME_GAP_S = 0.025
"""Silence that ends a frame; its bits come at most 20 ms apart."""
BITS_MAX = 64
"""More bits without a silence are noise; they are dropped up to the next one."""
KEYS = b"0123456789*#"
EDGE = struct.Struct("=dc")
"""When a bit came (monotonic seconds, noted on the pin's thread), and which."""


class WiegandSettings(config.Section, frozen=True, kw_only=True):
    """The two wires, and whether a card asks for a PIN."""

    d0_pin: BcmPin
    d1_pin: BcmPin
    pin_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    """How long a card waits for its PIN and enter (`#`); 0: a card is enough."""
    digits_max: Annotated[int, Meta(ge=4, le=32)] = 16
    """The longest number that can be typed."""
    idle_s: Annotated[float, Meta(gt=0, le=60)] = 8.0
    """Digits left untouched for this long are forgotten."""
    repeat_s: Annotated[float, Meta(ge=0, le=60)] = 3.0
    """The same card again within this time is the same scan."""


class WiegandReader(ByteReader):
    """Hands on cards, cards with their PIN, and numbers typed without a card."""

    Settings = WiegandSettings

    def __init__(self, name: str, direction: Direction, settings: WiegandSettings, pins: Factory) -> None:
        super().__init__(name, direction)
        self._settings = settings
        self._pins = pins
        self._bits = bytearray()
        self._bit_mono = 0.0
        self._card = ""
        self._card_mono = 0.0
        self._entry = Entry(settings.digits_max, settings.idle_s)
        self._repeats = RepeatFilter(settings.repeat_s)

    def open(self) -> EdgePipe:
        from gpiozero import DigitalInputDevice  # noqa: PLC0415  (see gate.drivers.pins.open_output)

        pipe = EdgePipe(EDGE.size)
        try:
            for bit, pin in ((b"0", self._settings.d0_pin), (b"1", self._settings.d1_pin)):
                with pin_faults(f"reader {self.name}", pin):
                    wire = pipe.undo.enter_context(DigitalInputDevice(pin, pull_up=True, pin_factory=self._pins))
                    wire.when_activated = lambda bit=bit: pipe.send(EDGE.pack(time.monotonic(), bit))
        except OSError:
            pipe.close()
            raise
        return pipe

    def take(self, data: bytes, mono: float) -> None:
        for at_mono, bit in EDGE.iter_unpack(data):
            self._end_frame(at_mono)
            self._bit_mono = at_mono
            if len(self._bits) <= BITS_MAX:
                self._bits += bit
        self._end_frame(mono)
        self._entry.expire(mono)
        if self._card and mono - self._card_mono >= self._settings.pin_s:
            self._card = ""

    def silence_s(self) -> float | None:
        if self._bits:
            return FRAME_GAP_S
        return self._settings.pin_s if self._card else self._settings.idle_s if self._entry.begun else None

    def forget(self) -> None:
        self._bits.clear()
        self._card = ""
        self._entry.clear()

    def _end_frame(self, mono: float) -> None:
        """Read the frame that a silence has ended by `mono`, if there is one."""
        if not self._bits or mono - self._bit_mono < FRAME_GAP_S:
            return
        bits, at_mono = self._bits.decode("ascii"), self._bit_mono
        self._bits.clear()
        try:
            if len(bits) in (4, 8):
                self._press(key_of(bits), at_mono)
            else:
                self._show(card.from_bits(bits), at_mono)
        except MalformedError:
            self.dropped += 1

    def _show(self, text: str, mono: float) -> None:
        self._entry.clear()
        if self._settings.pin_s:
            self._card, self._card_mono = text, mono
        elif self._repeats.is_new(text.encode(), mono):
            self.offer(text.encode(), mono, card=True)

    def _press(self, key: int, mono: float) -> None:
        number = self._entry.press(key, mono)
        if key in CLEAR:
            self._card = ""
        elif number is not None and self._card:
            shown, self._card = self._card.encode(), ""
            self.offer(shown + b"#" + number, mono, card=True)
        elif number is not None:
            self.offer(number, mono)


def key_of(bits: str) -> int:
    """The character of a key's burst: its number in four bits, or these behind their complement.

    Raises:
        MalformedError: no key of a pad, or the two halves disagree.
    """
    number = int(bits[-4:], 2)
    if number >= len(KEYS) or (len(bits) == 8 and int(bits[:4], 2) != 15 - number):
        raise MalformedError("no key of a number pad")
    return KEYS[number]
