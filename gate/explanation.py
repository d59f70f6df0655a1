"""Why a case was answered as it was: every rule by itself, what it looked at, and on which proof. Pure.

For a person who asks (`gate decide --explain`). A gate stops at the first refusal; here each rule says what it would
have said. It names no fact of anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gate.admission import Case
from gate.model import Claims, Proof, Reason, RosterEntry
from gate.policy.context import Context
from gate.policy.health import rule as health
from gate.policy.health.record import FACT
from gate.policy.rules import RULES, Rule, object_to


class Said(NamedTuple):
    """One rule: its answer, the signed document (with its version) that it looks at, the proof of what it was told."""

    rule: str
    outcome: str
    document: str
    proof: str


def explain(case: Case) -> Iterator[Said]:
    """What each rule says of a case, in order; nothing where no rule was reached."""
    if case.credential is None:
        return
    context = Context(case.credential, case.scan.direction, case.view, case.now)
    version = case.view.documents.versions.get("targets", 0)
    for rule in RULES:
        yield Said(rule.name, _outcome(rule, context), f"{rule.document} v{version}" if rule.document else "",
                   case.credential.proof.value)
        if rule.check is health.rule and context.direction in rule.binds:
            yield from _health(context)


def _outcome(rule: Rule, context: Context) -> str:
    if context.direction not in rule.binds:
        return "binds no way out"
    try:
        refusal = object_to(context, rule)
    except Exception:  # law 3
        return Reason.INTERNAL_ERROR.name
    if refusal is None:
        return "passed"
    return refusal.name if isinstance(refusal, Reason) else f"{refusal.reason.name} {refusal.rule}"


def _health(context: Context) -> Iterator[Said]:
    proof = _health_proof(context.papers)
    for asked in health.ask(context):
        document = f"{asked.pack.id} {asked.pack.version}" if asked.pack else "not published"
        yield Said(f"  {asked.rule}", f"{asked.answer}{', only observed' if asked.observed else ''}", document, proof)


def _health_proof(papers: tuple[Claims | RosterEntry, ...]) -> str:
    """Who vouches for what is known of somebody's health: a certificate's signature, the signed roster, or nobody."""
    signed = any(isinstance(paper, Claims) and paper.record for paper in papers)
    listed = any(isinstance(paper, RosterEntry) and paper.facts.get(FACT) for paper in papers)
    proofs = [Proof.SIGNED] * signed + [Proof.LISTED] * listed
    return " + ".join(proof.value for proof in proofs) or Proof.NONE.value
