"""What a gate has to say beside its events, between the thread that says it and the one that sends it.

Kept notices are retained by the broker: the newest of each topic wins and is sent again after each reconnection.
Passing ones are worth something now or never. Nothing here waits; everything is bounded.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import msgspec

PASSING_MAX = 256
"""Passing notices that wait at most; the oldest go first: the durable feed has what they copied."""
KEPT_MAX = 256
"""Topics that one gate retains at most; further ones are left out."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: its topic's tail after `up/`, the message's name, and its data (None clears the topic)."""

    tail: str
    name: str
    data: msgspec.Struct | None


class NoticeBoard:
    """Thread-safe; `keep` and `mention` are called by the application, the rest by the uplink."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Notice] = {}
        self._unsent: dict[str, Notice] = {}
        self._passing: deque[Notice] = deque(maxlen=PASSING_MAX)

    def keep(self, tail: str, name: str, data: msgspec.Struct | None) -> None:
        """Put up what is to stand until it is replaced; an order to clear what never stood is dropped."""
        with self._lock:
            if tail not in self._kept and (data is None or len(self._kept) >= KEPT_MAX):
                return
            self._kept[tail] = self._unsent[tail] = Notice(tail, name, data)

    def clear(self, tail: str, name: str) -> None:
        """Clear what an earlier run may have left standing at the broker, unless it stands again."""
        with self._lock:
            if tail not in self._kept and len(self._kept) < KEPT_MAX:
                self._kept[tail] = self._unsent[tail] = Notice(tail, name, None)

    def mention(self, tail: str, name: str, data: msgspec.Struct) -> None:
        """Say something in passing."""
        self._passing.append(Notice(tail, name, data))

    def standing(self, tail: str) -> msgspec.Struct | None:
        """What is kept under `tail`, None where nothing stands."""
        with self._lock:
            notice = self._kept.get(tail)
        return notice.data if notice else None

    def next_kept(self) -> Notice | None:
        """Take the next kept notice that the broker has not been told of."""
        with self._lock:
            return self._unsent.pop(next(iter(self._unsent))) if self._unsent else None

    def next_passing(self) -> Notice | None:
        """Take the oldest passing notice."""
        try:
            return self._passing.popleft()
        except IndexError:
            return None

    def begin_again(self) -> None:
        """A new connection: everything kept is untold, what was passing is past."""
        with self._lock:
            self._unsent = dict(self._kept)
        self._passing.clear()
