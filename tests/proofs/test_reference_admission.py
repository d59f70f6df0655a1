"""The short form of the reference model: admission and its plain re-statement agree, on every reason."""

from __future__ import annotations

import pytest
from proofs.reference_admission import compare

from gate.policy import rules
from gate.policy.rules import Rule

pytestmark = pytest.mark.slow

REASONS = {
    "GRANTED", "UNKNOWN_CREDENTIAL", "NO_ACCESS_RIGHTS", "OUT_OF_TIME_RANGE", "LOCKDOWN", "MAX_ATTEMPTS",
    "NOT_YET_ACTIVE", "EXPIRED", "REVOKED", "LOCKOUT", "MALFORMED", "UNKNOWN_FORMAT", "WRONG_CODE", "UNKNOWN_KEY",
    "BAD_SIGNATURE", "PROOF_TOO_WEAK", "ROSTER_STALE", "CLOCK_UNTRUSTED",
}


def test_admission_and_its_reference_agree_on_twenty_thousand_cases() -> None:
    counts = compare(seed=1, cases=20_000)
    assert counts.total() == 20_000
    assert {name.split()[1] for name in counts} == REASONS, "every reason was met"


@pytest.mark.parametrize("left_out", rules.RULES, ids=lambda rule: rule.name)
def test_they_differ_without_any_one_rule(left_out: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    remaining = tuple(rule for rule in rules.RULES if rule is not left_out)
    monkeypatch.setattr("gate.admission.judge", lambda context: rules.judge(context, remaining))
    with pytest.raises(AssertionError, match="the reference"):
        compare(seed=1, cases=20_000)
