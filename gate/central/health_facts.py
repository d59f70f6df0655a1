"""Health facts on their way into the roster: one JSON object a line, by any identifier or by the holder id.

    {"who": "cccd:001090123456", "record": {"v": [{"dn": 2, "sd": 2, "dt": "2021-09-01", ...}], ...}}

A row carries only those fields that the rules of the published packs look at: what a stolen gate can tell is the least
that it needs to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from gate.documents.roster_file import RosterRow
from gate.errors import DocumentError, UsageError
from gate.policy.health.pack import Pack
from gate.policy.health.record import FACT, check_record, trimmed
from gate.strict_json import NOT_IN_FORM


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    who: str
    record: dict[str, Any]


def read_health(path: Path, packs: Mapping[str, Pack]) -> dict[str, bytes]:
    """Each person's record, cut down to what `packs` look at, as JSON.

    Raises:
        UsageError: the file cannot be read.
        DocumentError: a line is not in form, or says of somebody what another has said; named by its number.
    """
    fields = frozenset[str]().union(*(pack.fields for pack in packs.values()))
    facts: dict[str, bytes] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    who, record = _read(path, number, line)
                    if facts.setdefault(who, known := msgspec.json.encode(trimmed(record, fields))) is not known:
                        raise DocumentError(f"{path}:{number}: this person has a line already; join the two")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return facts


def with_health(rows: Iterable[RosterRow], facts: Mapping[str, bytes]) -> Iterator[RosterRow]:
    """The rows, each with the health record of its person where there is one."""
    for row in rows:
        known = next((facts[name] for name in (row.holder, *row.identifiers) if name in facts), None)
        record = msgspec.json.decode(known) if known else {}
        yield replace(row, facts={**row.facts, FACT: record}) if record else row


def _read(path: Path, number: int, line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        read = msgspec.json.decode(line, type=_Line)
        check_record(read.record)
    except (*NOT_IN_FORM, DocumentError) as error:
        raise DocumentError(f"{path}:{number}: {error}") from error
    return read.who, read.record
