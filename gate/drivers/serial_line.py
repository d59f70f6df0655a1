"""A serial port, opened for this process alone and with its control lines set beforehand."""

from __future__ import annotations

import os
from typing import Literal

import serial

from gate.drivers.byte_reader import CHUNK_MAX_BYTES
from gate.errors import DeviceError

Baud = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600]


class SerialLine:
    """An open port in raw mode, 8N1: a `ByteSource`.

    Raises:
        DeviceError: it is not there, not ours to open, or another process has it.
    """

    def __init__(
        self, path: str, baud: int, *, dtr: bool = True, rts: bool = True, start_command: bytes = b""
    ) -> None:
        # Made closed, so that the control lines have their level when the port opens: some scanners
        # take a toggle of DTR for a reset. pyserial would share the port unless told otherwise.
        self._port = serial.Serial(baudrate=baud, timeout=0, write_timeout=1.0, exclusive=True)
        self._port.dtr, self._port.rts = dtr, rts
        self._port.port = path
        try:
            self._port.open()
            self._port.write(start_command)
        except (OSError, ValueError) as error:
            self._port.close()
            raise DeviceError(f"{path}: {_fix(error)} ({error})") from error

    def fileno(self) -> int:
        return int(self._port.fileno())

    def read(self) -> bytes:
        """What has arrived, up to CHUNK_MAX_BYTES; pyserial would ask again whether there is anything."""
        if not (data := os.read(self.fileno(), CHUNK_MAX_BYTES)):
            raise DeviceError("the line is readable and holds nothing: the device has gone")
        return data

    def read_now(self, bytes_max: int) -> bytes:
        """What has arrived by now, perhaps nothing."""
        data: bytes = self._port.read(bytes_max)
        return data

    def write(self, data: bytes) -> int:
        """Send it; how many bytes went."""
        return int(self._port.write(data) or 0)

    def close(self) -> None:
        self._port.close()


def _fix(error: Exception) -> str:
    text = str(error)
    if "exclusively lock" in text:
        return "another process has this port; stop it (fuser PATH names it)"
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return "this user may not open it; add the user to the group dialout"
    if "No such file" in text:
        return "not there; plug it in, or look for its name in /dev/serial/by-id"
    return "cannot be opened"
