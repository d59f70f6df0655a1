"""The short form of the gates that part and meet again."""

from __future__ import annotations

from tests.proofs.presence import FAULTS, prove


def test_no_limit_is_exceeded_by_more_than_was_unheard_and_gates_agree_when_they_meet() -> None:
    counts, worst = prove(seed=1, steps=15_000, gates_max=12)
    assert {name: counts[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert worst > 0  # they were apart for long enough to exceed a shared limit
    assert counts["times settled"] > 20
    assert counts["refused"] > 1000
