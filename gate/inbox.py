"""The one queue into the core: ways out and all that is no scan first, then ways in, each in the order it came."""

from __future__ import annotations

import threading
from collections import Counter, deque

from gate.model import Direction, Scan, Stimulus

SCANS_MAX = 64
"""Scans of one reader that may wait; a reader gone wild is dropped and counted, and can push out nothing else."""


class Inbox:
    """A queue whose scans are bounded and whose contacts, commands and faults are never dropped.

    The core may wait for the disk before a way in, so nothing else stands behind one: an emergency or somebody
    who leaves is held up by one slow write at most, however many want to enter.
    """

    def __init__(self, scans_max: int = SCANS_MAX) -> None:
        self.scans_max = scans_max
        self.scans = 0
        self.dropped = 0
        self._first: deque[Stimulus] = deque()
        self._ways_in: deque[Scan] = deque()
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()

    def offer(self, scan: Scan) -> bool:
        """Take a scan if there is room for it; say whether there was."""
        with self._changed:
            self.scans += 1
            if self._waiting[scan.reader] >= self.scans_max:
                self.dropped += 1
                return False
            self._waiting[scan.reader] += 1
            if scan.direction is Direction.ENTRY:
                self._ways_in.append(scan)
            else:
                self._first.append(scan)
            self._changed.notify()
            return True

    def put(self, stimulus: Stimulus) -> None:
        """Take anything else, always."""
        if isinstance(stimulus, Scan):
            self.offer(stimulus)
            return
        with self._changed:
            self._first.append(stimulus)
            self._changed.notify()

    def take(self, timeout_s: float) -> Stimulus | None:
        """The next stimulus, or None when nothing came within `timeout_s`."""
        with self._changed:
            if not self._first and not self._ways_in:
                self._changed.wait(max(0.0, timeout_s))
            stimulus = self._first.popleft() if self._first else self._ways_in.popleft() if self._ways_in else None
            if isinstance(stimulus, Scan):
                self._waiting[stimulus.reader] -= 1
            return stimulus
