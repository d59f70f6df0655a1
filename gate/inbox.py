"""The one queue into the core: ways out and all that is no scan first, then ways in, each in the order it came."""

from __future__ import annotations

from collections import Counter, deque
from queue import Empty, SimpleQueue
from threading import Lock

from gate.model import CodeBegun, Direction, Scan, Stimulus

SCANS_MAX = 64
"""Scans of one reader that may wait; a reader gone wild is dropped and counted, and can push out nothing else."""


class Inbox:
    """A queue whose scans are bounded and whose contacts, commands and faults are never dropped.

    The core may wait for the disk before a way in, so nothing else stands behind one: an emergency or somebody
    who leaves is held up by one slow write at most, however many want to enter. That a code has begun is heard
    when nothing else waits, or not at all.
    """

    def __init__(self, scans_max: int = SCANS_MAX) -> None:
        self.scans_max = scans_max
        self.scans = 0
        self.dropped = 0
        self._first: deque[Stimulus] = deque()
        self._ways_in: deque[Scan] = deque()
        self._begun: deque[CodeBegun] = deque()
        self._waiting: Counter[str] = Counter()
        self._counting = Lock()
        self._arrivals: SimpleQueue[None] = SimpleQueue()  # wakes its taker sooner than a Condition does

    def offer(self, scan: Scan) -> bool:
        """Take a scan if there is room for it; say whether there was."""
        with self._counting:
            self.scans += 1
            if self._waiting[scan.reader] >= self.scans_max:
                self.dropped += 1
                return False
            self._waiting[scan.reader] += 1
        (self._ways_in if scan.direction is Direction.ENTRY else self._first).append(scan)
        self._arrivals.put(None)
        return True

    def put(self, stimulus: Stimulus) -> None:
        """Take anything else, always."""
        match stimulus:
            case Scan():
                self.offer(stimulus)
                return
            case CodeBegun() if self._begun:
                return
            case CodeBegun():
                self._begun.append(stimulus)
            case _:
                self._first.append(stimulus)
        self._arrivals.put(None)

    def take(self, timeout_s: float) -> Stimulus | None:
        """The next stimulus, or None when nothing came within `timeout_s`."""
        try:
            self._arrivals.get(timeout=max(0.0, timeout_s))
        except Empty:
            return None
        for waiting in (self._first, self._ways_in, self._begun):
            if waiting:
                stimulus = waiting.popleft()
                if isinstance(stimulus, Scan):
                    with self._counting:
                        self._waiting[stimulus.reader] -= 1
                return stimulus
        return None
