"""Lets a reader on pins be a `ByteReader`: what the pins say goes through a pipe to the reading thread."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress

from gate.drivers.byte_reader import CHUNK_MAX_BYTES
from gate.errors import DeviceError


class EdgePipe:
    """A `ByteSource` that other threads write to; `undo` closes what feeds it.

    A full pipe (64 KiB: the reading thread hangs) drops what comes, whole records at a time.
    """

    def __init__(self, record_bytes: int = 1) -> None:
        self.undo = ExitStack()
        self._chunk_bytes = CHUNK_MAX_BYTES // record_bytes * record_bytes
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def send(self, record: bytes) -> None:
        """Called by the pins' threads; `record` is at most PIPE_BUF bytes, so it arrives whole or not at all."""
        with suppress(BlockingIOError):
            os.write(self._write_fd, record)

    def fileno(self) -> int:
        return self._read_fd

    def read(self) -> bytes:
        """What was sent, in whole records.

        Raises:
            DeviceError: whoever sends has given up (`end`).
        """
        if not (data := os.read(self._read_fd, self._chunk_bytes)):
            raise DeviceError("the pins can no longer be read; check the wiring")
        return data

    def end(self) -> None:
        """Have the reader see that nothing comes any more."""
        fd, self._write_fd = self._write_fd, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        with suppress(Exception):  # a pin may have gone with its chip
            self.undo.close()
        self.end()
        os.close(self._read_fd)
