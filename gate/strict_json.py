"""One JSON object, read strictly (RFC 8259): every key once, finite numbers, nothing after it. Pure."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from gate.errors import MalformedError

JSON_MAX_BYTES = 65_536

NOT_IN_FORM = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec's decoders raise, typed messages included: bad UTF-8 and deep nesting are not its own errors."""


def read_json_object(data: bytes) -> dict[str, Any]:
    """Read exactly one object.

    Raises:
        MalformedError: with what stands against it.
    """
    if len(data) > JSON_MAX_BYTES:
        raise MalformedError(f"JSON of {len(data)} bytes; at most {JSON_MAX_BYTES} are read")
    try:
        found = json.loads(
            data.decode(), object_pairs_hook=_every_key_once, parse_float=_finite, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not readable as JSON: {error}") from error
    if not isinstance(found, dict):
        raise MalformedError("JSON that is not an object")
    return found


def canonical(item: dict[str, Any]) -> bytes:
    """The one form of RFC 8785 for what has no fractions and only ASCII keys, as seals of ICAO have.

    Raises:
        MalformedError: it has others.
    """
    _check_canonical(item)
    return json.dumps(item, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _every_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant[:40]} is no number")


def _check_canonical(item: Any) -> None:
    match item:
        case dict():
            if not all(key.isascii() for key in item):
                raise MalformedError("sealed JSON with a key that is not ASCII")
            for value in item.values():
                _check_canonical(value)
        case list():
            for value in item:
                _check_canonical(value)
        case float():
            raise MalformedError("sealed JSON with a fraction, which no such seal has")
        case int() if abs(item) >= 2**53:
            raise MalformedError("sealed JSON with a number beyond 2**53 (RFC 8785 3.2.2.3)")
