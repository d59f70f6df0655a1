"""SMART Health Card `shc:/`: digit pairs of a JWS (ES256) whose payload is deflated JSON, a FHIR bundle inside. Pure.

Source: SMART Health Cards Framework 1.4. kid is the thumbprint of the key (RFC 7638). A card split over several codes
(deprecated there since 2022) is known as such and refused with a hint, because no single part proves anything.
"""

from __future__ import annotations

import re

from gate.cose import moment_with_fractions
from gate.decoder.fhir_record import read_person, read_record
from gate.decoder.inflate import RAW, inflate
from gate.decoder.withdrawal import withdrawal_id
from gate.errors import MalformedError, WrongCodeError
from gate.model import Claims, Token
from gate.strict_json import read_json_object

NAME = "shc"

_PREFIX = b"shc:/"
_CARD = re.compile(rb"shc:/(?:([0-9]{1,3})/([0-9]{1,3})/)?((?:[0-9][0-9])+)")
_ISSUER = re.compile(r"https://[!-~]{1,300}[!-.0-~]")  # RFC 3986 in ASCII, and not ending in a slash
_HEALTH_CARD = "https://smarthealth.cards#health-card"


def claims(payload: bytes) -> bool:
    """Whether this payload says that it is a health card, or a part of one."""
    return payload.startswith(_PREFIX)


def parse(payload: bytes) -> Token:
    """Take the signed message out of its digits, without reading it.

    Raises:
        WrongCodeError: one part of several.
        MalformedError: not pairs of digits.
    """
    card = _CARD.fullmatch(payload)
    if card is None:
        raise MalformedError("a health card is shc:/ and pairs of digits")
    part, parts, digits = card.groups()
    if parts is not None and int(parts) > 1:
        raise WrongCodeError("part")
    if part is not None and int(part) != 1:
        raise MalformedError("a health card that is a part of none")
    # "00" is the letter with code 45, "-" (framework, "Encoding Chunks as QR Codes")
    pairs = zip(digits[::2], digits[1::2], strict=True)
    return Token(NAME, signed=bytes([10 * tens + ones + 45 - 11 * ord("0") for tens, ones in pairs]))


def read_claims(payload: bytes, key_id: str) -> Claims:
    """Read what an issuer signed; `payload` comes from a verified message.

    Raises:
        MalformedError: not deflated JSON, or not a health card in form.
    """
    found = read_json_object(inflate(payload, RAW))
    match found:
        case {"iss": str(issuer), "nbf": starts, "vc": {"type": list(types), "credentialSubject": {
                "fhirBundle": dict(bundle)}} as credential} if _HEALTH_CARD in types:
            pass
        case _:
            raise MalformedError("not a health card: iss, nbf or vc with a FHIR bundle is missing")
    if not _ISSUER.fullmatch(issuer):
        raise MalformedError("a health card whose issuer is no https address, or ends in a slash")
    starts_at = moment_with_fractions(starts)
    expires_at = moment_with_fractions(found["exp"]) if "exp" in found else None
    card_id = credential.get("rid")
    return Claims(
        issuer=issuer,
        subject="",
        key_id=key_id,
        pass_id=withdrawal_id(f"{issuer}#{card_id}") if isinstance(card_id, str) else "",
        valid_from_at=starts_at,
        valid_until_at=expires_at,
        printed_from_at=starts_at,
        printed_until_at=expires_at,
        record=read_record(bundle, issuer),
        person=read_person(bundle),
    )
