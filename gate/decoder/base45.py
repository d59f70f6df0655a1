"""Base45 (RFC 9285) decoded in bulk, as one long number: a letter at a time costs as much as a signature. Pure."""

from __future__ import annotations

from gate.errors import MalformedError
from gate.model import PAYLOAD_MAX_BYTES

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = bytes.maketrans(_ALPHABET, bytes(range(45)))
_OTHERS = bytes(set(range(256)) - set(_ALPHABET))
# Three letters fill three bytes, and so does what they stand for, 91,124 at most: no group runs over into the next.
_GROUPS_MAX = PAYLOAD_MAX_BYTES // 3 + 1
_THIRDS = int.from_bytes(b"\x00\x00\xff" * _GROUPS_MAX)
_SURPLUS = int.from_bytes(b"\xff\x00\x00" * _GROUPS_MAX)


def decode(text: bytes) -> bytes:
    """Three letters to two bytes, the last two letters to one (RFC 9285 4).

    Raises:
        MalformedError: a letter outside the alphabet, a length that cannot be, a group over its bytes' range, or a
            text over PAYLOAD_MAX_BYTES.
    """
    if len(text) > PAYLOAD_MAX_BYTES:
        raise MalformedError(f"base45 of {len(text)} letters; at most {PAYLOAD_MAX_BYTES} are read")
    values = text.translate(_VALUES, _OTHERS)
    if len(values) != len(text):
        raise MalformedError("not base45: a letter outside its alphabet")
    end = len(values) - len(values) % 3
    letters = int.from_bytes(values[:end])
    words = (letters >> 16 & _THIRDS) + 45 * (letters >> 8 & _THIRDS) + 45 * 45 * (letters & _THIRDS)
    if words & _SURPLUS:
        raise MalformedError("not base45: a group of three above 65535")
    decoded = bytearray(words.to_bytes(end))
    del decoded[::3]
    return bytes(decoded) + _last(values[end:]) if end < len(values) else bytes(decoded)


def _last(values: bytes) -> bytes:
    if len(values) == 1 or (byte := values[0] + 45 * values[1]) > 0xFF:
        raise MalformedError("not base45: a single letter at its end, or a last group above 255")
    return bytes((byte,))
