"""A code scanner on a serial line (RS-232, or USB that shows up as one)."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from gate import config
from gate.drivers.line_reader import LineReader
from gate.drivers.serial_line import Baud, SerialLine
from gate.model import Direction


class Preset(NamedTuple):
    """What a make of scanners is sent so that it reads by itself, and its answer, which is no code."""

    command: bytes
    answer: bytes


PRESETS = {
    # GROW GM65/GM805/GM861 (also Waveshare's), user manual: write 0xD6 to zone 0x0000; AB CD stands for any checksum.
    "grow": Preset(bytes.fromhex("7E 00 08 01 00 00 D6 AB CD"), bytes.fromhex("02 00 00 01 00 33 31")),
    # Honeywell (Xenon, Genesis, Youjie), user's guide, serial programming: presentation mode, `!` until power is lost.
    "honeywell": Preset(b"\x16M\rPAPPM3!", b"PAPPM3\x06!"),
    # Newland (EM, FM), serial programming command manual: sense mode, `#` until power is lost.
    "newland": Preset(b"~\x010000#SCNMOD2;\x03", b"\x02\x010000#SCNMOD2\x06;\x03"),
}

TERMINATORS = {"any": b"\r\n", "cr": b"\r", "lf": b"\n", "none": b""}


class SerialSettings(config.Section, frozen=True, kw_only=True):
    """Which port, how fast, and how the scanner ends a code."""

    port: Annotated[str, Meta(min_length=1, description="prefer /dev/serial/by-id/...: it survives replugging")]
    baud: Baud = 9600
    terminator: Literal["any", "cr", "lf", "none"] = "any"
    """What ends a code beside silence; `none` for codes that contain line ends themselves."""
    idle_gap_ms: Annotated[int, Meta(ge=5, le=2_000)] = 50
    """Silence that ends a code whose scanner sends no terminator."""
    dtr: bool = True
    rts: bool = True
    preset: Literal["none", "grow", "honeywell", "newland"] = "none"
    """Has a module of this make read by itself, without a trigger, from when it appears."""
    start_hex: Annotated[str, Meta(pattern="^([0-9A-Fa-f]{2} ?)*$", max_length=192)] = ""
    """Bytes that the scanner needs to be sent then as well, e.g. `16 54 0D`."""
    repeat_s: Annotated[float, Meta(ge=0, le=60)] = 3.0
    """The same code again within this time is the same scan."""


class SerialScanner(LineReader):
    """Hands on what the scanner sends, one payload a scan."""

    Settings = SerialSettings

    def __init__(self, name: str, direction: Direction, settings: SerialSettings) -> None:
        self._settings = settings
        self._preset = PRESETS.get(settings.preset, Preset(b"", b""))
        super().__init__(name, direction, idle_gap_ms=settings.idle_gap_ms, repeat_s=settings.repeat_s,
                         terminators=TERMINATORS[settings.terminator], answer=self._preset.answer)

    def open(self) -> SerialLine:
        settings = self._settings
        return SerialLine(
            settings.port, settings.baud, dtr=settings.dtr, rts=settings.rts,
            start_command=self._preset.command + bytes.fromhex(settings.start_hex),
        )
