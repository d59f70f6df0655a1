"""Base45 (RFC 9285) decoded in bulk, as three long numbers: a letter at a time costs as much as a signature. Pure."""

from __future__ import annotations

from gate.errors import MalformedError

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = bytes.maketrans(_ALPHABET, bytes(range(45)))
_LANE_BYTES = 4
"""One group's share of a long number; a group comes to 91,124 at most, so no lane runs over into its neighbour."""


def decode(text: bytes) -> bytes:
    """Three letters to two bytes, the last two letters to one (RFC 9285 4).

    Raises:
        MalformedError: a letter outside the alphabet, a length that cannot be, or a group over its bytes' range.
    """
    if text.translate(None, _ALPHABET):
        raise MalformedError("not base45: a letter outside its alphabet")
    values = text.translate(_VALUES)
    groups, rest = divmod(len(values), 3)
    low, middle, high = (_in_lanes(values[place:3 * groups:3]) for place in range(3))
    words = (low + 45 * middle + 45 * 45 * high).to_bytes(_LANE_BYTES * groups)
    if any(words[1::_LANE_BYTES]):
        raise MalformedError("not base45: a group of three above 65535")
    decoded = bytearray(2 * groups)
    decoded[::2], decoded[1::2] = words[2::_LANE_BYTES], words[3::_LANE_BYTES]
    return bytes(decoded) + _last(values[3 * groups:]) if rest else bytes(decoded)


def _in_lanes(values: bytes) -> int:
    lanes = bytearray(_LANE_BYTES * len(values))
    lanes[_LANE_BYTES - 1::_LANE_BYTES] = values
    return int.from_bytes(lanes)


def _last(values: bytes) -> bytes:
    if len(values) == 1 or (byte := values[0] + 45 * values[1]) > 0xFF:
        raise MalformedError("not base45: a single letter at its end, or a last group above 255")
    return bytes((byte,))
