"""The health record: one shape for what a certificate says and for what the roster knows of a person. Pure.

    {"v": [...], "t": [...], "r": [...],                          entries as in the EU certificate, schema 1.3
     "declaration": {"at"}, "isolation": {"from", "to"}, "contact": {"at"}}

`declaration.at` is a moment with its offset; the others are local days, `isolation.to` the last one (left out: no end
is known yet). Whatever is absent is not known. Doses, tests and recoveries of several papers stand beside each other,
in no order that a rule may rely on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gate.errors import DocumentError
from gate.model import Credential
from gate.policy.health.certlogic_format import ENTRIES_MAX

Record = dict[str, Any]

FACT = "health"
"""The key of a roster entry's facts under which its health record stands."""
KINDS = ("v", "t", "r")
TEXT_MAX_CHARS = 80

_Text = Annotated[str, Meta(max_length=TEXT_MAX_CHARS)]
_Entries = Annotated[list[dict[_Text, _Text | int]], Meta(max_length=ENTRIES_MAX)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A misspelt key would be a fact that no rule sees."""


class _Declaration(_Part, frozen=True):
    at: Annotated[datetime, Meta(tz=True)]


class _Isolation(_Part, frozen=True, rename={"first": "from"}):
    first: date
    to: date | None = None


class _Contact(_Part, frozen=True):
    at: date


class _Record(_Part, frozen=True):
    v: _Entries = []
    t: _Entries = []
    r: _Entries = []
    declaration: _Declaration | None = None
    isolation: _Isolation | None = None
    contact: _Contact | None = None


def check_record(record: object) -> None:
    """Refuse what is no health record.

    Raises:
        DocumentError: another key, another form, or more than ENTRIES_MAX entries of a kind.
    """
    try:
        msgspec.convert(record, _Record)
    except msgspec.ValidationError as error:
        raise DocumentError(f"the health record: {error}") from error


def record_of(credential: Credential) -> Record:
    """What all papers of a person say together: the certificate that was scanned, and the roster."""
    scanned = credential.claims.record if credential.claims else None
    listed = credential.entry.facts.get(FACT) if credential.entry else None
    if not scanned or not listed:
        return scanned or listed or {}
    return {**listed, **{kind: [*scanned.get(kind, ()), *listed.get(kind, ())] for kind in KINDS}}


def trimmed(record: Record, fields: Iterable[str]) -> Record:
    """Only those fields of a record that the rules of a site look at (`v.dt`, `isolation.from`): what a row carries."""
    wanted: dict[str, set[str]] = {}
    for field in fields:
        part, _, name = field.partition(".")
        wanted.setdefault(part, set()).add(name)
    kept: Record = {}
    for part, names in wanted.items():
        found = record.get(part)
        if isinstance(found, dict):
            kept[part] = {name: value for name, value in found.items() if name in names}
        elif found:
            kept[part] = [{name: value for name, value in entry.items() if name in names} for entry in found]
    return kept
