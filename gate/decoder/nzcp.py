"""The NZ COVID Pass `NZCP:/1/`: base32 of a CWT in COSE_Sign1 with ES256. Pure.

Source: NZ COVID Pass technical specification, version 1. It says who somebody is and that they held a pass; it holds no
doses or results, so its record is empty. Unlike an EU certificate it is no longer good at its last second (RFC 8392).
"""

from __future__ import annotations

import base64
import re

from gate.cose import Claim, moment, read_cwt
from gate.errors import MalformedError
from gate.model import Claims, Token

NAME = "nzcp"

_PASS = re.compile(rb"NZCP:/1/([A-Z2-7]+)")
_ISSUER = re.compile(r"did:web:[A-Za-z0-9._%:-]{1,250}")
_CREDENTIAL_TYPES = {"VerifiableCredential", "PublicCovidPass"}


def claims(payload: bytes) -> bool:
    """Whether this payload says that it is such a pass, of this version or of another."""
    return payload.startswith(b"NZCP:/")


def parse(payload: bytes) -> Token:
    """Take the signed message out of its wrapping, without reading it.

    Raises:
        MalformedError: another version, or not base32 without padding.
    """
    if not (found := _PASS.fullmatch(payload)):
        raise MalformedError("a NZ pass is NZCP:/1/ and base32 without padding")
    text = found[1]
    try:
        signed = base64.b32decode(text + b"=" * (-len(text) % 8))
    except ValueError as error:
        raise MalformedError("a NZ pass whose base32 has an impossible length") from error
    if base64.b32encode(signed).rstrip(b"=") != text:
        raise MalformedError("a NZ pass whose base32 has bits left over")
    return Token(NAME, signed=signed)


def read_claims(payload: bytes, key_id: str) -> Claims:
    """Read what an issuer signed; `payload` comes from a verified message.

    Raises:
        MalformedError: a claim is missing or out of form.
    """
    found = read_cwt(payload)
    match found.get(Claim.ISS), found.get(Claim.CTI):
        case (str(issuer), bytes(pass_id)) if _ISSUER.fullmatch(issuer) and len(pass_id) == 16:
            pass
        case _:
            raise MalformedError("a NZ pass whose issuer is no did:web, or whose id (cti) is not 16 bytes")
    match found.get("vc"):
        case {"version": "1.0.0", "type": [*types], "credentialSubject": {"givenName": str(given), "dob": str(born),
              **subject}} if set(map(str, types)) >= _CREDENTIAL_TYPES:
            pass
        case _:
            raise MalformedError("a NZ pass whose credential (vc) is not a PublicCovidPass 1.0.0 of somebody")
    family = subject.get("familyName", "")
    if not isinstance(family, str):
        raise MalformedError("a NZ pass whose family name is no text")
    starts_at, expires_at = moment(found.get(Claim.NBF)), moment(found.get(Claim.EXP))
    return Claims(
        issuer=issuer,
        subject="",
        key_id=key_id,
        pass_id=pass_id.hex(),
        valid_from_at=starts_at,
        valid_until_at=expires_at,
        printed_from_at=starts_at,
        printed_until_at=expires_at,
        record={"v": [], "t": [], "r": []},
        person={"name": f"{family} {given}".strip(), "family_name": family, "given_name": given, "dob": born},
    )
