"""Number codes for people without a smartphone: digits, sent by SMS and typed at the keypad. Pure.

A number proves nothing by itself: it opens a gate only when the signed roster lists it. The last digit is a
check digit (Verhoeff): it catches every wrong digit and every swap of neighbours, and more of the twins and wider
swaps of tired fingers than Damm or Luhn do. It keeps a typing error from being somebody else's code; it is no
secret.
"""

from __future__ import annotations

import re

from stdnum import verhoeff

from gate.errors import MalformedError
from gate.model import Token

NAME = "number"
DIGITS_MIN, DIGITS_MAX = 6, 12
"""With the check digit; 12 leave 10,000 codes for each of ten million holders."""
CODES_PER_HOLDER = 10_000
"""How thinly codes lie among all numbers, so that a guess finds nobody."""

_FORM = re.compile(rb"[0-9]{%d,%d}" % (DIGITS_MIN, DIGITS_MAX))


def claims(payload: bytes) -> bool:
    """Whether this is 6 to 12 digits and nothing else."""
    return _FORM.fullmatch(payload) is not None


def parse(payload: bytes) -> Token:
    """Read a number whose check digit is right.

    Raises:
        MalformedError: the check digit is wrong.
    """
    digits = payload.decode("ascii")
    if not verhoeff.is_valid(digits):
        raise MalformedError("the check digit does not fit: one of the digits is wrong")
    return Token(NAME, (f"number:{digits}",), person={"id": digits})


def under_duress(payload: bytes) -> bytes | None:
    """The number that somebody means who types its last digit one too high, 0 after 9; None where it is no such number.

    As many typed numbers mean somebody's number so as without: it makes no guess more likely to be one.
    """
    if not claims(payload):
        return None
    meant = payload[:-1] + str((int(payload[-1:]) - 1) % 10).encode()
    return meant if verhoeff.is_valid(meant.decode("ascii")) else None


def new_number(random_digits: str) -> str:
    """A number code from uniformly random digits, as many as `random_digits_needed` says."""
    number: str = random_digits + verhoeff.calc_check_digit(random_digits)
    if not claims(number.encode()):
        raise ValueError(f"a number code has {DIGITS_MIN} to {DIGITS_MAX} digits, check digit included")
    return number


def random_digits_needed(holders: int) -> int:
    """How many random digits give each of `holders` people at least CODES_PER_HOLDER possible codes.

    Raises:
        ValueError: more people than a keypad's number can serve.
    """
    needed = max(len(str(holders * CODES_PER_HOLDER - 1)), DIGITS_MIN - 1)
    if holders < 1 or needed >= DIGITS_MAX:
        raise ValueError(f"number codes serve 1 to {10 ** (DIGITS_MAX - 1) // CODES_PER_HOLDER} holders")
    return needed
