"""The short form of the commands that nobody genuine sends."""

from __future__ import annotations

from tests.proofs.commands import ATTACKS, prove


def test_no_command_is_obeyed_that_is_forged_repeated_late_or_out_of_order_and_every_genuine_one_is() -> None:
    counts = prove(seed=1, commands=4_000)
    assert (counts["executed"], counts["genuine, not obeyed"]) == (0, 0)
    assert counts["genuine, obeyed"] > 80
    assert all(counts[attack.__name__] > 300 for attack in ATTACKS)
    assert counts["kills"]
    assert counts["clock jumps"]
