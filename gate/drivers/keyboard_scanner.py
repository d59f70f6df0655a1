"""A USB scanner that types its codes as a keyboard would (US layout), for models without a virtual serial port."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gate import config
from gate.decoder.framing import Framer
from gate.drivers.byte_reader import ByteReader
from gate.drivers.evdev_keys import EvdevKeys
from gate.drivers.repeat import RepeatFilter
from gate.model import PAYLOAD_MAX_BYTES, Direction

ENTER = b"\r"


class KeyboardScannerSettings(config.Section, frozen=True, kw_only=True):
    """Which device; ASCII codes only: for Vietnamese letters (ID cards) set the scanner to a serial port."""

    port: Annotated[str, Meta(min_length=1, description="prefer /dev/input/by-id/...-event-kbd")]
    idle_gap_ms: Annotated[int, Meta(ge=20, le=2_000)] = 200
    """Silence that ends a code whose scanner types no enter."""
    repeat_s: Annotated[float, Meta(ge=0, le=60)] = 3.0
    """The same code again within this time is the same scan."""


class KeyboardScanner(ByteReader):
    """Hands on what the scanner types, one payload a scan; the device is taken from the console."""

    Settings = KeyboardScannerSettings

    def __init__(self, name: str, direction: Direction, settings: KeyboardScannerSettings) -> None:
        super().__init__(name, direction)
        self._settings = settings
        self._idle_gap_s = settings.idle_gap_ms / 1000
        self._framer = Framer(self._idle_gap_s, PAYLOAD_MAX_BYTES, ENTER)
        self._repeats = RepeatFilter(settings.repeat_s)

    def open(self) -> EvdevKeys:
        return EvdevKeys(self._settings.port)

    def take(self, data: bytes, mono: float) -> None:
        payloads = self._framer.feed(data, mono)
        self.dropped = self._framer.dropped
        for payload in payloads:
            if self._repeats.is_new(payload, mono):
                self.offer(payload, mono)
        if data and self._framer.waiting:
            self.foretell()

    def silence_s(self) -> float | None:
        return self._idle_gap_s if self._framer.waiting else None

    def forget(self) -> None:
        self._framer.reset()
