"""How long an output stays released: pulses, leases and the cut-off that bounds both. Pure.

`RelayBarrier` asks it on a real line and `FakeBarrier` in simulated time, so both end a release alike.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Release:
    """The time-keeping of one output: released until `until_mono`, None while secured.

    Law 5: the output is never released for longer than `max_on_s` after it was released or after its lease
    was last renewed, however often it is triggered.
    """

    max_on_s: float
    until_mono: float | None = None
    _since_mono: float = 0.0

    def pulse(self, now_mono: float, pulse_s: float) -> None:
        """Release for `pulse_s`; while released it only extends, and never past the cut-off."""
        if self.until_mono is None:
            self._since_mono = now_mono
        self._extend(now_mono + pulse_s)

    def lease(self, now_mono: float, lease_s: float) -> None:
        """Release for `lease_s`, counting the cut-off anew: whoever renews is alive."""
        self._since_mono = now_mono
        self._extend(now_mono + lease_s)

    def end(self) -> None:
        """The output is secured."""
        self.until_mono = None

    def due(self, now_mono: float) -> bool:
        """Whether the output must be secured now."""
        return self.until_mono is not None and now_mono >= self.until_mono

    def _extend(self, until_mono: float) -> None:
        latest = max(until_mono, self.until_mono or until_mono)
        self.until_mono = min(latest, self._since_mono + self.max_on_s)
