"""What readers on a stream of bytes share: a thread that opens, reads, loses and opens again."""

from __future__ import annotations

import os
import select
import time
from abc import ABC, abstractmethod
from contextlib import closing
from threading import Thread
from typing import Protocol

from gate.drivers.base import ReaderSays
from gate.model import PAYLOAD_MAX_BYTES, CodeBegun, Direction, ReaderState, Scan

CHUNK_MAX_BYTES = 4096
"""The most bytes taken from a device at once, so that a flood is read in bounded pieces."""

ALIVE_S = 1.0
"""The longest that the thread waits before it shows that it runs."""

BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.25, 4.0


class ByteSource(Protocol):
    """An open device; every call raises OSError once the device has gone."""

    def fileno(self) -> int: ...

    def read(self) -> bytes:
        """What is there now, at most CHUNK_MAX_BYTES; called when the descriptor is readable."""
        ...

    def close(self) -> None: ...


class ByteReader(ABC):
    """A `Reader` whose driver says how to open the device and what its bytes mean.

    The methods below are called by the reading thread only. A device that is not there is waited for, and
    said to be absent once, and tried again after `backoff_first_s`, then ever more seldom.
    """

    backoff_first_s = BACKOFF_FIRST_S

    def __init__(self, name: str, direction: Direction) -> None:
        self.name = name
        self.direction = direction
        self.dropped = 0
        self._say: ReaderSays | None = None
        self._thread: Thread | None = None
        self._present = True
        self._backoff_s = self.backoff_first_s
        self._alive_mono = time.monotonic()
        self._wake_r = self._wake_w = -1

    @abstractmethod
    def open(self) -> ByteSource:
        """Open the device.

        Raises:
            OSError: it cannot be had now (DeviceError is one).
        """

    @abstractmethod
    def take(self, data: bytes, mono: float) -> None:
        """Bytes arrived at `mono` (none: the line was silent for `silence_s()`); `offer` what they complete."""

    def silence_s(self) -> float | None:
        """How long a silence has a meaning now, None when it has none."""
        return None

    def forget(self) -> None:  # noqa: B027  (a driver without framing has nothing to forget)
        """The device went: drop what was begun."""

    def offer(self, payload: bytes, mono: float, size: int = 0, *, card: bool = False) -> None:
        """Hand on one payload; one that is too long is dropped and counted."""
        if len(payload) > PAYLOAD_MAX_BYTES:
            self.dropped += 1
        elif self._say is not None:
            self._say(Scan(self.name, self.direction, payload, mono, size, card))

    def foretell(self) -> None:
        """Say that a code has begun."""
        if self._say is not None:
            self._say(CodeBegun(self.name))

    def start(self, say: ReaderSays) -> None:
        if self._thread is not None:
            return
        self._say = say
        self._present = True
        self._alive_mono = time.monotonic()
        self._wake_r, self._wake_w = os.pipe()
        self._thread = Thread(target=self._run, name=f"reader {self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            os.close(self._wake_w)  # readable at the other end: the thread wakes and returns
            thread.join()
            os.close(self._wake_r)

    def alive_mono(self) -> float:
        return self._alive_mono

    def _run(self) -> None:
        while True:
            try:
                with closing(self.open()) as source:
                    self._tell(True)
                    self._read(source)
                    return
            except OSError as error:
                self.forget()
                if self._stopping_within(0):
                    return
                self._tell(False, str(error))
            if self._stopping_within(self._backoff_s):
                return
            self._backoff_s = min(max(2 * self._backoff_s, BACKOFF_FIRST_S), BACKOFF_MAX_S)

    def _read(self, source: ByteSource) -> None:
        """Read until told to stop."""
        device = source.fileno()
        while True:
            silence_s = self.silence_s()
            wait_s = ALIVE_S if silence_s is None else min(silence_s, ALIVE_S)
            ready, _, _ = select.select((device, self._wake_r), (), (), wait_s)
            self._alive_mono = mono = time.monotonic()
            if self._wake_r in ready:
                return
            if device in ready:
                self.take(source.read(), mono)
                self._backoff_s = self.backoff_first_s
            elif silence_s is not None:
                self.take(b"", mono)

    def _stopping_within(self, wait_s: float) -> bool:
        end_mono = time.monotonic() + wait_s
        while True:
            self._alive_mono = time.monotonic()
            left_s = max(end_mono - self._alive_mono, 0.0)
            if select.select((self._wake_r,), (), (), min(left_s, ALIVE_S))[0]:
                return True
            if left_s <= ALIVE_S:
                return False

    def _tell(self, present: bool, detail: str = "") -> None:
        if present is not self._present and self._say is not None:
            self._present = present
            self._say(ReaderState(self.name, present, detail))
