"""One CBOR item, read strictly (RFC 8949): what strangers sign or print goes through here. Pure."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import cbor2

from gate.errors import MalformedError

CBOR_MAX_BYTES = 65_536
DEPTH_MAX = 12
"""Nested arrays and maps; a health certificate needs six."""

_KEY_TYPES = frozenset({int, str})
_UNDEFINED = b"\xf7"


class _NoTags(dict[int, Any]):
    """Refuses every tag that it does not hold: their readers build cycles, regular expressions or 10**1000000000."""

    def __missing__(self, tag: int) -> Any:
        return self._refuse

    @staticmethod
    def _refuse(_value: object, _immutable: bool) -> Any:
        raise ValueError("tags are not allowed here")


def _text_of_time(text: object, _immutable: bool) -> object:
    if not isinstance(text, str):
        raise ValueError("a tagged date that is not text")
    return text


def _seconds_of_time(seconds: object, _immutable: bool) -> object:
    if type(seconds) not in (int, float):
        raise ValueError("a tagged time that is not a number")
    return seconds


def read_cbor(data: bytes, *, as_issued: bool = False) -> Any:
    """Read exactly one item: definite lengths, every key once (integers or text), nothing after it.

    No tags either; with `as_issued` those of dates and times are read as the text or number inside, and undefined as
    null, because real issuers write them.

    Raises:
        MalformedError: with what stands against it.
    """
    if len(data) > CBOR_MAX_BYTES:
        raise MalformedError(f"CBOR of {len(data)} bytes; at most {CBOR_MAX_BYTES} are read")
    stream = io.BytesIO(data)
    options = _STRICT if not as_issued else _TIMES if _UNDEFINED not in data else _TIMES_AND_UNDEFINED
    decoder = cbor2.CBORDecoder(stream, **options)
    try:
        item = decoder.decode()
    except cbor2.CBORError as error:
        raise MalformedError(f"not readable as CBOR: {error.__cause__ or error}") from error
    if surplus := len(data) - stream.tell():
        raise MalformedError(f"{surplus} bytes too many after the CBOR item")
    return item


def _check_keys(item: Mapping[Any, Any], _immutable: bool) -> Mapping[Any, Any]:
    if not _KEY_TYPES.issuperset(map(type, item)):
        raise ValueError("keys of a map must be integers or text")
    return item


def _check_keys_and_blank(item: Mapping[Any, Any], immutable: bool) -> Mapping[Any, Any]:
    """The same, with null in place of undefined (RFC 8949 3.3)."""
    _check_keys(item, immutable)
    if cbor2.undefined not in item.values():
        return item
    return {key: None if value is cbor2.undefined else value for key, value in item.items()}


_STRICT: dict[str, Any] = {
    "max_depth": DEPTH_MAX, "allow_indefinite": False, "allow_duplicate_keys": False,
    "semantic_decoders": _NoTags(), "object_hook": _check_keys,
}
# Tags 0 and 1 (RFC 8949 3.4.1, 3.4.2) give what they hold, as if it stood there without a tag.
_TIMES = _STRICT | {"semantic_decoders": _NoTags({0: _text_of_time, 1: _seconds_of_time})}
_TIMES_AND_UNDEFINED = _TIMES | {"object_hook": _check_keys_and_blank}
