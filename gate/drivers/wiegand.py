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
from gate.drivers.card_entry import CardEntry
from gate.drivers.edge_pipe import EdgePipe
from gate.drivers.pins import BcmPin, pin_faults
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
        self._entry = CardEntry(pin_s=settings.pin_s, digits_max=settings.digits_max, idle_s=settings.idle_s,
                                repeat_s=settings.repeat_s)

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

    def silence_s(self) -> float | None:
        return FRAME_GAP_S if self._bits else self._entry.silence_s()

    def forget(self) -> None:
        self._bits.clear()
        self._entry.forget()

    def _end_frame(self, mono: float) -> None:
        """Read the frame that a silence has ended by `mono`, if there is one."""
        if not self._bits or mono - self._bit_mono < FRAME_GAP_S:
            return
        bits, at_mono = self._bits.decode("ascii"), self._bit_mono
        self._bits.clear()
        try:
            if len(bits) in (4, 8):
                shown = self._entry.press(key_of(bits), at_mono)
            else:
                shown = self._entry.show(card.from_bits(bits).encode(), at_mono)
        except MalformedError:
            self.dropped += 1
            return
        if shown is not None:
            self.offer(shown.payload, at_mono, card=shown.card)


def key_of(bits: str) -> int:
    """The character of a key's burst: its number in four bits, or these behind their complement.

    Raises:
        MalformedError: no key of a pad, or the two halves disagree.
    """
    number = int(bits[-4:], 2)
    if number >= len(KEYS) or (len(bits) == 8 and int(bits[:4], 2) != 15 - number):
        raise MalformedError("no key of a number pad")
    return KEYS[number]
