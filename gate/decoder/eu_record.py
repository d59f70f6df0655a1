"""The body of an EU certificate, schemas 1.0.0 to 1.3.3, as the one health record that policy uses. Pure.

Source: eHealth Network, Technical Specifications for EU DCC, JSON schema; SpecialCaseHandling.md of the quality
assurance names what real issuers get wrong and verifiers put up with: null for nothing, blanks around texts, dose
counts like 1.0, dates with a time, names in letters that the schema does not allow. Lengths are not checked beyond
those of the whole message; value sets, and days that are none of the calendar (2022-17-01), are a matter of policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gate.errors import MalformedError

Record = dict[str, list[dict[str, Any]]]

_TEXTS = {
    "v": ("tg", "vp", "mp", "ma", "dt", "co", "is", "ci"),
    "t": ("tg", "tt", "sc", "tr", "co", "is", "ci"),
    "r": ("tg", "fr", "co", "is", "df", "du", "ci"),
}
"""What each kind of entry must say, in text; a vaccination counts doses (dn of sd) as well."""
_DOSES = ("dn", "sd")
_VERSIONS_KEPT = 16
_NAMES = ("fn", "gn", "fnt", "gnt")
_COUNTRY = re.compile(r"[A-Z]{1,10}")
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.[0-9]{1,3}")
_BORN_FULL = re.compile(r"(?:19|20)\d\d-\d\d-\d\d")
_BORN_IN_PART = re.compile(r"(?:19|20)\d\d(?:-\d\d){0,2}(?:T.*)?|")


def read_record(body: object) -> Record:
    """The record `{"v": [...], "t": [...], "r": [...]}`, entries of exactly one kind; one entry from schema 1.3 on.

    Raises:
        MalformedError: another number of entries, or one that lacks a field or holds what is no text.
    """
    body = _map(body, "the certificate")
    record = {kind: [_entry(kind, entry) for entry in _list(body.get(kind), kind)] for kind in _TEXTS}
    if len(kinds := [kind for kind, entries in record.items() if entries]) != 1:
        raise MalformedError(f"a certificate of {len(kinds)} kinds of entry; exactly one of v, t and r has any")
    if len(record[kinds[0]]) > 1 and _version(body) >= (1, 3):
        raise MalformedError("a certificate of several entries, which schema 1.3 no longer allows")
    return record


def read_person(body: object) -> dict[str, Any]:
    """The holder: `name` (family first), its parts, the name as passports print it, the birth date or part of it.

    Raises:
        MalformedError: no name, or a birth date that its schema does not know.
    """
    body = _map(body, "the certificate")
    names = _map(body.get("nam"), "nam")
    if "fnt" not in names and "gnt" not in names:
        raise MalformedError("a certificate without a name in plain letters (fnt, gnt)")
    family, given, family_icao, given_icao = [_optional_text(names.get(part), part) for part in _NAMES]
    return {
        "name": f"{family or family_icao} {given or given_icao}".strip(),
        "family_name": family, "given_name": given,
        "icao_name": f"{family_icao}<<{given_icao}" if family_icao and given_icao else family_icao or given_icao,
        "dob": _birth(body),
    }


def _birth(body: Mapping[Any, Any]) -> str:
    if "dob" not in body:
        raise MalformedError("a certificate without a birth date (dob)")
    born = _optional_text(body["dob"], "dob")
    full_dates_only = _version(body) < (1, 1)
    if not (_BORN_FULL.match(born) if full_dates_only else _BORN_IN_PART.fullmatch(born)):
        raise MalformedError("a certificate whose birth date (dob) is none of 1900 to 2099")
    return born


def _version(body: Mapping[Any, Any]) -> tuple[int, int]:
    """Major and minor version of the schema."""
    return _version_of(_text(body, "ver"))


@lru_cache(maxsize=_VERSIONS_KEPT)
def _version_of(text: str) -> tuple[int, int]:
    version = _VERSION.fullmatch(text.strip())
    if version is None:
        raise MalformedError("a certificate whose schema version (ver) is not like 1.3.0")
    return int(version[1]), int(version[2])


def _entry(kind: str, entry: object) -> dict[str, Any]:
    """An entry's fields, texts without blanks around them; nulls are no fields."""
    fields: dict[str, Any] = {}
    for name, value in _map(entry, kind).items():
        if isinstance(value, str):
            fields[name] = value.strip()
        elif value is not None:
            fields[name] = _whole_number(value)
    for name in _TEXTS[kind]:
        _text(fields, name)
    if not _COUNTRY.search(fields["co"]):
        raise MalformedError("an entry without a country (co)")
    for name in _DOSES if kind == "v" else ():
        if not isinstance(count := fields.get(name), int) or count < 1:
            raise MalformedError(f"a vaccination whose {name} is not a whole number from 1")
    return fields


def _whole_number(value: object) -> int:
    """A field's number; anything deeper than text and numbers has no place in an entry."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise MalformedError("an entry with a field that is neither text nor a whole number")


def _text(fields: Mapping[Any, Any], name: str) -> str:
    if not isinstance(value := fields.get(name), str):
        raise MalformedError(f"{name} is missing or no text")
    return value


def _optional_text(value: object, name: str) -> str:
    if not isinstance(value, str | None):
        raise MalformedError(f"{name} is no text")
    return (value or "").strip()


def _map(value: object, name: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is not a map")
    return value


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list | None):
        raise MalformedError(f"{name} is not a list")
    return value or []
