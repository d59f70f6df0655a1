"""The QR of the citizen ID card: `number|old number|name|DDMMYYYY|sex|address|DDMMYYYY`, unsigned. Pure.

Seven fields on the card of 2021 (CCCD), the same seven and more on the card of 2024, whose rest stays opaque.
It proves nothing by itself (claimed); a roster may list the number or the old one. Twelve digits (Circular
59/2021/TT-BCA): three for the province or country of birth, one for century and sex, two for the year, six random.
Where they disagree with what is printed beside them the token says so, and nobody is refused for it.
"""

from __future__ import annotations

import re
from datetime import date

from gate.decoder.text import day_month_year, strict_fields
from gate.errors import MalformedError
from gate.model import Token

NAME = "cccd"
NUMBER_DISAGREES = "number_disagrees"

_FIELDS = 7
_START = re.compile(rb"[0-9]{12}\|")
_OLD_NUMBER = re.compile(r"[0-9]{9}|[0-9]{12}|")
_SEXES = {"Nam": "M", "Nữ": "F"}
_PROVINCES = frozenset((
    1, 2, 4, 6, 8, 10, 11, 12, 14, 15, 17, 19, 20, 22, 24, 25, 26, 27, 30, 31, 33, 34, 35, 36, 37, 38, 40, 42,
    44, 45, 46, 48, 49, 51, 52, 54, 56, 58, 60, 62, 64, 66, 67, 68, 70, 72, 74, 75, 77, 79, 80, 82, 83, 84, 86,
    87, 89, 91, 92, 93, 94, 95, 96,
))
_COUNTRIES = range(101, 296)  # Circular 07/2016/TT-BCA, annex; both lists outlive mergers of provinces


def claims(payload: bytes) -> bool:
    """Whether this starts with twelve digits and a bar."""
    return _START.match(payload) is not None


def parse(payload: bytes) -> Token:
    """Read the first seven fields; what follows them stays unread.

    Raises:
        MalformedError: fewer fields, or one out of its form.
    """
    fields = strict_fields(payload)
    if len(fields) < _FIELDS:
        raise MalformedError(f"{len(fields)} fields; an ID card has {_FIELDS} or more")
    number, old_number, name, born, sex, address, issued = fields[:_FIELDS]
    if not _OLD_NUMBER.fullmatch(old_number):
        raise MalformedError("the old number is neither empty nor 9 or 12 digits")
    if not name:
        raise MalformedError("the name is missing")
    if sex not in _SEXES:
        raise MalformedError("the sex is neither Nam nor Nữ")
    born_on, issued_on = day_month_year(born, "the birth date"), day_month_year(issued, "the date of issue")
    agrees = number_agrees(number, born_on, _SEXES[sex])
    identifiers = [f"cccd:{number}", *([f"cmnd:{old_number}"] if len(old_number) == 9 else [])]
    return Token(NAME, tuple(identifiers), warnings=() if agrees else (NUMBER_DISAGREES,), person={
        "id": number, "old_id": old_number, "name": name, "dob": born_on.isoformat(), "sex": _SEXES[sex],
        "address": address, "issued": issued_on.isoformat(), "number_agrees": agrees,
        "edition": 2021 if len(fields) == _FIELDS else 2024,
    })


def number_agrees(number: str, born_on: date, sex: str) -> bool:
    """Whether twelve digits fit a birth date and a sex (M or F), and begin with a place that exists."""
    place, century_and_sex, year = int(number[:3]), int(number[3]), int(number[4:6])
    born = 1900 + 100 * (century_and_sex // 2) + year
    return (place in _PROVINCES or place in _COUNTRIES) and (born, "MF"[century_and_sex % 2]) == (born_on.year, sex)
