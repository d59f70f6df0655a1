"""What the core asks of its neighbours: the ledger that keeps records, the feed that tells operators. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gate.model import Now, Record


class Ticket(Protocol):
    """The receipt for rows handed to the ledger's writer."""

    @property
    def last_seq(self) -> int:
        """The sequence number of the last of them; known once written."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Whether they were written within `timeout_s`."""
        ...


class Store(Protocol):
    """The ledger as the core sees it; only `Ticket.wait` and `flushed` may take time, and only as long as told."""

    def append(self, records: Sequence[Record], now: Now, *, way_out: bool = False) -> Ticket:
        """Hand rows to the writer; never blocks. A way out is noted at once where a crash cannot reach it."""
        ...

    def rehearse(self, records: Sequence[Record], now: Now) -> None:
        """Go through the writing of such rows, and keep nothing of them; never blocks."""
        ...

    def flushed(self, seq: int, timeout_s: float) -> bool:
        """Whether `seq` was safe from a power cut within `timeout_s`."""
        ...

    def remember(self, key: str, value: bytes) -> None:
        """Keep a small value over restarts; never blocks."""
        ...


class Feed(Protocol):
    """What operators hear at once; both calls only enqueue."""

    def live(self, kind: str, event: dict[str, Any]) -> None:
        """A copy of an event, before it is durable."""
        ...

    def alert(self, id: str, detail: str | None) -> None:
        """Raise the alert `id`, or clear it with None."""
        ...


class NoFeed:
    """The feed of a gate with no broker."""

    def live(self, kind: str, event: dict[str, Any]) -> None:
        """Nobody listens."""

    def alert(self, id: str, detail: str | None) -> None:
        """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a grant waits for its record; with `flush_max_s` None, written is enough (law 1)."""

    write_max_s: float = 0.25
    flush_max_s: float | None = None
