"""Deflated data with an end to what it may cost: a bomb is refused after INFLATED_MAX_BYTES. Pure."""

from __future__ import annotations

import zlib

from gate.errors import MalformedError

INFLATED_MAX_BYTES = 65_536
"""The longest real certificate inflates to 2 kB, a health card with its whole history to some 20."""

ZLIB, RAW = zlib.MAX_WBITS, -zlib.MAX_WBITS
"""The two wrappings: RFC 1950, which ends in a checksum, and bare RFC 1951."""


def inflate(data: bytes, wrapping: int) -> bytes:
    """The whole of one stream.

    Raises:
        MalformedError: not such a stream, cut short, followed by more, or inflating past INFLATED_MAX_BYTES.
    """
    stream = zlib.decompressobj(wrapping)
    try:
        inflated = stream.decompress(data, INFLATED_MAX_BYTES + 1)
    except zlib.error as error:
        raise MalformedError(f"cannot be inflated: {error}") from error
    if len(inflated) > INFLATED_MAX_BYTES:
        raise MalformedError(f"inflates to more than {INFLATED_MAX_BYTES} bytes")
    if not stream.eof:
        raise MalformedError("cannot be inflated: it is cut short")
    if stream.unused_data:
        raise MalformedError(f"{len(stream.unused_data)} bytes too many after the deflated data")
    return inflated
