"""Cards of radio readers: the number that a reader sends over Wiegand or OSDP, with the PIN typed after it. Pure.

No format of `FORMATS`: only a reader of cards can bring one (`Scan.card`), so that a QR that spells a card's number,
which is printed on many of them, opens nothing. A card proves nothing by itself: it opens a gate only when the signed
roster lists it, and with its PIN where that says so (`card:26-233-30328#1234`; the roster holds keyed hashes).
"""

from __future__ import annotations

import re

from gate.errors import MalformedError
from gate.model import Token

NAME = "card"
PIN_DIGITS_MAX = 8
FACILITY_BITS = {26: 8, 34: 16}
"""By the length of a Wiegand frame: how many of its bits are the facility; sixteen more are the card's number."""
RAW_BITS_MAX = 256

_FORM = re.compile(rb"(?:(?:26|34)-[0-9]{1,5}-[0-9]{1,5}|raw-[0-9]{1,3}-[0-9a-f]{1,64})(?:#[0-9]{1,8})?")


def from_bits(bits: str) -> str:
    """A card's text from a Wiegand frame of `0` and `1`, first bit first.

    The first half is under even parity by the first bit, the second half under odd parity by the last (26: HID H10301).

    Raises:
        MalformedError: another length, or the parity is wrong.
    """
    facility_bits = FACILITY_BITS.get(len(bits))
    if facility_bits is None:
        raise MalformedError(f"a frame of {len(bits)} bits; 26 and 34 are read")
    half = len(bits) // 2
    if bits[:half].count("1") % 2 != 0 or bits[half:].count("1") % 2 != 1:
        raise MalformedError("the parity is wrong: the wires are swapped, loose, or too long")
    facility, number = bits[1:1 + facility_bits], bits[1 + facility_bits:-1]
    return f"{len(bits)}-{int(facility, 2)}-{int(number, 2)}"


def from_raw(bits: str) -> str:
    """A card's text from bits of any layout: Wiegand's where they are that, else as they stand.

    Raises:
        MalformedError: none, or more than RAW_BITS_MAX.
    """
    try:
        return from_bits(bits)
    except MalformedError:
        if not 0 < len(bits) <= RAW_BITS_MAX:
            raise
        return f"raw-{len(bits)}-{int(bits, 2):x}"


def parse(payload: bytes) -> Token:
    """Read what a reader of cards handed on: a card's text, and `#` and its PIN where one was typed.

    Raises:
        MalformedError: it is no such text.
    """
    if _FORM.fullmatch(payload) is None:
        raise MalformedError("no card's number, or a PIN of more than eight digits")
    text = payload.decode("ascii")
    return Token(NAME, (f"card:{text}",))
