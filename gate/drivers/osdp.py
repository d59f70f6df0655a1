"""A card reader on RS-485 that speaks OSDP (IEC 60839-11-5), inside its secure channel only, through libosdp.

The reader has to hold the site's own key (SCBK) already: a gate that handed out the key, or talked under the well-known
one, would be heard by whoever holds the two wires.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Any

from msgspec import Meta

from gate import config
from gate.decoder import card
from gate.drivers.byte_reader import ByteReader
from gate.drivers.card_entry import CardEntry, Shown
from gate.drivers.edge_pipe import EdgePipe
from gate.drivers.keypad import DIGITS_MAX
from gate.drivers.serial_line import Baud, SerialLine
from gate.errors import DeviceError, MalformedError
from gate.model import Direction

REFRESH_S = 0.02
"""How often the bus is served: a poll every 50 ms is the library's own."""
CHANNEL_MAX_S = 2.0
"""How long a reader may take to open its secure channel."""
KEY_BYTES = 16
LINE_MAX_BYTES = 300
CARD, KEYS, END = b"C", b"K", b"\n"


class OsdpSettings(config.Section, frozen=True, kw_only=True):
    """Where the reader is on the bus, and the key of its secure channel."""

    port: Annotated[str, Meta(min_length=1, description="prefer /dev/serial/by-id/...: it survives replugging")]
    baud: Baud = 9600
    address: Annotated[int, Meta(ge=0, le=126)] = 0
    key_file: Path
    """The reader's own key (SCBK): 32 hexadecimal digits."""
    pin_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    """How long a card waits for its PIN and enter (`#`); 0: a card is enough."""
    idle_s: Annotated[float, Meta(gt=0, le=60)] = 8.0
    """Digits left untouched for this long are forgotten."""
    repeat_s: Annotated[float, Meta(ge=0, le=60)] = 3.0
    """The same card again within this time is the same scan."""


class Wire:
    """The three calls that the library makes of a line."""

    id = 0

    def __init__(self, line: SerialLine) -> None:
        self._line = line

    def read(self, bytes_max: int) -> bytes:
        return self._line.read_now(bytes_max)

    def write(self, data: bytes) -> int:
        return self._line.write(data)

    def flush(self) -> None:
        """Nothing is kept back."""


class OsdpBus(EdgePipe):
    """Serves the bus on a thread of its own, and sends a line for each card and key.

    Raises:
        DeviceError: the line cannot be had, or the reader does not open its secure channel.
    """

    def __init__(self, settings: OsdpSettings) -> None:
        super().__init__()
        try:
            import osdp_sys  # noqa: PLC0415
        except ImportError as error:
            self.close()
            raise DeviceError(f"OSDP: {error}; install the extra `osdp`") from error
        try:
            line = SerialLine(settings.port, settings.baud)
            self.undo.callback(line.close)
            osdp_sys.set_loglevel(osdp_sys.LOG_CRIT)
            self._panel = osdp_sys.ControlPanel([{
                "name": "reader", "address": settings.address, "flags": osdp_sys.FLAG_ENFORCE_SECURE,
                "scbk": _key(settings.key_file), "channel": Wire(line), "version": 1, "model": 1, "vendor_code": 0,
                "serial_number": 0, "firmware_version": 0,
            }])
            self._card_read, self._key_press = osdp_sys.EVENT_CARDREAD, osdp_sys.EVENT_KEYPRESS
            self._panel.set_event_callback(self._hear)
            self._stopping = Event()
            self._open_channel(settings)
        except OSError:
            super().close()
            raise
        self._server = Thread(target=self._serve, name="osdp", daemon=True)
        self._server.start()

    def close(self) -> None:
        if hasattr(self, "_server"):
            self._stopping.set()
            self._server.join()
        super().close()

    def _open_channel(self, settings: OsdpSettings) -> None:
        end_mono = time.monotonic() + CHANNEL_MAX_S
        while not self._panel.sc_status():
            if time.monotonic() >= end_mono:
                raise DeviceError(f"{settings.port}: reader {settings.address} opens no secure channel; check A and B, "
                                  "its address, its baud rate, and that it holds the key of key_file")
            self._refresh()
            self._stopping.wait(REFRESH_S)

    def _refresh(self) -> None:
        try:
            self._panel.refresh()
        except SystemError as error:  # how the library passes on what its line raised
            raise DeviceError(f"OSDP: {error.__cause__ or error}; is the adapter still plugged in?") from error

    def _serve(self) -> None:
        try:
            while not self._stopping.wait(REFRESH_S):
                self._refresh()
                if not self._panel.sc_status():
                    break
        except DeviceError:
            pass  # the reading thread finds the pipe ended, and opens the line again
        finally:
            self.end()

    def _hear(self, _reader: int, event: dict[str, Any]) -> int:
        data = bytes(event.get("data", b""))
        if event["event"] == self._card_read:
            bits = "".join(f"{byte:08b}" for byte in data)[:event.get("length", 0)]
            self.send(CARD + bits.encode() + END)
        elif event["event"] == self._key_press:
            self.send(KEYS + bytes(key for key in data if key in b"0123456789*#\r\x7f") + END)
        return 0


class OsdpReader(ByteReader):
    """Hands on cards, cards with their PIN, and numbers typed without a card."""

    Settings = OsdpSettings

    def __init__(self, name: str, direction: Direction, settings: OsdpSettings) -> None:
        super().__init__(name, direction)
        self._settings = settings
        self._line = bytearray()
        self._entry = CardEntry(pin_s=settings.pin_s, digits_max=DIGITS_MAX, idle_s=settings.idle_s,
                                repeat_s=settings.repeat_s)

    def open(self) -> OsdpBus:
        return OsdpBus(self._settings)

    def take(self, data: bytes, mono: float) -> None:
        self._entry.expire(mono)
        *lines, rest = (bytes(self._line) + data).split(END)
        self._line[:] = rest[:LINE_MAX_BYTES]
        for line in lines:
            for shown in self._card(line[1:], mono) if line[:1] == CARD else self._keys(line[1:], mono):
                if shown is not None:
                    self.offer(shown.payload, mono, card=shown.card)

    def silence_s(self) -> float | None:
        return self._entry.silence_s()

    def forget(self) -> None:
        self._line.clear()
        self._entry.forget()

    def _keys(self, keys: bytes, mono: float) -> list[Shown | None]:
        return [self._entry.press(key, mono) for key in keys]

    def _card(self, bits: bytes, mono: float) -> list[Shown | None]:
        try:
            return [self._entry.show(card.from_raw(bits.decode("ascii")).encode(), mono)]
        except MalformedError:
            self.dropped += 1
            return []


def _key(file: Path) -> bytes:
    try:
        key = bytes.fromhex(file.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise DeviceError(f"{file}: {error}; write the reader's key (SCBK) there, 32 hexadecimal digits") from error
    if len(key) != KEY_BYTES:
        raise DeviceError(f"{file}: a key of {len(key)} bytes; a reader's key (SCBK) has {KEY_BYTES}")
    return key
