"""The health packs of a gate, as one rule of admission. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gate.model import Proof, Reason
from gate.policy.context import Context, Objection
from gate.policy.health.moment import Circumstances, Headcount
from gate.policy.health.pack import OPEN, Answer, Pack
from gate.policy.health.record import FACT, record_of
from gate.policy.health.verdict import answers, refusals


class Asked(NamedTuple):
    """One rule that was put to a person; `pack` is None where the gate asks for one that nobody has published."""

    rule: str
    pack: Pack | None
    answer: Answer
    observed: bool


def rule(context: Context) -> Objection | None:
    """HEALTH_RULE with the id of the first rule that this gate enforces and that refuses."""
    return next(_objections(context, observed=False), None)


def observed(context: Context) -> tuple[str, ...]:
    """The rules that would refuse this person, but are only observed here."""
    return tuple(objection.rule for objection in _objections(context, observed=True))


def ask(context: Context) -> Iterator[Asked]:
    """Every rule of every pack that this gate asks for, in order: for a person who wants to know why."""
    policy, record, circumstances = context.view.health, record_of(context.credential), circumstances_of(context)
    for name, pack in _packs(context):
        if pack is None:
            yield Asked(f"{name}.missing", None, Answer.REFUSED, policy.observe_all)
        else:
            for each, answer in answers(pack, record, circumstances):
                yield Asked(each.id, pack, answer, policy.observes(each))


def proof_of_facts(context: Context) -> Proof:
    """The weakest proof that a fact of this person rests on: a listed one beside a certificate counts as listed.

    Where no fact is known there is none to be too weak.
    """
    listed = context.credential.entry is not None and bool(context.credential.entry.facts.get(FACT))
    return Proof.LISTED if listed else Proof.SIGNED


def circumstances_of(context: Context) -> Circumstances:
    """Who asks, and when."""
    entry, (first, *others) = context.credential.entry, context.papers
    return Circumstances(
        context.local, context.now.trusted, first.roles.union(*(paper.roles for paper in others)),
        entry.company if entry else "", _headcount(context),
    )


def _headcount(context: Context) -> Headcount | None:
    """How many are on the site beside this person; known where the gate counts, and quotas.json says the staff."""
    quotas = context.view.documents.quotas
    if context.view.crossing.quotas == "off" or quotas is None or quotas.staff is None:
        return None
    return Headcount(context.view.presence.inside(besides=context.credential.holder), quotas.staff)


def _objections(context: Context, observed: bool) -> Iterator[Objection]:
    """The refusals of the rules that are observed, or of those that are enforced; no other rule is asked."""
    policy = context.view.health
    if policy.packs == (OPEN,):
        return
    record = circumstances = None
    for name, pack in _packs(context):
        if pack is None:  # a pack that is not there refuses (law 3)
            if policy.observe_all is observed:
                yield Objection(f"{name}.missing", Reason.HEALTH_RULE)
        elif rules := [each for each in pack.rules if policy.observes(each) is observed]:
            if record is None or circumstances is None:
                record, circumstances = record_of(context.credential), circumstances_of(context)
            for each in refusals(pack, record, circumstances, rules):
                yield Objection(each.id, Reason.HEALTH_RULE, each.alerts)


def _packs(context: Context) -> Iterator[tuple[str, Pack | None]]:
    """The packs that this gate asks for; `open` asks nothing, and need not be published."""
    packs = context.view.documents.packs
    return ((name, packs.get(name)) for name in context.view.health.packs if name != OPEN)
