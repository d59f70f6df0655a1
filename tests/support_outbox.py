"""An outbox in memory that seals real events: the ledger's promise to the uplink, without its disk."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from gate import wire
from gate.clock import SHIFT_START
from gate.model import EventKind


@dataclass(frozen=True)
class MemoryRow:
    seq: int
    body: bytes
    hash: bytes


class MemoryOutbox:
    """Flushes at once; forgets nothing by itself, so that a test can see what it was allowed to forget."""

    def __init__(self, site: str = "tan-thuan", gate: str = "cong-a", epoch: str = "e1") -> None:
        self.site, self.gate, self.epoch = site, gate, epoch
        self.rows: dict[int, MemoryRow] = {}
        self.flushed_seq = 0
        self.acked_seq = 0
        self._prev = wire.GENESIS
        self._changed = threading.Condition()

    def append(self, count: int = 1, kind: EventKind = EventKind.ACCESS_GRANTED, /, **data: object) -> None:
        """Write and flush `count` events."""
        with self._changed:
            for _ in range(count):
                seq = self.flushed_seq + 1
                body, self._prev = wire.seal(
                    source=wire.source(self.site, self.gate), epoch=self.epoch, seq=seq, prev=self._prev, kind=kind,
                    time=SHIFT_START, synced=True, data=dict(data) or {"n": seq})
                self.rows[seq] = MemoryRow(seq, body, self._prev)
                self.flushed_seq = seq
            self._changed.notify_all()

    def lose(self, seqs: Iterable[int]) -> None:
        """Let rows go that nobody acknowledged, as a full ring must."""
        with self._changed:
            for seq in seqs:
                del self.rows[seq]

    def batch(self, first: int, last: int) -> bytes:
        """The payload that carries rows `first` to `last`."""
        return wire.join_batch([self.rows[seq].body for seq in range(first, last + 1) if seq in self.rows])

    def rows_after(self, seq: int, limit: int) -> list[MemoryRow]:
        with self._changed:
            if seq + limit in self.rows and seq + 1 in self.rows:
                return [row for n in range(seq + 1, seq + limit + 1) if (row := self.rows.get(n))]
            return [self.rows[n] for n in sorted(self.rows) if n > seq][:limit]

    def wait_flushed(self, after_seq: int, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.flushed_seq > after_seq, timeout_s)

    def hash_at(self, seq: int) -> bytes | None:
        row = self.rows.get(seq)
        return row.hash if row else None

    def delivered(self, epoch: str, up_to_seq: int) -> None:
        assert epoch == self.epoch
        with self._changed:
            self.acked_seq = max(self.acked_seq, up_to_seq)
            self._changed.notify_all()

    def wait_acked(self, seq: int, timeout_s: float = 30.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.acked_seq >= seq, timeout_s), f"acked only {self.acked_seq}"
