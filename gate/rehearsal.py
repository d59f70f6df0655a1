"""While a code arrives: the last grant is gone through once more, to no effect, so that the next finds warm caches.

When nobody has come for a moment none of the code and data of a grant is in a cache, and all of it takes twice as long
(`docs/benchmarks.md`).
"""

from __future__ import annotations

from gate import portal
from gate.admission import admit
from gate.effector import Effector
from gate.model import Decision, Now, Scan
from gate.view import View

EVERY_S = 0.01
"""The least time between two rehearsals, however many pieces a code comes in."""


class Rehearsal:
    """Remembers the last scan that was granted; used by the core's thread, while the lane is locked."""

    def __init__(self, hands: Effector) -> None:
        self._hands = hands
        self._last: Scan | None = None
        self._done_mono = float("-inf")

    def heed(self, scan: Scan, decision: Decision) -> None:
        """Take a scan that was granted as the next to rehearse."""
        if decision.granted:
            self._last = scan

    def run(self, view: View, lane: portal.Portal, now: Now) -> None:
        """Decide on it and move a copy of the lane: what is written is taken back, what is locked stays so."""
        if self._last is not None and now.mono - self._done_mono >= EVERY_S:
            self._done_mono = now.mono
            _, effects = portal.on(lane, admit(self._last, view, now), now)
            self._hands.rehearse(effects, now)
