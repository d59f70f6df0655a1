"""The short form of the clock proof: no jump costs or gives anybody their way in."""

from __future__ import annotations

import pytest
from proofs.clock_jumps import FAULTS, run

from gate.clock import SystemClock

pytestmark = pytest.mark.slow


def test_a_thousand_jumps_change_no_verdict_and_stick_no_timer() -> None:
    counts = run(jumps=1000)
    assert {name: counts[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert counts["records marked synced"] > 100
    assert counts["records marked not synced"] > 100


def test_a_clock_that_believes_jumps_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "_jumped", lambda self, utc, mono: False)
    counts = run(jumps=100)
    assert counts["wrong verdicts"]
    assert counts["right clocks not believed"]
