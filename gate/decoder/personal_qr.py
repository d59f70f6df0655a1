"""The unified personal QR v1.1: `SoGiayTo|HoTen|NgaySinh|LoaiDinhDanh|QID|EXT`, six fields, unsigned. Pure.

Source: Decision 1405/QD-BTTTT of 11 September 2021. It proves nothing by itself (claimed); a roster may list its
QID or its unmasked number. The app masks with `*`: the first six characters of the number, day and month of the
birth date. The order inside EXT is not certain across its issuers, so EXT stays opaque.
"""

from __future__ import annotations

import re

from gate.decoder.text import calendar_day, strict_fields
from gate.errors import MalformedError
from gate.model import Token

NAME = "personal-qr"

_FIELDS = 6
_DECLARED_BY = {"0": "self", "1": "other"}
_NUMBER = re.compile(r"(?:[0-9A-Z]{6}|\*{6})[0-9A-Z]{0,14}")
_BIRTH = re.compile(r"([0-9]{4})-([0-9]{2}|\*{1,2})-([0-9]{2}|\*{1,2})")
_QID = re.compile(r"[0-9A-Za-z-]{1,64}")
_KINDS = ((re.compile(r"[0-9]{12}"), "cccd"), (re.compile(r"[0-9]{9}"), "cmnd"))


def claims(payload: bytes) -> bool:
    """Whether this is six fields with a 0 or 1 as the fourth."""
    fields = payload.split(b"|", _FIELDS)
    return len(fields) == _FIELDS and fields[3] in (b"0", b"1")


def parse(payload: bytes) -> Token:
    """Read the QID, and the number where it is not masked.

    Raises:
        MalformedError: a field is out of its form.
    """
    number, name, birth, declared, qid, extension = strict_fields(payload)
    if number and not _NUMBER.fullmatch(number):
        raise MalformedError("the paper's number is neither plain nor masked by six asterisks")
    if not name:
        raise MalformedError("the name is missing")
    if not _QID.fullmatch(qid):
        raise MalformedError("the QID is not 1 to 64 letters and digits")
    identifiers = [f"qid:{qid}", *(f"{kind}:{number}" for form, kind in _KINDS if form.fullmatch(number))]
    return Token(NAME, tuple(identifiers), person={
        "id": number, "name": name, "dob": _check_birth(birth), "declared_by": _DECLARED_BY[declared], "qid": qid,
        "extension": extension,
    })


def _check_birth(birth: str) -> str:
    match = _BIRTH.fullmatch(birth)
    if match is None:
        raise MalformedError("the birth date is neither YYYY-MM-DD nor masked")
    year, month, day = match.groups()
    # A masked part is checked as if it were the first: the rest still has to be possible.
    calendar_day(year, "1" if "*" in month else month, "1" if "*" in day else day, "the birth date")
    return birth
