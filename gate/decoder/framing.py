"""Cuts a stream of bytes into payloads: at a terminator, or where the line fell silent. Pure."""

from __future__ import annotations


class Framer:
    """Collects bytes until a boundary and hands on what stood between two of them.

    A boundary is any byte of `terminators`, or a silence of at least `idle_gap_s`. Of a frame longer than
    `max_bytes` nothing is kept up to its boundary; it is counted in `dropped`. Empty frames are not frames.
    """

    def __init__(self, idle_gap_s: float, max_bytes: int, terminators: bytes = b"\r\n") -> None:
        self.dropped = 0
        self._idle_gap_s = idle_gap_s
        self._max_bytes = max_bytes
        self._unify = bytes.maketrans(terminators, terminators[:1] * len(terminators))
        self._terminator = terminators[:1]
        self._frame = bytearray()
        self._overlong = False
        self._fed_mono = 0.0

    def feed(self, data: bytes, mono: float) -> list[bytes]:
        """Take bytes that arrived at `mono` and return the payloads that they complete."""
        payloads = self.flush(mono)
        if data:
            self._fed_mono = mono
        *ended, rest = data.translate(self._unify).split(self._terminator) if self._terminator else [data]
        for part in ended:
            self._append(part)
            payloads += self._end()
        self._append(rest)
        return payloads

    def flush(self, mono: float) -> list[bytes]:
        """Return the payload that a silence has ended by `mono`, if there is one."""
        return self._end() if self.waiting and mono - self._fed_mono >= self._idle_gap_s else []

    def reset(self) -> None:
        """Forget a begun frame: its line was cut."""
        self._frame.clear()
        self._overlong = False

    @property
    def waiting(self) -> bool:
        """Whether a frame has begun that silence would end."""
        return bool(self._frame) or self._overlong

    def _append(self, part: bytes) -> None:
        if self._overlong or len(self._frame) + len(part) > self._max_bytes:
            self._overlong = True
            self._frame.clear()
        else:
            self._frame += part

    def _end(self) -> list[bytes]:
        payload = bytes(self._frame)
        self.dropped += self._overlong
        self.reset()
        return [payload] if payload else []
