"""Our own pass: `GP1:` and base45 of a CWT in COSE_Sign1 (EdDSA), short enough for a small QR. Pure.

Claims: iss 1, sub 2 (the holder id), exp 4, nbf 5 (may be absent), cti 7 (the pass id, 8 to 16 bytes), and two of
our own in the private range (RFC 8392 9.1: below -65536): areas -65537 and roles -65538, arrays of ids, absent
when empty. A pass that is bound to a phone carries the phone's P-256 key in cnf 8 (RFC 8747 3.2), and opens nothing
unless that phone shows it (`gp1_live`). Other claims are ignored (RFC 8392 3).
"""

from __future__ import annotations

import base64
from typing import Any

from base45 import b45encode
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.cose import Algorithm, Claim, moment, parse_sign1, read_cwt, sign1, write_cwt
from gate.cose_key import read_p256, write_p256
from gate.decoder import base45
from gate.errors import MalformedError, UsageError
from gate.model import Claims, Token
from gate.wire import is_id

NAME = "gp1"
PASS_MAX_CHARS = 311
"""What a version 10-M QR holds of the alphanumeric set (ISO/IEC 18004, table 7)."""
BOUND_MAX_CHARS = 403
"""A pass for a phone, which is never printed: what leaves the phone's part its room in `gp1_live.LIVE_MAX_CHARS`."""
HOLDER_ID_BYTES = 16
PASS_ID_BYTES = range(8, 17)
IDS_MAX = 32

_PREFIX = b"GP1:"
_AREAS, _ROLES = -65537, -65538
_COSE_KEY = 1  # confirmation method, RFC 8747 3.1


def holder_id(random_16_bytes: bytes) -> str:
    """The random name of a holder, 26 characters of lower-case base32: fits every place where an id may stand."""
    if len(random_16_bytes) != HOLDER_ID_BYTES:
        raise ValueError(f"a holder id is made of {HOLDER_ID_BYTES} random bytes, not {len(random_16_bytes)}")
    return base64.b32encode(random_16_bytes).decode().rstrip("=").lower()


def claims(payload: bytes) -> bool:
    """Whether this payload says that it is a pass of ours."""
    return payload.startswith(_PREFIX)


def parse(payload: bytes) -> Token:
    """Take the signed message out of its wrapping, without reading its claims.

    Raises:
        MalformedError: too long, not base45, or not a COSE_Sign1 with EdDSA.
    """
    if len(payload) > BOUND_MAX_CHARS:
        raise MalformedError(f"a pass of {len(payload)} characters; at most {BOUND_MAX_CHARS} are read")
    signed = base45.decode(payload.removeprefix(_PREFIX))
    if parse_sign1(signed).algorithm is not Algorithm.EDDSA:
        raise MalformedError("a pass that is not signed with EdDSA")
    return Token(NAME, signed=signed)


def read_claims(payload: bytes, key_id: str) -> Claims:
    """Read what an issuer signed; `payload` comes from a verified message.

    Raises:
        MalformedError: a claim is missing or out of form.
    """
    found = read_cwt(payload)
    match found.get(Claim.CTI):
        case bytes(pass_id) if len(pass_id) in PASS_ID_BYTES:
            pass
        case _:
            raise MalformedError("a pass whose cti is not 8 to 16 bytes")
    return Claims(
        issuer=_id(found, Claim.ISS),
        subject=_id(found, Claim.SUB),
        key_id=key_id,
        pass_id=pass_id.hex(),
        valid_from_at=moment(found[Claim.NBF]) if Claim.NBF in found else None,
        valid_until_at=moment(found.get(Claim.EXP)),
        areas=_ids(found, _AREAS),
        roles=_ids(found, _ROLES),
        phone_point=_phone_point(found) if Claim.CNF in found else b"",
    )


def read_phone_point(payload: bytes) -> bytes:
    """The key of the phone that a pass is bound to, as a compressed point; `payload` comes from a verified message.

    Raises:
        MalformedError: the pass is bound to no phone, or to what is no P-256 key.
    """
    return _phone_point(read_cwt(payload))


def issue_pass(vouched: Claims, private_key: Ed25519PrivateKey) -> str:
    """Sign claims as the text of a QR; `key_id` names the key (base64), times are whole seconds.

    Raises:
        UsageError: claims that a gate would refuse, or more than its QR holds: version 10-M, on a phone 14-M.
    """
    payload = write_cwt(_to_cwt(vouched))
    try:
        if read_claims(payload, vouched.key_id) != vouched:
            raise UsageError("a pass carries whole seconds and no health record: round the times, drop the rest")
    except MalformedError as error:
        raise UsageError(f"no gate would read this pass: {error}") from error
    signed = sign1(payload, private_key, base64.b64decode(vouched.key_id, validate=True))
    text: str = (_PREFIX + b45encode(signed)).decode()
    room, version = (BOUND_MAX_CHARS, 14) if vouched.phone_point else (PASS_MAX_CHARS, 10)
    if len(text) > room:
        raise UsageError(
            f"the pass has {len(text)} characters and a version {version}-M QR holds {room}: "
            "name fewer areas and roles, or shorten the issuer's id"
        )
    return text


def _to_cwt(vouched: Claims) -> dict[int, Any]:
    cwt: dict[int, Any] = {
        Claim.ISS: vouched.issuer,
        Claim.SUB: vouched.subject,
        Claim.CTI: bytes.fromhex(vouched.pass_id),
    }
    for label, at in ((Claim.NBF, vouched.valid_from_at), (Claim.EXP, vouched.valid_until_at)):
        if at is not None:
            cwt[label] = int(at.timestamp())
    for private, ids in ((_AREAS, vouched.areas), (_ROLES, vouched.roles)):
        if ids:
            cwt[private] = sorted(ids)
    if vouched.phone_point:
        cwt[Claim.CNF] = {_COSE_KEY: write_p256(vouched.phone_point)}
    return {int(label): value for label, value in cwt.items()}


def _id(found: dict[int | str, Any], label: Claim) -> str:
    value = found.get(label)
    if not (isinstance(value, str) and is_id(value)):
        raise MalformedError(f"a pass whose {label.name.lower()} is not an id (a-z, 0-9 and hyphens)")
    return value


def _phone_point(found: dict[int | str, Any]) -> bytes:
    match found.get(Claim.CNF):
        case {1: cose_key}:
            return read_p256(cose_key)
    raise MalformedError("a pass whose cnf holds no key of a phone")


def _ids(found: dict[int | str, Any], label: int) -> frozenset[str]:
    values = found.get(label, [])
    if not (isinstance(values, list) and len(values) <= IDS_MAX
            and all(isinstance(value, str) and is_id(value) for value in values)):
        raise MalformedError(f"a pass whose claim {label} is not a list of at most {IDS_MAX} ids")
    return frozenset(values)
