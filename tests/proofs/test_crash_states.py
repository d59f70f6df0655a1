"""The short form of the crash states: none is damaged and nothing flushed is lost, unless the syncs are taken away."""

from __future__ import annotations

import pytest

from tests.proofs.crash_states import recover_all
from tests.proofs.faults.shim import missing

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.timeout(300),
]
STATES = {"ledger": 6000, "documents": 3000}
"""At most; those that come twice are recovered once."""


@pytest.mark.parametrize("subject", STATES)
def test_whatever_a_power_cut_leaves_is_whole_and_holds_what_was_flushed(subject: str) -> None:
    result = recover_all(subject, seed=1, states_max=STATES[subject])
    assert not result.broken, result.examples
    assert result.states > STATES[subject] / 6
    assert result.covered["syncs"] > 10


@pytest.mark.parametrize(("subject", "loss"), [("ledger", "was flushed"), ("documents", "")])
def test_without_the_syncs_a_power_cut_loses_what_was_promised(subject: str, loss: str) -> None:
    result = recover_all(subject, seed=1, sabotaged=True, states_max=300)
    assert result.broken
    assert any(loss in example for example in result.examples)


def test_the_record_holds_restarts_of_the_wal_and_changes_of_names() -> None:
    assert recover_all("ledger", seed=2, states_max=10).covered["WALs begun"] > 3
    assert recover_all("documents", seed=2, states_max=10).covered["names changed"] > 50
