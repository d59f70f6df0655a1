"""The rules and their precedence, which is the order of the table below. Pure.

A rule binds entry unless its line names exit too (law 3): an expired, unlisted or isolated person always gets
out. Adding one: a file with `rule(context) -> Reason | None`, a line here, a table test.
"""

from __future__ import annotations

from dataclasses import dataclass

from gate.model import Direction, Reason
from gate.policy import (
    anti_passback,
    area,
    freshness,
    host,
    hours,
    lockdown,
    max_uses,
    occupancy,
    permit,
    quota,
    revocation,
    role,
    second_code,
    two_persons,
    validity,
)
from gate.policy.context import Check, Context, Objection
from gate.policy.health import rule as health

ENTRY_ONLY = frozenset({Direction.ENTRY})


@dataclass(frozen=True, slots=True)
class Rule:
    """A check by name, the signed document that it looks at beside the person's papers, what it may refuse."""

    name: str
    check: Check
    document: str = ""
    binds: frozenset[Direction] = ENTRY_ONLY


RULES: tuple[Rule, ...] = (
    Rule("lockdown", lockdown.rule),
    Rule("revocation", revocation.rule, "revocations.json"),
    Rule("clock", freshness.clock_rule),
    Rule("roster-age", freshness.roster_rule, "roster.sqlite"),
    Rule("document-age", freshness.documents_rule),
    Rule("validity", validity.rule),
    Rule("area", area.rule),
    Rule("role", role.rule),
    Rule("permit", permit.rule, "permits.json"),
    Rule("hours", hours.rule, "schedules.json"),
    Rule("host", host.rule, "roster.sqlite"),
    Rule("uses", max_uses.rule),
    Rule("second-code", second_code.rule),
    Rule("health", health.rule, "packs.json"),
    Rule("anti-passback", anti_passback.rule),
    Rule("occupancy", occupancy.rule),
    Rule("quota", quota.rule, "quotas.json"),
    Rule("two-persons", two_persons.rule),
)


def judge(context: Context, rules: tuple[Rule, ...] = RULES) -> Objection | None:
    """The first refusal; None when all rules are content. No rules at all refuse (law 3)."""
    if not rules:
        return Objection("no-rules", Reason.INTERNAL_ERROR)
    for rule in rules:
        if context.direction in rule.binds:
            refusal = rule.check(context)
            if refusal is not None:
                return Objection(rule.name, refusal) if isinstance(refusal, Reason) else refusal
    return None
