"""The rules and their precedence, which is the order of the table below. Pure.

A rule binds entry unless its line names exit too (law 3): an expired, unlisted or isolated person always gets
out. Each line says which proof its rule needs at least; a site may ask for more (`admission.proofs`). Adding one: a
file with `rule(context) -> Reason | None`, a line here, a table test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gate.model import Direction, Proof, Reason
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
SIGNED, LISTED, CLAIMED = Proof.SIGNED, Proof.LISTED, Proof.CLAIMED


def suffices(proof: Proof, needed: Proof) -> bool:
    """Whether one proof is as strong as another: signed, listed, claimed, none."""
    return proof is SIGNED or proof is needed or (needed is CLAIMED and proof is LISTED)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check by name, the proof it needs, the signed document that it looks at beside the person's papers.

    `rests_on` gives the proof of what the check looks at, where that is another than the person's own.
    """

    name: str
    check: Check
    needs: Proof
    document: str = ""
    binds: frozenset[Direction] = ENTRY_ONLY
    rests_on: Callable[[Context], Proof] | None = None


RULES: tuple[Rule, ...] = (
    Rule("lockdown", lockdown.rule, CLAIMED),
    Rule("revocation", revocation.rule, CLAIMED, "revocations.json"),
    Rule("clock", freshness.clock_rule, CLAIMED),
    Rule("roster-age", freshness.roster_rule, CLAIMED, "roster.sqlite"),
    Rule("document-age", freshness.documents_rule, CLAIMED),
    Rule("validity", validity.rule, LISTED),
    Rule("area", area.rule, LISTED),
    Rule("role", role.rule, LISTED),
    Rule("permit", permit.rule, LISTED, "permits.json"),
    Rule("hours", hours.rule, LISTED, "schedules.json"),
    Rule("host", host.rule, LISTED, "roster.sqlite"),
    Rule("uses", max_uses.rule, LISTED),
    Rule("second-code", second_code.rule, CLAIMED),
    Rule("health", health.rule, LISTED, "packs.json", rests_on=health.proof_of_facts),
    Rule("anti-passback", anti_passback.rule, LISTED),
    Rule("occupancy", occupancy.rule, LISTED),
    Rule("quota", quota.rule, LISTED, "quotas.json"),
    Rule("two-persons", two_persons.rule, LISTED),
)


def object_to(context: Context, rule: Rule) -> Reason | Objection | None:
    """What one rule has against this person: first of all a proof that is weaker than the rule needs, or the site."""
    proof = context.credential.proof if rule.rests_on is None else rule.rests_on(context)
    if not suffices(proof, context.view.proofs.get(rule.name, rule.needs)):
        return Reason.PROOF_TOO_WEAK
    return rule.check(context)


def judge(context: Context, rules: tuple[Rule, ...] = RULES) -> Objection | None:
    """The first refusal; None when all rules are content. No rules at all refuse (law 3)."""
    if not rules:
        return Objection("no-rules", Reason.INTERNAL_ERROR)
    for rule in rules:
        if context.direction in rule.binds:
            refusal = object_to(context, rule)
            if refusal is not None:
                return Objection(rule.name, refusal) if isinstance(refusal, Reason) else refusal
    return None
