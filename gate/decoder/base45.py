"""Base45 (RFC 9285) decoded in bulk: a letter at a time costs as much as a signature check. Pure."""

from __future__ import annotations

import struct

from gate.errors import MalformedError

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = bytes.maketrans(_ALPHABET, bytes(range(45)))


def decode(text: bytes) -> bytes:
    """Three letters to two bytes, the last two letters to one (RFC 9285 4).

    Raises:
        MalformedError: a letter outside the alphabet, a length that cannot be, or a group over its bytes' range.
    """
    if text.translate(None, _ALPHABET):
        raise MalformedError("not base45: a letter outside its alphabet")
    values = text.translate(_VALUES)
    groups, rest = divmod(len(values), 3)
    low, middle, high = (values[start:3 * groups:3] for start in range(3))
    try:
        words = struct.pack(f">{groups}H", *[a + 45 * b + 2025 * c for a, b, c in zip(low, middle, high, strict=True)])
        if not rest:
            return words
        first, second = values[-rest:]
        return words + struct.pack("B", first + 45 * second)
    except (struct.error, ValueError) as error:
        raise MalformedError("not base45: a group out of its range, or a single letter at the end") from error
