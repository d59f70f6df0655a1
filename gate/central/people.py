"""The people of a site: imported from CSV, found again, and handed on as rows of the roster."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from gate.central.db.models import Identifier, Pass, Person
from gate.central.people_csv import IDENTIFIER_KINDS, PeopleCsv, PersonRow, Problem
from gate.decoder.gp1 import HOLDER_ID_BYTES, holder_id
from gate.documents.roster_file import RosterRow
from gate.errors import UsageError
from gate.trust import Revocations

CHUNK_ROWS = 500
PROGRESS_ROWS = 50_000
PROBLEMS_MAX = 1000
"""So many problems and so many warnings are kept for the report; the rest is counted."""


@dataclass(slots=True)
class ImportReport:
    """What an import did; `imported` is false when problems kept every line out."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    bad: int = 0
    imported: bool = True
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    ignored_headings: list[str] = field(default_factory=list)


def import_people(
    session: Session, csv_path: Path, *, now: datetime, zone: ZoneInfo, skip_bad: bool = False,
    progress: Callable[[int], None] = lambda lines: None,
) -> ImportReport:
    """Add or bring up to date everybody in `csv_path` (columns: `gate.central.people_csv`).

    A line belongs to the person who already has one of its numbers, so importing a file twice changes nothing
    the second time. A column that the file lacks is left as it was. With one bad line nothing is imported,
    unless `skip_bad` leaves only that line out. `progress` hears of each `PROGRESS_ROWS` lines.

    Raises:
        UsageError: the file or its heading line cannot be read.
    """
    file = PeopleCsv(csv_path, zone)
    report = ImportReport(ignored_headings=file.ignored)
    first_lines: dict[tuple[str, str], int] = {}
    savepoint = session.begin_nested()
    for number, rows in enumerate(_chunks(file, CHUNK_ROWS), 1):
        for row in rows:
            _refuse_repeats(row, first_lines)
        _merge(session, rows, now, report)
        session.flush()
        for row in rows:
            report.bad += bool(row.problems)
            report.problems += row.problems[:PROBLEMS_MAX - len(report.problems)]
            report.warnings += row.warnings[:PROBLEMS_MAX - len(report.warnings)]
        if number * CHUNK_ROWS % PROGRESS_ROWS == 0:
            progress(number * CHUNK_ROWS)
    if report.bad and not skip_bad:
        savepoint.rollback()
        report.imported = False
        report.added = report.updated = report.unchanged = 0
    else:
        savepoint.commit()
    return report


def find_person(session: Session, word: str) -> Person:
    """The person whose holder id or whose number is `word`.

    Raises:
        UsageError: nobody, or several.
    """
    of_number = select(Identifier.person_id).where(Identifier.value == word)
    found = session.scalars(select(Person).where(or_(Person.holder == word, Person.id.in_(of_number)))).all()
    if len(found) != 1:
        raise UsageError("nobody has that number or holder id; import them first with `gate central issue people`"
                         if not found else "several people match; give the holder id")
    return found[0]


def roster_rows(session: Session) -> Iterator[RosterRow]:
    """Everybody who has a way to be recognised, as the roster wants them; read as a stream, never held at once."""
    query = select(
        Person.id, Person.holder, Person.areas, Person.roles, Person.schedule, Person.valid_from,
        Person.valid_until, Person.company, Identifier.kind, Identifier.value,
    ).outerjoin(Identifier, Identifier.person_id == Person.id).order_by(Person.id, Identifier.id)
    rows = session.execute(query.execution_options(yield_per=CHUNK_ROWS))
    for _, group in groupby(rows, key=attrgetter("id")):
        lines = list(group)
        person = lines[0]
        yield RosterRow(
            holder=person.holder,
            identifiers=tuple(f"{line.kind}:{line.value}" for line in lines if line.kind is not None),
            areas=tuple(person.areas), roles=tuple(person.roles), schedule=person.schedule,
            valid_from=person.valid_from, valid_until=person.valid_until, company=person.company, facts={},
        )


def revocations(session: Session, now: datetime) -> Revocations:
    """Every withdrawn pass that would still be valid at `now`; expired ones need no revocation."""
    withdrawn = select(Pass.cti).where(Pass.revoked_at.is_not(None), Pass.valid_until > now)
    return Revocations(passes=frozenset(session.scalars(withdrawn)))


def _refuse_repeats(row: PersonRow, first_lines: dict[tuple[str, str], int]) -> None:
    for identifier in row.identifiers.items():
        first = first_lines.setdefault(identifier, row.line)
        if first != row.line:
            row.refuse(identifier[0], f"is the same as in line {first}; remove one of the two lines")


def _merge(session: Session, rows: list[PersonRow], now: datetime, report: ImportReport) -> None:
    owners = _owners(session, rows)
    for row in rows:
        matched = {owners[identifier] for identifier in row.identifiers.items() if identifier in owners}
        if len(matched) > 1:
            row.refuse("line", "its numbers belong to two people already known; correct one of them")
        if row.problems:
            continue
        if matched:
            changed = _update(matched.pop(), row)
            report.updated += changed
            report.unchanged += not changed
        else:
            holder = holder_id(secrets.token_bytes(HOLDER_ID_BYTES))
            identifiers = [Identifier(kind=kind, value=value) for kind, value in row.identifiers.items()]
            session.add(Person(holder=holder, created_at=now, identifiers=identifiers, **row.fields))
            report.added += 1


def _owners(session: Session, rows: list[PersonRow]) -> dict[tuple[str, str], Person]:
    """Who already has one of the numbers of `rows`."""
    wanted = {kind: [row.identifiers[kind] for row in rows if kind in row.identifiers] for kind in IDENTIFIER_KINDS}
    query = select(Identifier).options(selectinload(Identifier.person).selectinload(Person.identifiers)).where(
        or_(*((Identifier.kind == kind) & Identifier.value.in_(values) for kind, values in wanted.items())))
    return {(found.kind, found.value): found.person for found in session.scalars(query)}


def _update(person: Person, row: PersonRow) -> bool:
    """Bring `person` up to date with `row`; whether anything differed."""
    changes = {name: value for name, value in row.fields.items() if getattr(person, name) != value}
    for name, value in changes.items():
        setattr(person, name, value)
    kept = {identifier.kind: identifier for identifier in person.identifiers}
    numbers = {kind: value for kind, value in row.identifiers.items()
               if kind not in kept or kept[kind].value != value}
    for kind, value in numbers.items():
        if kind in kept:
            row.warn(kind, "differs from the number kept for this person; replaced")
            kept[kind].value = value
        else:
            person.identifiers.append(Identifier(kind=kind, value=value))
    return bool(changes or numbers)


Item = TypeVar("Item")


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
