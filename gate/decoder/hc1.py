"""The EU certificate `HC1:` (EU DCC), of the EU and of every country that joined: base45, zlib, COSE_Sign1. Pure.

Source: eHealth Network, Technical Specifications for EU DCC volumes 1 and 3. ES256 or PS256; kid protected before
unprotected; claims iss 1, iat 6, exp 4 and the certificate at -260, 1. It is good from iat to exp, both included.
"""

from __future__ import annotations

from datetime import datetime

from gate.cose import Claim, moment_with_fractions, read_cwt
from gate.decoder import base45
from gate.decoder.eu_record import read_person, read_record
from gate.decoder.inflate import ZLIB, inflate
from gate.decoder.withdrawal import withdrawal_id
from gate.errors import MalformedError
from gate.model import Claims, Token

NAME = "hc1"

_PREFIX = b"HC1:"
_HEALTH_CERTIFICATE, _VERSION_1 = -260, 1


def claims(payload: bytes) -> bool:
    """Whether this payload says that it is an EU certificate."""
    return payload.startswith(_PREFIX)


def parse(payload: bytes) -> Token:
    """Take the signed message out of its wrapping, without reading it.

    Raises:
        MalformedError: not base45 of deflated data, or over a limit.
    """
    return Token(NAME, signed=inflate(base45.decode(payload.removeprefix(_PREFIX)), ZLIB))


def read_claims(payload: bytes, key_id: str) -> Claims:
    """Read what an issuer signed; `payload` comes from a verified message.

    Raises:
        MalformedError: no end, no certificate, or a part of it out of form.
    """
    found = read_cwt(payload, as_issued=True)
    wrapped = found.get(_HEALTH_CERTIFICATE)
    body = wrapped.get(_VERSION_1) if isinstance(wrapped, dict) else None
    record = read_record(body)
    issued_at = moment_with_fractions(found[Claim.IAT]) if Claim.IAT in found else None
    expires_at = moment_with_fractions(found.get(Claim.EXP))
    return Claims(
        issuer=_issuer(found.get(Claim.ISS)),
        subject="",
        key_id=key_id,
        pass_id=withdrawal_id(next(filter(None, record.values()))[0]["ci"]),
        valid_from_at=issued_at,
        valid_until_at=expires_at + datetime.resolution,
        printed_from_at=issued_at,
        printed_until_at=expires_at,
        record=record,
        person=read_person(body),
    )


def _issuer(name: object) -> str:
    """The issuer's country as real issuers write it; absent is what a trust list then says of the key."""
    if not isinstance(name, str | None):
        raise MalformedError("a certificate whose issuer (iss) is no text")
    return (name or "").strip()
