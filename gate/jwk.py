"""Public keys as documents carry them: JWK (RFC 7517, 7518, 8037). Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.cose import PublicKey
from gate.errors import DocumentError, UnusableKeyError

_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def public_key_from_jwk(jwk: Mapping[str, Any]) -> PublicKey:
    """The key that a JWK describes; members about its use are not read (RFC 7517 4).

    Raises:
        UnusableKeyError: not a public key of a kind that signs codes.
        DocumentError: a private one.
    """
    if private := _PRIVATE & jwk.keys():
        raise DocumentError(f"a private key where a public one belongs ({', '.join(sorted(private))}): replace it")
    try:
        match jwk:
            case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
                return Ed25519PublicKey.from_public_bytes(_bytes(x))
            case {"kty": "EC", "crv": str(curve), "x": str(x), "y": str(y)} if curve in _CURVES:
                return ec.EllipticCurvePublicNumbers(_int(x), _int(y), _CURVES[curve]).public_key()
            case {"kty": "RSA", "n": str(n), "e": str(e)}:
                return rsa.RSAPublicNumbers(_int(e), _int(n)).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKeyError(f"not a key: {error}") from error
    raise UnusableKeyError("a JWK that is neither Ed25519, P-256, P-384, P-521 nor RSA, or lacks a part of its key")


def public_key_to_jwk(key: PublicKey) -> dict[str, str]:
    """The JWK of a public key: its required members only, so that equal keys look equal.

    Raises:
        UnusableKeyError: a key on a curve for which JWK has no name.
    """
    if isinstance(key, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _text(key.public_bytes(Encoding.Raw, PublicFormat.Raw))}
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _text_of_int(numbers.n), "e": _text_of_int(numbers.e)}
    point, width = key.public_numbers(), (key.key_size + 7) // 8
    curve = next((name for name, curve in _CURVES.items() if curve.name == key.curve.name), None)
    if curve is None:
        raise UnusableKeyError(f"a key on the curve {key.curve.name}, which no JWK holds")
    return {"kty": "EC", "crv": curve, "x": _text(point.x.to_bytes(width)), "y": _text(point.y.to_bytes(width))}


def thumbprint(key: PublicKey) -> bytes:
    """The SHA-256 thumbprint of a key's JWK (RFC 7638): the kid that SMART Health Cards use.

    Raises:
        UnusableKeyError: a key on a curve for which JWK has no name.
    """
    return sha256(json.dumps(public_key_to_jwk(key), sort_keys=True, separators=(",", ":")).encode()).digest()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)


def _int(text: str) -> int:
    return int.from_bytes(_bytes(text))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _text_of_int(number: int) -> str:
    return _text(number.to_bytes((number.bit_length() + 7) // 8))
