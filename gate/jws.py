"""JWS in its compact form (RFC 7515 7.1) with ES256, as SMART Health Cards use it. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from gate.cose import Algorithm, PublicKey, algorithm_of, verify_signature
from gate.errors import ForgedError, MalformedError
from gate.strict_json import read_json_object

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_MEMBERS = frozenset({"alg", "kid", "zip", "typ"})


@dataclass(frozen=True, slots=True)
class Jws:
    """A message as read, before anybody verified it; `payload` is still deflated."""

    kid: bytes
    payload: bytes
    signed: bytes
    signature: bytes


def parse_jws(data: bytes) -> Jws:
    """Read a message without believing it.

    Raises:
        MalformedError: not three parts of base64url, or its header is not ES256, deflated, with a kid in base64url.
    """
    parts = data.split(b".")
    if len(parts) != 3:
        raise MalformedError(f"a JWS of {len(parts)} parts; it has three")
    header = read_json_object(base64url(parts[0]))
    if header.get("alg") != "ES256":
        raise MalformedError("a JWS whose alg is not ES256")
    if header.get("zip") != "DEF" or not header.keys() <= _MEMBERS:
        raise MalformedError("a JWS that is not deflated, or whose header asks for what this gate does not know")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise MalformedError("a JWS whose header names no key")
    return Jws(base64url(kid.encode()), base64url(parts[1]), parts[0] + b"." + parts[1], base64url(parts[2]))


def verify_jws(message: Jws, public_key: PublicKey) -> None:
    """Check the signature.

    Raises:
        ForgedError: the key did not sign this message.
    """
    if algorithm_of(public_key) is not Algorithm.ES256:
        raise ForgedError("the message is signed with ES256, its key is for another algorithm")
    verify_signature(public_key, message.signature, message.signed)


def base64url(text: bytes) -> bytes:
    """Base64url without padding, in its one form (RFC 4648 5, 3.5).

    Raises:
        MalformedError: another letter, or bits left over.
    """
    try:
        if not _BASE64URL.fullmatch(text):
            raise ValueError("a letter outside its alphabet")
        decoded = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError as error:
        raise MalformedError(f"not base64url: {error}") from error
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != text:
        raise MalformedError("not base64url: bits left over")
    return decoded
