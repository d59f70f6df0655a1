"""What a pack would have answered to decisions that were made: before it goes live. Pure.

A ledger keeps of a decision who, when, and which rule spoke: no health fact, no certificate, no headcount. So a pack is
asked with what the roster says of that person *today*, as if it had been in force then; where the answer hangs on what
nobody has kept, it is unknown.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from gate.model import Reason, RosterEntry
from gate.policy.health.moment import Circumstances
from gate.policy.health.pack import Answer, Pack, Span
from gate.policy.health.record import FACT
from gate.policy.health.verdict import answers


class Past(NamedTuple):
    """One decision about somebody who wanted to enter, as the ledger has it; `at` in the site's time zone."""

    at: datetime
    trusted: bool
    reason: str
    holder: str


class Change(StrEnum):
    """What the pack would have changed."""

    SAME = "same"
    WOULD_DENY = "would deny"
    WOULD_ADMIT = "would admit"
    UNKNOWN = "unknown"


class Replayed(NamedTuple):
    """A decision under the pack, and the rules that make the difference, or that cannot be answered."""

    change: Change
    rules: tuple[str, ...] = ()


SAME = Replayed(Change.SAME)


def replay(pack: Pack, past: Past, entry: RosterEntry | None, certificates_count: bool) -> Replayed:
    """Ask `pack` about a decision; `certificates_count` where a gate may have looked at one beside the roster.

    Somebody whom another rule denied stays denied. A denial by another health rule would pass as far as health goes.
    """
    granted = past.reason == Reason.GRANTED.name
    if not granted and past.reason != Reason.HEALTH_RULE.name:
        return SAME
    if entry is None:
        return Replayed(Change.UNKNOWN)
    record: dict[str, Any] = entry.facts.get(FACT) or {}
    circumstances = Circumstances(past.at, past.trusted, entry.roles, entry.company)
    in_force = replace(pack, span=Span())
    answered: dict[Answer, list[str]] = {}
    for rule, answer in answers(in_force, record, circumstances):
        answered.setdefault(answer, []).append(rule.id)
    refusing, unanswered = tuple(answered.get(Answer.REFUSED, ())), tuple(answered.get(Answer.ERRED, ()))
    if refusing and not certificates_count:
        return Replayed(Change.WOULD_DENY, refusing) if granted else SAME
    if refusing or unanswered:
        return Replayed(Change.UNKNOWN, refusing + unanswered)
    return SAME if granted else Replayed(Change.WOULD_ADMIT)
