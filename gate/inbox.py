"""The one queue into the core: everything that happens, in the order in which it happened."""

from __future__ import annotations

import threading
from collections import deque

from gate.model import Scan, Stimulus

SCANS_MAX = 64
"""Scans that may wait; a reader gone wild is dropped and counted, and can push out nothing else."""


class Inbox:
    """A queue whose scans are bounded and whose contacts, commands and faults are never dropped."""

    def __init__(self, scans_max: int = SCANS_MAX) -> None:
        self.scans_max = scans_max
        self.scans = 0
        self.dropped = 0
        self._waiting: deque[Stimulus] = deque()
        self._scans_waiting = 0
        self._changed = threading.Condition()

    def offer(self, scan: Scan) -> bool:
        """Take a scan if there is room for it; say whether there was."""
        with self._changed:
            self.scans += 1
            if self._scans_waiting >= self.scans_max:
                self.dropped += 1
                return False
            self._scans_waiting += 1
            self._waiting.append(scan)
            self._changed.notify()
            return True

    def put(self, stimulus: Stimulus) -> None:
        """Take anything else, always."""
        if isinstance(stimulus, Scan):
            self.offer(stimulus)
            return
        with self._changed:
            self._waiting.append(stimulus)
            self._changed.notify()

    def take(self, timeout_s: float) -> Stimulus | None:
        """The next stimulus, or None when nothing came within `timeout_s`."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(max(0.0, timeout_s))
            if not self._waiting:
                return None
            stimulus = self._waiting.popleft()
            self._scans_waiting -= isinstance(stimulus, Scan)
            return stimulus
