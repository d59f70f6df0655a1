"""Text that a stranger printed, read strictly: what passes here may stand in a JSON line or on a page. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from gate.errors import MalformedError

TEXT_MAX_BYTES = 1024
FIELD_MAX_CHARS = 300
"""An address is the longest field of a card; real ones stay under 150."""

_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_DATE = re.compile(r"([0-9]{2})(/?)([0-9]{2})\2([0-9]{4})")


def strict_fields(payload: bytes, separator: str = "|") -> list[str]:
    """Split a code's text into its fields, composed to NFC; nothing is trimmed.

    Raises:
        MalformedError: over a limit, not UTF-8, or with control, bidirectional or unassigned characters.
    """
    if len(payload) > TEXT_MAX_BYTES:
        raise MalformedError(f"a text of {len(payload)} bytes; at most {TEXT_MAX_BYTES} are read")
    try:
        text = unicodedata.normalize("NFC", payload.decode())
    except UnicodeDecodeError as error:
        raise MalformedError("the text is not UTF-8") from error
    for character in text:
        if unicodedata.category(character) in _FORBIDDEN:
            raise MalformedError(f"the text holds U+{ord(character):04X}, an invisible or control character")
    fields = text.split(separator)
    if len(longest := max(fields, key=len)) > FIELD_MAX_CHARS:
        raise MalformedError(f"a field of {len(longest)} characters; at most {FIELD_MAX_CHARS} are read")
    return fields


def day_month_year(text: str, what: str) -> date:
    """A date as ID cards print it, DDMMYYYY (some readers put slashes in).

    Raises:
        MalformedError: no such day.
    """
    if match := _DATE.fullmatch(text):
        day, _, month, year = match.groups()
        return calendar_day(year, month, day, what)
    raise MalformedError(f"{what} is not DDMMYYYY")


def calendar_day(year: str, month: str, day: str, what: str) -> date:
    """The day that three numbers name.

    Raises:
        MalformedError: no such day.
    """
    try:
        return date(int(year), int(month), int(day))
    except ValueError as error:
        raise MalformedError(f"{what} is no day of the calendar") from error
