"""How far the feed has gone: what is sent, what may be forgotten, when to send again. Pure: time arrives as `mono`.

A cumulative go-back-N over MQTT. `sent_seq` runs ahead of `acked_seq`; it falls back to it when a connection ends,
when the recorder shows that it missed something, and when the recorder is heard again after a silence. While
it is silent one batch at a time is offered again, at growing intervals: a broker's queue is not a landfill.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gate.wire import BATCH_MAX_BYTES, Ack

WINDOW_EVENTS = 4096
"""So far may the sending run ahead: a broker drops what its queue for the recorder cannot hold."""
PATIENCE_S = 10.0
PATIENCE_MAX_S = 300.0
REWIND_MIN_S = 1.0
"""What the recorder missed is sent again at most this often: its later words about one loss are one loss."""


class Row(Protocol):
    """One flushed event of the ledger."""

    @property
    def seq(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...


class Outbox(Protocol):
    """What the uplink needs of the ledger; every call may come from the uplink's threads."""

    @property
    def epoch(self) -> str: ...
    @property
    def flushed_seq(self) -> int: ...
    @property
    def acked_seq(self) -> int: ...

    def rows_after(self, seq: int, limit: int) -> Sequence[Row]:
        """Up to `limit` flushed rows that follow `seq`, in order; seqs jump where rows were lost or pruned."""
        ...

    def wait_flushed(self, after_seq: int, timeout_s: float) -> bool:
        """Wait until something after `after_seq` is flushed."""
        ...

    def hash_at(self, seq: int) -> bytes | None:
        """The chain's hash at `seq`, None where that row is gone."""
        ...

    def delivered(self, epoch: str, up_to_seq: int) -> None:
        """Everything up to `up_to_seq` is safe elsewhere."""
        ...


class Delivery:
    """The state of one epoch's delivery; every `seq` is of that epoch, every time monotonic seconds."""

    def __init__(self, acked_seq: int) -> None:
        self.acked_seq = acked_seq
        self.sent_seq = acked_seq
        self._under_way: dict[int, tuple[int, int]] = {}
        self._confirmed_seq = acked_seq
        self._patience_s = PATIENCE_S
        self._waiting_mono: float | None = None
        self._silent = False
        self._rewound_mono = float("-inf")
        self._held_until_mono = float("-inf")

    def may_send(self, mono: float) -> bool:
        """Whether nothing speaks against sending what comes after `sent_seq`."""
        return mono >= self._held_until_mono and self.sent_seq - self.acked_seq < WINDOW_EVENTS

    def published(self, mid: int, first_seq: int, last_seq: int, mono: float) -> None:
        """A batch is on its way under the broker's message id `mid`."""
        self._under_way[mid] = (first_seq, last_seq)
        self.sent_seq = max(self.sent_seq, last_seq)
        if self._waiting_mono is None and last_seq > self.acked_seq:
            self._waiting_mono = mono

    def confirmed(self, mid: int) -> int | None:
        """The broker has the batch `mid`: up to which seq it has everything, or None where `mid` is no batch."""
        batch = self._under_way.pop(mid, None)
        if batch is None:
            return None
        self._confirmed_seq = max(self._confirmed_seq, batch[1])
        return min([self._confirmed_seq, *(first - 1 for first, _ in self._under_way.values())])

    def refused(self, mid: int, mono: float) -> bool:
        """The broker does not want the batch `mid`: wait, then send again; False where `mid` is no batch."""
        if mid not in self._under_way:
            return False
        self._under_way.clear()  # whatever became of the others, they are sent again with this one
        self._held_until_mono = mono + self._grow_patience()
        self.sent_seq = self.acked_seq
        return True

    def delivered(self, up_to_seq: int, mono: float) -> None:
        """Everything up to `up_to_seq` may be forgotten."""
        if up_to_seq <= self.acked_seq:
            return
        if self.sent_seq >= self.acked_seq:  # else an older database is still being filled up
            # Heard again: what was sent into a silence may not have come through.
            self.sent_seq = up_to_seq if self._silent else max(self.sent_seq, up_to_seq)
        self.acked_seq = up_to_seq
        self._silent = False
        self._patience_s = PATIENCE_S
        self._waiting_mono = mono if self.sent_seq > up_to_seq else None

    def acknowledged(self, ack: Ack, oldest_seq: int | None, mono: float) -> bool:
        """A recorder has a run of events: whether everything up to `ack.up_to_seq` may be forgotten.

        `oldest_seq` is the oldest unacknowledged event that is held; what lies before it is gone for good, so a
        run may begin anywhere up to it.
        """
        unbroken = oldest_seq is None or ack.from_seq <= oldest_seq
        progress = unbroken and ack.up_to_seq > self.acked_seq
        if progress:
            self.delivered(ack.up_to_seq, mono)
        if ack.greeting or not unbroken:  # below `acked_seq` where an older database came back
            self._missed(min(ack.up_to_seq if ack.greeting else self.acked_seq, self.acked_seq), mono)
        return progress

    def overdue(self, mono: float) -> bool:
        """Whether to offer the first unacknowledged batch again now; asking starts the next, longer wait."""
        if self._waiting_mono is None or mono - self._waiting_mono < self._patience_s:
            return False
        self._grow_patience()
        self._waiting_mono = mono
        self._silent = True
        return True

    def disconnected(self) -> None:
        """What was under way may be lost: begin again after the last that is known to be safe."""
        self._under_way.clear()
        self._confirmed_seq = self.sent_seq = self.acked_seq
        self._waiting_mono = None
        self._held_until_mono = float("-inf")

    def _missed(self, after_seq: int, mono: float) -> None:
        if after_seq < self.sent_seq and mono - self._rewound_mono >= REWIND_MIN_S:
            self.sent_seq = after_seq
            self._rewound_mono = mono

    def _grow_patience(self) -> float:
        patience_s, self._patience_s = self._patience_s, min(self._patience_s * 2, PATIENCE_MAX_S)
        return patience_s


def within_limit(rows: Sequence[Row]) -> Sequence[Row]:
    """As many of `rows` as one payload may carry, brackets and commas included."""
    size = 1
    for count, row in enumerate(rows):
        size += len(row.body) + 1
        if size > BATCH_MAX_BYTES:
            return rows[:count]
    return rows
