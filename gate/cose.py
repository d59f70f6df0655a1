"""COSE_Sign1 and CWT, both directions, over cbor2 and cryptography. Pure.

COSE_Sign1 (RFC 9052 4.2) is an array of four: protected header, unprotected header, payload, signature. A CWT
(RFC 8392) is a map of claims as its payload. Verifying and reading are two steps, so that nobody reads claims that
nobody signed: `verify1(parse_sign1(data), key)` gives the payload, `read_cwt(payload)` the claims.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gate.cbor import read_cbor
from gate.errors import ForgedError, MalformedError

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


class Algorithm(IntEnum):
    """COSE algorithm numbers (RFC 9053 2, RFC 8230 2): one for each kind of key, so no header picks another."""

    EDDSA = -8
    ES256 = -7
    PS256 = -37


class Claim(IntEnum):
    """Labels of registered claims (RFC 8392 3.1, RFC 8747 3.1)."""

    ISS = 1
    SUB = 2
    EXP = 4
    NBF = 5
    IAT = 6
    CTI = 7
    CNF = 8


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}
_ALG, _CRIT, _KID, _CWT_CLAIMS = 1, 2, 4, 15  # header labels, RFC 9052 3.1 and RFC 9597 2
_LAST_SECOND = 253_402_300_799  # of the year 9999
_TAGS = re.compile(rb"(?:(?:\xd8\x3d)?\xd2)?")  # 61(18(...)), 18(...) and untagged are one message
_PARTS = [bytes, dict, bytes, bytes]
_HEADERS_KEPT = 16
"""Protected headers kept as read: an issuer prints one and the same on all that it signs."""
_SHA256 = SHA256()
_ECDSA = ec.ECDSA(_SHA256)
_PSS = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=SHA256.digest_size)  # RFC 8230 2


@dataclass(frozen=True, slots=True)
class Sign1:
    """A message as read, before anybody verified it; `protected` holds the header's signed bytes."""

    algorithm: Algorithm
    kid: bytes | None
    protected: bytes
    payload: bytes
    signature: bytes


def sign1(
    payload: bytes, private_key: PrivateKey, kid: bytes | None = None, claims: Mapping[int, Any] | None = None,
) -> bytes:
    """Sign `payload`: an untagged COSE_Sign1 with the algorithm, `kid` and CWT `claims` in its protected header."""
    header = {_ALG: int(algorithm_of(private_key)), _KID: kid, _CWT_CLAIMS: claims}
    protected = cbor2.dumps({label: value for label, value in header.items() if value is not None})
    signature = _sign(private_key, _to_be_signed(protected, payload))
    return cbor2.dumps([protected, {}, payload, signature])


@lru_cache(maxsize=1)  # a format reads a message to know it, and trust reads the same message to prove it
def parse_sign1(data: bytes) -> Sign1:
    """Read a message without believing it.

    Algorithm and kid are taken from the protected header before the unprotected one (RFC 9052 3).

    Raises:
        MalformedError: not a COSE_Sign1, over a limit, or it asks for what we do not do.
    """
    tags = _TAGS.match(data)
    parts = read_cbor(data[tags.end():] if tags else data)
    if type(parts) is not list or [type(part) for part in parts] != _PARTS:
        raise MalformedError("not a COSE_Sign1: four parts [bytes, map, bytes, bytes] are needed")
    protected, unprotected, payload, signature = parts
    headers = {**unprotected, **_read_protected(protected)}
    if _CRIT in headers:
        raise MalformedError("COSE_Sign1 with critical headers, which this gate does not know")
    kid, algorithm = headers.get(_KID), headers.get(_ALG)
    if not isinstance(kid, bytes | None):
        raise MalformedError("COSE_Sign1 whose kid is not a byte string")
    if type(algorithm) is not int or algorithm not in _ALGORITHMS:
        raise MalformedError("COSE_Sign1 whose algorithm is not EdDSA, ES256 or PS256")
    return Sign1(_ALGORITHMS[algorithm], kid, protected, payload, signature)


def verify1(message: Sign1, public_key: PublicKey) -> bytes:
    """The payload, once its signature is proved.

    Raises:
        ForgedError: the key did not sign this message.
    """
    if (needed := algorithm_of(public_key)) is not message.algorithm:
        raise ForgedError(f"the message says {message.algorithm.name}, its key is for {needed.name}")
    verify_signature(public_key, message.signature, _to_be_signed(message.protected, message.payload))
    return message.payload


def header_claims(message: Sign1) -> Mapping[int | str, Any]:
    """The CWT claims in the protected header of a message that was verified (RFC 9597); empty where there are none.

    Raises:
        MalformedError: they are no map.
    """
    claims = _read_protected(message.protected).get(_CWT_CLAIMS, {})
    if not isinstance(claims, dict):
        raise MalformedError("COSE_Sign1 whose CWT claims are not a map")
    return claims


