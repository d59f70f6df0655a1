"""What scanners that send one code after another share: framing, one scan a showing, and word of a code that begins."""

from __future__ import annotations

from gate.decoder.framing import Framer
from gate.drivers.byte_reader import ByteReader
from gate.drivers.repeat import RepeatFilter
from gate.model import PAYLOAD_MAX_BYTES, Direction


class LineReader(ByteReader):
    """Hands on one payload a scan: codes end with one of `terminators`, or by silence; `answer` is no code."""

    def __init__(
        self, name: str, direction: Direction, *, idle_gap_ms: int, repeat_s: float, terminators: bytes,
        answer: bytes = b"",
    ) -> None:
        super().__init__(name, direction)
        self._idle_gap_s = idle_gap_ms / 1000
        self._framer = Framer(self._idle_gap_s, PAYLOAD_MAX_BYTES, terminators)
        self._repeats = RepeatFilter(repeat_s)
        self._answer = answer

    def take(self, data: bytes, mono: float) -> None:
        payloads = self._framer.feed(data, mono)
        self.dropped = self._framer.dropped
        for payload in payloads:
            if payload != self._answer and self._repeats.is_new(payload, mono):
                self.offer(payload, mono)
        if data and self._framer.waiting:
            self.foretell()

    def silence_s(self) -> float | None:
        return self._idle_gap_s if self._framer.waiting else None

    def forget(self) -> None:
        self._framer.reset()
