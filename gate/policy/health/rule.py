"""The health packs of a gate, as one rule of admission. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gate.model import Reason
from gate.policy.context import Context, Objection
from gate.policy.health.moment import Circumstances
from gate.policy.health.pack import OPEN, Answer, Pack
from gate.policy.health.record import record_of
from gate.policy.health.verdict import REFUSALS, answers


class Asked(NamedTuple):
    """One rule that was put to a person; `pack` is None where the gate asks for one that nobody has published."""

    rule: str
    pack: Pack | None
    answer: Answer
    observed: bool
    alerts: bool = False


def rule(context: Context) -> Objection | None:
    """HEALTH_RULE with the id of the first rule that this gate enforces and that refuses."""
    for asked in ask(context):
        if asked.answer in REFUSALS and not asked.observed:
            return Objection(asked.rule, Reason.HEALTH_RULE, asked.alerts)
    return None


def observed(context: Context) -> tuple[str, ...]:
    """The rules that would refuse this person, but are only observed here."""
    return tuple(asked.rule for asked in ask(context) if asked.answer in REFUSALS and asked.observed)


def ask(context: Context) -> Iterator[Asked]:
    """Every rule of every pack that this gate asks for, in order; a pack that is not there refuses (law 3)."""
    policy = context.view.health
    if policy.packs == (OPEN,):
        return
    record, circumstances = record_of(context.credential), circumstances_of(context)
    for name in policy.packs:
        pack = context.view.documents.packs.get(name)
        if pack is not None:
            for each, answer in answers(pack, record, circumstances):
                yield Asked(each.id, pack, answer, policy.observes(each), each.alerts)
        elif name != OPEN:
            yield Asked(f"{name}.missing", None, Answer.REFUSED, policy.observe_all)


def circumstances_of(context: Context) -> Circumstances:
    """Who asks, and when."""
    entry = context.credential.entry
    return Circumstances(
        context.local, context.now.trusted,
        frozenset().union(*(paper.roles for paper in context.papers)),
        entry.company if entry else "", context.view.headcount,
    )
