"""A USB scanner that types its codes as a keyboard would (US layout), for models without a virtual serial port."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gate import config
from gate.drivers.evdev_keys import EvdevKeys
from gate.drivers.line_reader import LineReader
from gate.model import Direction

ENTER = b"\r"


class KeyboardScannerSettings(config.Section, frozen=True, kw_only=True):
    """Which device; ASCII codes only: for Vietnamese letters (ID cards) set the scanner to a serial port."""

    port: Annotated[str, Meta(min_length=1, description="prefer /dev/input/by-id/...-event-kbd")]
    idle_gap_ms: Annotated[int, Meta(ge=20, le=2_000)] = 200
    """Silence that ends a code whose scanner types no enter."""
    repeat_s: Annotated[float, Meta(ge=0, le=60)] = 3.0
    """The same code again within this time is the same scan."""


class KeyboardScanner(LineReader):
    """Hands on what the scanner types, one payload a scan; the device is taken from the console."""

    Settings = KeyboardScannerSettings

    def __init__(self, name: str, direction: Direction, settings: KeyboardScannerSettings) -> None:
        super().__init__(name, direction, idle_gap_ms=settings.idle_gap_ms, repeat_s=settings.repeat_s,
                         terminators=ENTER)
        self._settings = settings

    def open(self) -> EvdevKeys:
        return EvdevKeys(self._settings.port)
