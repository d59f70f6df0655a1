"""One change to what was published last, and nothing else touched: a business suspended, a key or a pass withdrawn.

The published documents are themselves the record of it: there is no second list that could say something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.orm import Session

from gate.central.documents import published
from gate.central.issuing import find_pass, revoke
from gate.central.people import PROBLEMS_MAX, find_person, import_people
from gate.documents import REVOCATIONS
from gate.documents.roster_file import RosterRow
from gate.errors import DocumentError, UsageError
from gate.policy.permits import Permit, Permits, permits_from_json, permits_to_json
from gate.policy.visits import FACT, Visit
from gate.strict_json import NOT_IN_FORM
from gate.trust import Revocations, revocations_from_json


def standing(repo: Path, name: str) -> bytes | None:
    """A document as it was published last; None where there is none."""
    if not (repo / "metadata" / "timestamp.json").exists():
        return None
    sha256 = published(repo).targets.get(name)
    return None if sha256 is None else (repo / "targets" / f"{sha256}.{name}").read_bytes()


def with_suspensions(document: bytes | None, suspend: Iterable[str], resume: Iterable[str]) -> bytes:
    """The permits with some businesses suspended and others no longer; their days stay as they were.

    Raises:
        UsageError: a business is to be resumed that is not suspended.
    """
    permits = permits_from_json(document) if document else Permits()
    businesses = dict(permits.businesses)
    for name in suspend:
        businesses[name] = msgspec.structs.replace(businesses.get(name, Permit()), suspended=True)
    for name in resume:
        if name not in businesses or not businesses[name].suspended:
            raise UsageError(f"--resume {name}: this business is not suspended")
        businesses[name] = msgspec.structs.replace(businesses[name], suspended=False)
    return permits_to_json(replace(permits, businesses=businesses))


def withdrawn(repo: Path, passes: Revocations, keys: Iterable[str]) -> Revocations:
    """The passes that the database withdrew, and every key and holder that was withdrawn before or is now.

    Raises:
        UsageError: a key id that is none.
    """
    document = standing(repo, REVOCATIONS)
    before = revocations_from_json(document) if document else Revocations()
    try:
        now = revocations_from_json(msgspec.json.encode({"schema": "gate.revocations/1", "keys": list(keys)}))
    except DocumentError as error:
        raise UsageError(f"--revoke-key: {error}; write the key_id that `gate central issue key` gave") from error
    return Revocations(passes.passes, before.holders | passes.holders, before.keys | now.keys, before.fingerprints)


def revoke_passes(session: Session, ctis: Iterable[str], now: datetime, reason: str) -> None:
    """Withdraw passes by the numbers on their cards.

    Raises:
        UsageError: no such pass.
    """
    revoke([find_pass(session, cti) for cti in ctis], now=now, reason=reason)


def add_people(session: Session, csv: Path, now: datetime, zone: ZoneInfo) -> None:
    """Add the people of a CSV file, all of them or none.

    Raises:
        UsageError: with every line that is wrong.
    """
    report = import_people(session, csv, now=now, zone=zone)
    if not report.imported:
        raise UsageError("\n".join(f"{csv}: {problem}" for problem in report.problems[:PROBLEMS_MAX]))


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    who: str
    host: str = ""
    uses: int | None = None


def read_visits(path: Path, session: Session) -> dict[str, dict[str, Any]]:
    """The visits of a file, one JSON object a line: {"who", "host", "uses"}; by holder id.

    `who` and `host` are a number of theirs or a holder id.

    Raises:
        UsageError: the file cannot be read, a line is not in form, or names somebody who is not known.
    """
    visits: dict[str, dict[str, Any]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    for number, text in enumerate(lines, 1):
        if text.strip():
            try:
                line = msgspec.json.decode(text, type=_Line)
                visit = {"host": find_person(session, line.host).holder if line.host else "", "uses": line.uses}
                visits[find_person(session, line.who).holder] = msgspec.to_builtins(msgspec.convert(visit, Visit))
            except (*NOT_IN_FORM, UsageError) as error:
                raise UsageError(f"{path}:{number}: {error}") from error
    return visits


def with_visits(rows: Iterable[RosterRow], visits: dict[str, dict[str, Any]]) -> Iterator[RosterRow]:
    """The rows, each with the visit of its person where there is one."""
    for row in rows:
        visit = visits.get(row.holder)
        yield replace(row, facts={**row.facts, FACT: visit}) if visit else row