def algorithm_of(key: PublicKey | PrivateKey) -> Algorithm:
    """The one algorithm that a key serves (ES256 is also what P-384 keys of real issuers sign with)."""
    return _algorithm_of(type(key))


def verify_signature(public_key: PublicKey, signature: bytes, message: bytes) -> None:
    """Check one raw signature; of an elliptic curve it is r || s at full width (RFC 9053 2.1).

    Raises:
        ForgedError: it does not match.
    """
    try:
        _CHECKS[algorithm_of(public_key)](public_key, signature, message)
    except InvalidSignature as error:
        raise ForgedError("the signature does not match what is signed") from error


def write_cwt(claims: Mapping[int, Any]) -> bytes:
    """Claims as a CWT's payload, in the one deterministic form (RFC 8949 4.2)."""
    return cbor2.dumps(dict(claims), canonical=True)


def read_cwt(payload: bytes, *, as_issued: bool = False) -> dict[int | str, Any]:
    """The claims of a CWT's payload; give it only what `verify1` returned.

    `as_issued` reads what RFC 8392 2 forbids and real issuers do: `read_cbor`.

    Raises:
        MalformedError: not a map, or over a limit.
    """
    claims = read_cbor(payload, as_issued=as_issued)
    if not isinstance(claims, dict):
        raise MalformedError("CWT claims must be a map")
    return claims


def moment(seconds: object) -> datetime:
    """A CWT's NumericDate (RFC 8392 2) in whole seconds since 1970 as aware UTC.

    Raises:
        MalformedError: not an integer, or outside the years 1970 to 9999.
    """
    if type(seconds) is not int:
        raise MalformedError("a time must be whole seconds since 1970")
    return moment_with_fractions(seconds)


def moment_with_fractions(seconds: object) -> datetime:
    """A NumericDate as RFC 7519 2 has it, which may hold fractions of a second, as aware UTC.

    Raises:
        MalformedError: not a number, or outside the years 1970 to 9999.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LAST_SECOND:
        raise MalformedError("a time must be seconds since 1970, before the year 10000")
    return datetime.fromtimestamp(seconds, UTC)


@cache  # of a few types: asking a key what it is costs several times as much
def _algorithm_of(key_type: type) -> Algorithm:
    if issubclass(key_type, Ed25519PublicKey | Ed25519PrivateKey):
        return Algorithm.EDDSA
    if issubclass(key_type, EllipticCurvePublicKey | EllipticCurvePrivateKey):
        return Algorithm.ES256
    return Algorithm.PS256


@lru_cache(maxsize=_HEADERS_KEPT)
def _read_protected(protected: bytes) -> Mapping[Any, Any]:
    """The protected header, which is a map inside a byte string, empty for no map at all (RFC 9052 3)."""
    header = read_cbor(protected) if protected else {}
    if not isinstance(header, dict):
        raise MalformedError("COSE_Sign1 whose protected header is not a map")
    return MappingProxyType(header)


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """The Sig_structure; a protected header of no entries is signed as an empty string (RFC 9052 4.4)."""
    return cbor2.dumps(["Signature1", b"" if protected == b"\xa0" else protected, b"", payload])


def _sign(private_key: PrivateKey, message: bytes) -> bytes:
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key.sign(message)
    if isinstance(private_key, EllipticCurvePrivateKey):
        r, s = decode_dss_signature(private_key.sign(message, _ECDSA))
        width = _coordinate_bytes(private_key.key_size)
        return r.to_bytes(width) + s.to_bytes(width)
    return private_key.sign(message, _PSS, _SHA256)


def _check_eddsa(key: Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message)


def _check_es256(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    key.verify(_der_from_raw(signature, key.key_size), message, _ECDSA)


def _check_ps256(key: RSAPublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, _PSS, _SHA256)


_CHECKS: dict[Algorithm, Callable[[Any, bytes, bytes], None]] = {
    Algorithm.EDDSA: _check_eddsa, Algorithm.ES256: _check_es256, Algorithm.PS256: _check_ps256,
}


def _der_from_raw(signature: bytes, key_size_bits: int) -> bytes:
    width = _coordinate_bytes(key_size_bits)
    if len(signature) != 2 * width:
        raise ForgedError(f"an ECDSA signature of {len(signature)} bytes; this key makes {2 * width}")
    return encode_dss_signature(int.from_bytes(signature[:width]), int.from_bytes(signature[width:]))


def _coordinate_bytes(key_size_bits: int) -> int:
    return (key_size_bits + 7) // 8
