"""Asking a pack about one person at one moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gate.policy.health.moment import Circumstances, external
from gate.policy.health.pack import Answer, HealthRule, Pack
from gate.policy.health.record import Record

REFUSALS = frozenset({Answer.REFUSED, Answer.ERRED})


def answers(pack: Pack, record: Record, circumstances: Circumstances) -> Iterator[tuple[HealthRule, Answer]]:
    """Every rule of a pack with its answer, in order.

    Outside its own days a pack asks nothing; while the clock cannot be trusted these days are not known either, and
    only those rules are asked that say so.
    """
    day, trusted = circumstances.local.date(), circumstances.trusted
    if trusted and not pack.span.holds(day):
        yield from ((rule, Answer.NOT_ASKED) for rule in pack.rules)
        return
    data = {"payload": record, "external": external(circumstances, pack.value_sets)}
    for rule in pack.rules:
        yield rule, rule.answer(data, day, trusted)


def refusals(pack: Pack, record: Record, circumstances: Circumstances) -> Iterator[HealthRule]:
    """The rules of a pack that refuse somebody, in order; they are asked as they are taken."""
    return (rule for rule, answer in answers(pack, record, circumstances) if answer in REFUSALS)
