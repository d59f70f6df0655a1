"""One reader a column of a people list: text -> value, or a ValueError that says how to put it right.

No message repeats an identity number: what a terminal shows ends in logs and screenshots.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any

from gate.wire import is_id

NAME_MAX_CHARS = 100
LIST_MAX_IDS = 32
QID_MAX_CHARS = 40
_INVISIBLE = {"Cc", "Cf", "Co", "Cn"}


def plain(text: str) -> str:
    """Lower case, no accents, words joined by `_`: "Họ và tên" -> "ho_va_ten"."""
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    return "_".join(re.findall("[a-z0-9]+", letters))


def _text(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > NAME_MAX_CHARS:
        raise ValueError(f"has {len(text)} characters; at most {NAME_MAX_CHARS}")
    if any(unicodedata.category(char) in _INVISIBLE for char in text):
        raise ValueError("holds an invisible character; type it again")
    return text


def _name(text: str) -> str:
    if not text:
        raise ValueError("is empty; a person needs a name")
    return _text(text)


def _day(text: str) -> date | None:
    if not text:
        return None
    if match := re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text):
        year, month, day = map(int, match.groups())
    elif match := re.fullmatch(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})", text):
        day, month, year = map(int, match.groups())
    else:
        raise ValueError(f"{text[:20]!r} is no date; write it as 18/01/1987 or 1987-01-18")
    if not 1900 <= year < 2100:
        raise ValueError(f"the year {year} cannot be right")
    if month > 12 >= day:
        raise ValueError(f"there is no month {month}; day and month are swapped: write {month:02}/{day:02}/{year}")
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"there is no day {day:02}/{month:02}/{year} (day/month/year)") from None


def _birth_date(text: str) -> str:
    if re.fullmatch(r"(19|20)[0-9]{2}", text):
        return text
    day = _day(text)
    return day.isoformat() if day else ""


def _digits(length: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        number = re.sub(r"[\s.]", "", text.removeprefix("'"))
        if not number or re.fullmatch(f"[0-9]{{{length}}}", number):
            return number
        if re.fullmatch(r"[0-9,]+E\+?[0-9]+", number, re.IGNORECASE):
            raise ValueError(f"is a power of ten; format the column as text, then type all {length} digits")
        if not re.fullmatch("[0-9]+", number):
            raise ValueError(f"holds something other than digits; {length} digits belong here")
        if length == 12 and len(number) == 9:
            raise ValueError("has 9 digits: an old number belongs in cmnd; were three zeros lost, put 000 in front")
        if 0 < (lost := length - len(number)) <= 3:
            raise ValueError(f"has {len(number)} digits instead of {length}: spreadsheets drop leading zeros; "
                             f"put {'0' * lost} in front and format the column as text")
        raise ValueError(f"has {len(number)} digits instead of {length}")
    return read


def _qid(text: str) -> str:
    if not re.fullmatch(f"[0-9A-Za-z-]{{0,{QID_MAX_CHARS}}}", text):
        raise ValueError(f"is no QID: up to {QID_MAX_CHARS} letters, digits and hyphens")
    return text


def _id(text: str) -> str:
    if text and not is_id(text):
        suggestion = plain(text).replace("_", "-") or "kho-a"
        raise ValueError(f"{text[:40]!r} is no id (a-z, 0-9, hyphens); write for example {suggestion}")
    return text


def _ids(text: str) -> list[str]:
    ids = list(dict.fromkeys(_id(part.strip()) for part in text.split(";") if part.strip()))
    if len(ids) > LIST_MAX_IDS:
        raise ValueError(f"{len(ids)} ids; at most {LIST_MAX_IDS}")
    return ids


READERS: dict[str, Callable[[str], Any]] = {
    "full_name": _name, "birth_date": _birth_date, "cccd": _digits(12), "cmnd": _digits(9), "qid": _qid,
    "company": _text, "areas": _ids, "roles": _ids, "schedule": _id, "valid_from": _day, "valid_until": _day,
}
"""Column -> its reader; an empty cell gives "", [] or None."""

HEADINGS: dict[str, str] = {column: column for column in READERS} | {
    "ho_ten": "full_name", "ho_va_ten": "full_name", "ngay_sinh": "birth_date", "so_cccd": "cccd",
    "so_cmnd": "cmnd", "cong_ty": "company", "khu_vuc": "areas", "vai_tro": "roles", "ca": "schedule",
    "hieu_luc_tu": "valid_from", "hieu_luc_den": "valid_until",
}
"""Plain heading -> column."""
