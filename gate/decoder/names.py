"""Whether two papers name one person, across scripts and habits of writing. Pure.

Papers write one name as NGUYỄN VĂN ÁNH, Nguyen Van Anh, NGUYEN<<VAN<ANH or Ánh Nguyễn Văn. Letters are brought to those
of a passport's machine-readable zone (ICAO Doc 9303-3, section 6), where Ä may become A or AE; two names match when
they come to the same words in any order. It compares what papers in one hand say, and identifies nobody by itself.
"""

from __future__ import annotations

import re
import unicodedata

NAME_MAX_CHARS = 300

_PLAIN = {"Đ": "D", "Ø": "O", "Å": "A", "Ł": "L", "Ħ": "H", "Ŧ": "T", "İ": "I"}
_SPELT_OUT = {"Ä": "AE", "Ö": "OE", "Ü": "UE", "Ø": "OE", "Å": "AA"}
_ALWAYS = {"Æ": "AE", "Œ": "OE", "Þ": "TH", "Ð": "D", "ẞ": "SS", "Ŋ": "N"}
_CYRILLIC = (
    "А A Б B В V Г G Д D Е E Ё E Ж ZH З Z И I Й I І I К K Л L М M Н N О O П P Р R С S Т T У U Ф F Х KH Ц TS Ч CH Ш SH "
    "Щ SHCH Ъ IE Ы Y Э E Ю IU Я IA Є IE Ї I Ґ G Ј J Љ LJ Њ NJ Ћ C Ђ D Џ DZ Ќ KJ Ѓ GJ Ѕ DZ"
)
_GREEK = "Α A Β V Γ G Δ D Ε E Ζ Z Η I Θ TH Ι I Κ K Λ L Μ M Ν N Ξ X Ο O Π P Ρ R Σ S Τ T Υ Y Φ F Χ CH Ψ PS Ω O"


def _pairs(text: str) -> dict[str, str]:
    letters = text.split()
    return dict(zip(letters[::2], letters[1::2], strict=True))


_SCRIPTS = str.maketrans(_ALWAYS | _pairs(_CYRILLIC) | _pairs(_GREEK))
_HABITS = tuple(map(str.maketrans, (_PLAIN, _PLAIN | _SPELT_OUT)))
"""The two ways in which states write letters with marks: without the mark, or spelt out."""
_JOINING = re.compile(r"['\u2019\u02bc`\u00b4.]|\u042c")  # an apostrophe, and the soft sign of Cyrillic
_WORD = re.compile(r"[A-Z]+")


def names_match(one: str, other: str) -> bool:
    """Whether two names can be one person's; a name without a letter of a script that we know matches none."""
    return not spellings(one).isdisjoint(spellings(other))


def births_match(one: str, other: str) -> bool:
    """Whether two birth dates (YYYY-MM-DD) can be one person's: the year agrees, and whatever else both papers tell.

    Many papers state the year alone, and the personal QR may mask month and day.
    """
    ones, others = (text[:len("YYYY-MM-DD")].split("-") for text in (one, other))
    years = ones[0] == others[0] and len(ones[0]) == len("YYYY") and ones[0].isdecimal()
    return years and all(
        part == its or not (part.isdecimal() and its.isdecimal()) for part, its in zip(ones, others, strict=False))


def spellings(name: str) -> frozenset[tuple[str, ...]]:
    """The words of a name, sorted, in each way in which ICAO lets a passport spell them."""
    upper = _JOINING.sub("", unicodedata.normalize("NFC", name[:NAME_MAX_CHARS]).upper())
    found = (tuple(sorted(_WORD.findall(_latin(upper.translate(habit))))) for habit in _HABITS)
    return frozenset(words for words in found if words)


def _latin(text: str) -> str:
    """Letters without their marks, those of other scripts in Latin; a diphthong of Greek before its letters."""
    text = text.replace("ΟΥ", "OU").replace("ΟΎ", "OU").translate(_SCRIPTS)
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).translate(_SCRIPTS)
