"""A pack's table of cases: people, moments, and which rules refuse whom. Pure.

    {"schema": "gate.policy-cases/1", "pack": "hcm-3328", "zone": "Asia/Ho_Chi_Minh",
     "people": {NAME: {"roles": [...], "record": {...}}},
     "cases": [{"who": NAME, "at": RFC 3339, "refused_by": [RULE, ...]}, ...]}

A case may set `clock_trusted` and `headcount` too. Every rule of the pack has to refuse somebody and to pass somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from gate.errors import DocumentError
from gate.policy.health.moment import Circumstances, Headcount
from gate.policy.health.pack import Pack
from gate.policy.health.record import check_record
from gate.policy.health.verdict import refusals
from gate.strict_json import NOT_IN_FORM


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody with a health record."""

    record: dict[str, Any] = {}
    roles: list[str] = []
    company: str = ""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody at a moment, and what has to come of it."""

    who: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    refused_by: list[str]
    clock_trusted: bool = True
    headcount: tuple[int, int] | None = None


class Cases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole table."""

    schema: Literal["gate.policy-cases/1"]
    pack: str
    zone: str
    people: dict[str, Person]
    cases: list[Case]


class Outcome(NamedTuple):
    """A case, and which rules did refuse."""

    case: Case
    refused_by: list[str]

    @property
    def right(self) -> bool:
        """Whether it came out as the table says."""
        return self.refused_by == self.case.refused_by


def cases_from_json(document: bytes) -> Cases:
    """Read a table.

    Raises:
        DocumentError: not in form, a person who is not there, or a record that is none.
    """
    try:
        cases = msgspec.json.decode(document, type=Cases)
    except NOT_IN_FORM as error:
        raise DocumentError(f"the table of cases: {error}") from error
    for name, person in cases.people.items():
        try:
            check_record(person.record)
        except DocumentError as error:
            raise DocumentError(f"the table of cases: {name}: {error}") from error
    if unknown := {case.who for case in cases.cases} - cases.people.keys():
        raise DocumentError(f"the table of cases: nobody is called {min(unknown)}")
    return cases


def outcomes(pack: Pack, cases: Cases) -> Iterator[Outcome]:
    """What the pack says to each case."""
    zone = ZoneInfo(cases.zone)
    for case in cases.cases:
        person = cases.people[case.who]
        circumstances = Circumstances(
            case.at.astimezone(zone), case.clock_trusted, frozenset(person.roles), person.company,
            Headcount(*case.headcount) if case.headcount else None)
        yield Outcome(case, [rule.id for rule in refusals(pack, person.record, circumstances)])


def untried(pack: Pack, cases: Cases) -> list[str]:
    """The rules that the table never sees refuse, or never sees pass."""
    refusing = [set(case.refused_by) for case in cases.cases]
    return [rule.id for rule in pack.rules
            if all(rule.id in refused for refused in refusing) or not any(rule.id in refused for refused in refusing)]
