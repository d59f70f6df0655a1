"""COSE_Key (RFC 9052 7, RFC 9053 7.1.1): the P-256 key to which a pass is bound, both directions. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.errors import MalformedError

P256_POINT_BYTES = 33
"""A P-256 key as one compressed point (SEC 1, 2.3.3): the form in which claims carry it."""

_KTY, _CRV, _X, _Y = 1, -1, -2, -3
_EC2, _P256 = 2, 1


def compressed(key: EllipticCurvePublicKey) -> bytes:
    """A P-256 key as `P256_POINT_BYTES` bytes.

    Raises:
        ValueError: a key of another curve.
    """
    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"a key on {key.curve.name}, not on P-256")
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


@lru_cache(maxsize=16)  # one scan asks three times, and finding y costs as much as checking a signature
def p256_key(point: bytes) -> EllipticCurvePublicKey:
    """The key that a compressed point stands for.

    Raises:
        MalformedError: no point of that curve.
    """
    try:
        return EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise MalformedError("a key that is no point of P-256") from error


def write_p256(point: bytes) -> dict[int, Any]:
    """A compressed point as a COSE_Key, y as its sign bit alone: 33 bytes shorter in a QR."""
    return {_KTY: _EC2, _CRV: _P256, _X: point[1:], _Y: point[0] == 3}


def read_p256(cose_key: object) -> bytes:
    """The compressed point of a COSE_Key, whose y is a sign bit or a coordinate; other parameters are not read.

    Raises:
        MalformedError: no P-256 key.
    """
    match cose_key:
        case {1: 2, -1: 1, -2: bytes(x), -3: bool(odd)} if len(x) == 32:
            p256_key(point := bytes([2 + odd]) + x)
            return point
        case {1: 2, -1: 1, -2: bytes(x), -3: bytes(y)} if len(x) == len(y) == 32:
            return compressed(p256_key(b"\x04" + x + y))
    raise MalformedError("a COSE_Key that is no P-256 key")
