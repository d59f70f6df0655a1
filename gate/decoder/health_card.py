"""The health-insurance card (BHYT): fields parted by bars, name and address in hex of UTF-8, `|$` at the end. Pure.

    number | name (hex) | birth DD/MM/YYYY or YYYY | sex 1 male, 2 female | address (hex) | first clinic | from |
    until | issued | office | parent (hex) | region | five years on | check | $

It proves nothing by itself (claimed). The number has 15 characters (two letters for the group, the benefit level, the
province, then the ten digits of the social-insurance number), or since 2021 those ten digits alone (Decision
1666/QD-BHXH of 2020). Only the first five fields are read: what follows differs between years and stays opaque.
"""

from __future__ import annotations

import re

from gate.decoder.text import calendar_day, day_month_year, strict_fields
from gate.errors import MalformedError
from gate.model import Token

NAME = "bhyt"

_START = re.compile(rb"(?:[A-Z]{2}[0-9]{13}|[0-9]{10})\|")
_END = b"|$"
_READ, _FIELDS_MIN = 5, 7
_SEXES = {"1": "M", "2": "F"}
_YEAR = re.compile(r"[0-9]{4}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def claims(payload: bytes) -> bool:
    """Whether this begins with a card's number and ends as such a card does."""
    return payload.endswith(_END) and _START.match(payload) is not None


def parse(payload: bytes) -> Token:
    """Read number, name, birth, sex and address.

    Raises:
        MalformedError: fewer fields, or one out of its form.
    """
    fields = strict_fields(payload)
    if len(fields) < _FIELDS_MIN:
        raise MalformedError(f"{len(fields)} fields; an insurance card has {_FIELDS_MIN} or more")
    number, name, born, sex, address = fields[:_READ]
    if sex not in _SEXES:
        raise MalformedError("the sex is neither 1 nor 2")
    identifiers = [f"bhxh:{number[-10:]}", *([f"bhyt:{number}"] if len(number) == 15 else [])]
    return Token(NAME, tuple(identifiers), person={
        "id": number, "name": _hex_text(name, "the name"), "dob": _birth(born), "sex": _SEXES[sex],
        "address": "" if address in ("", "-") else _hex_text(address, "the address"),
    })


def _hex_text(text: str, what: str) -> str:
    """Text that the card holds as hex, under the same rules as text that it prints."""
    if not _HEX.fullmatch(text):
        raise MalformedError(f"{what} is not in hex")
    (plain,) = strict_fields(bytes.fromhex(text), "\n")
    return plain


def _birth(text: str) -> str:
    """A day, or a year alone for people who know no more."""
    if _YEAR.fullmatch(text):
        calendar_day(text, "1", "1", "the birth year")
        return text
    return day_month_year(text, "the birth date").isoformat()
