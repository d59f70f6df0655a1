"""The short form of the reference model: admission and its plain re-statement agree, on every reason."""

from __future__ import annotations

import pytest
from proofs.reference_admission import compare
from proofs.reference_health import PACKS, compare_packs

from gate.policy import rules
from gate.policy.rules import Rule

pytestmark = pytest.mark.slow

REASONS = {
    "GRANTED", "UNKNOWN_CREDENTIAL", "NO_ACCESS_RIGHTS", "OUT_OF_TIME_RANGE", "LOCKDOWN", "MAX_ATTEMPTS",
    "NOT_YET_ACTIVE", "EXPIRED", "REVOKED", "LOCKOUT", "MALFORMED", "UNKNOWN_FORMAT", "WRONG_CODE", "UNKNOWN_KEY",
    "BAD_SIGNATURE", "PROOF_TOO_WEAK", "ROSTER_STALE", "CLOCK_UNTRUSTED", "HEALTH_RULE", "NEEDS_SECOND_CODE",
    "PASSBACK", "OCCUPANCY_LIMIT", "QUOTA", "PERMIT", "NO_HOST",
    "MAX_USES", "NEEDS_SECOND_PERSON",
}


def test_admission_and_its_reference_agree_on_twenty_thousand_cases() -> None:
    counts = compare(seed=1, cases=20_000)
    assert counts.total() == 20_000
    assert {name.split()[1] for name in counts} == REASONS, "every reason was met"


def test_packs_and_their_reference_agree_and_each_rule_refuses_and_passes_somebody() -> None:
    counts = compare_packs(seed=1, cases=20_000)
    rules = {f"{pack}.{number}" for pack in PACKS for number in range(1, 5) if counts[f"{pack}.{number} refused"]}
    assert len(rules) == 12
    assert all(counts[f"{rule} passed"] > 50 and counts[f"{rule} refused"] > 50 for rule in rules)


@pytest.mark.parametrize("left_out", rules.RULES, ids=lambda rule: rule.name)
def test_they_differ_without_any_one_rule(left_out: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    remaining = tuple(rule for rule in rules.RULES if rule is not left_out)
    monkeypatch.setattr("gate.admission.judge", lambda context: rules.judge(context, remaining))
    with pytest.raises(AssertionError, match="the reference"):
        compare(seed=1, cases=20_000)
