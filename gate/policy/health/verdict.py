"""Asking a pack about one person at one moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gate.policy.health.moment import Circumstances, external
from gate.policy.health.pack import Answer, HealthRule, Pack
from gate.policy.health.record import Record

REFUSALS = frozenset({Answer.REFUSED, Answer.ERRED})


def answers(
    pack: Pack, record: Record, circumstances: Circumstances, rules: Iterable[HealthRule] | None = None,
) -> Iterator[tuple[HealthRule, Answer]]:
    """The rules of a pack, or some of them, with their answers, in order; they are asked as they are taken.

    Outside its own days a pack asks nothing; while the clock cannot be trusted these days are not known either, and
    only those rules are asked that say so.
    """
    day, trusted = circumstances.local.date(), circumstances.trusted
    rules = pack.rules if rules is None else rules
    if trusted and not pack.span.holds(day):
        yield from ((rule, Answer.NOT_ASKED) for rule in rules)
        return
    data = {"payload": record, "external": external(circumstances, pack.value_sets)}
    for rule in rules:
        yield rule, rule.answer(data, day, trusted)


def refusals(
    pack: Pack, record: Record, circumstances: Circumstances, rules: Iterable[HealthRule] | None = None,
) -> Iterator[HealthRule]:
    """The rules of a pack, or of some of them, that refuse somebody, in order."""
    return (rule for rule, answer in answers(pack, record, circumstances, rules) if answer in REFUSALS)
