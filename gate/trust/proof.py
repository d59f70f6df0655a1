"""What a token proves: whose signature it carries, what that vouches for, and whether its signer may say so. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from gate import countries
from gate.cose import PublicKey, parse_sign1, verify1
from gate.decoder import gp1, gp1_live, hc1, nzcp, shc, vds_nc
from gate.errors import (
    CodeError,
    DocumentError,
    ForgedError,
    MalformedError,
    UnknownFormatError,
    UnknownKeyError,
    WrongCodeError,
)
from gate.jws import parse_jws, verify_jws
from gate.model import Claims, Reason, Token
from gate.trust.keys import Key, Keyring, Purpose, key_id

ISSUER_DISAGREES = "issuer_disagrees"
"""Warning: a certificate names another country than its key's."""


class Message(Protocol):
    """A signed message in its envelope, before anybody verified it; `kid` says which key to try."""

    @property
    def kid(self) -> bytes | None: ...

    @property
    def payload(self) -> bytes: ...


def by_kid(message: Message, keyring: Keyring, purpose: Purpose) -> tuple[Key, ...]:
    """The keys that a message names."""
    return keyring.find(message.kid, purpose)


def by_chain(seal: vds_nc.Seal, keyring: Keyring, purpose: Purpose) -> tuple[Key, ...]:
    """The key of the certificate that a seal brings along: listed itself, or issued by an authority that is."""
    if listed := keyring.find(seal.kid, purpose):
        return listed
    from gate.certificates import is_issued_by, read_certificate  # noqa: PLC0415  (megabytes for this format alone)

    try:
        signer = read_certificate(seal.certificate)
        for authority in keyring.authorities(purpose):
            if is_issued_by(seal.certificate, authority.public_key):
                ends = (signer.valid_until_at, authority.valid_until_at or signer.valid_until_at)
                return (replace(authority, kid=seal.kid, public_key=signer.public_key, valid_until_at=min(ends),
                                certificate=seal.certificate),)
    except DocumentError as error:
        raise MalformedError(f"a seal whose certificate is none: {error}") from error
    return ()


class Envelope(NamedTuple):
    """How a kind of signature is opened: what reads it, what raises ForgedError, and whose keys come into question."""

    parse: Callable[[bytes], Any]
    verify: Callable[[Any, PublicKey], object]
    signers: Callable[[Any, Keyring, Purpose], tuple[Key, ...]] = by_kid


class Signed(NamedTuple):
    """How a signed format is proved: its envelope, whose keys count, and what reads the payload once one has signed."""

    envelope: Envelope
    purpose: Purpose
    read_claims: Callable[[bytes, str], Claims]


COSE = Envelope(parse_sign1, verify1)
JWS = Envelope(parse_jws, verify_jws)
LIVE = Envelope(gp1_live.parse_live, gp1_live.verify_live)
SEAL = Envelope(vds_nc.parse_seal, vds_nc.verify_seal, by_chain)

SIGNED = {
    gp1.NAME: Signed(COSE, "pass", gp1.read_claims),
    gp1_live.NAME: Signed(LIVE, "pass", gp1_live.read_claims),
    hc1.NAME: Signed(COSE, "health", hc1.read_claims),
    shc.NAME: Signed(JWS, "health", shc.read_claims),
    nzcp.NAME: Signed(COSE, "health", nzcp.read_claims),
    vds_nc.NAME: Signed(SEAL, "health", vds_nc.read_claims),
}
"""The formats that carry a signature; any other format proves nothing by itself."""


class Proved(NamedTuple):
    """A payload that a key signed, before anybody read it; `withdrawn` when this key vouches for nothing any more."""

    payload: bytes
    key: Key
    withdrawn: bool = False


def verify(token: Token, keyring: Keyring) -> Claims | None:
    """What a signature vouches for, or None for a token that carries none; claims are read after the check.

    Raises:
        UnknownKeyError: no key of that kid may sign such codes.
        ForgedError: none of them signed this one, or its issuer is not the one it names.
        MalformedError: signed, but not by the norm of its format.
    """
    return read_proved(token.format, prove(token, keyring)) if token.signed is not None else None


def prove(token: Token, keyring: Keyring) -> Proved:
    """The first half of `verify`, for a token that carries a signature: who signed it.

    Raises:
        UnknownKeyError: no key of that kid may sign such codes.
        ForgedError: none of them signed this one.
        MalformedError: the envelope is not by its norm.
    """
    assert token.signed is not None
    envelope, purpose, _ = SIGNED[token.format]
    message = envelope.parse(token.signed)
    keys = envelope.signers(message, keyring, purpose)
    if not keys:
        raise UnknownKeyError(f"no issuer has a key {key_id(message.kid or b'')!r} for a {purpose}")
    for key in keys:
        try:
            envelope.verify(message, key.public_key)
        except ForgedError:
            continue
        return Proved(message.payload, key, withdrawn=key.fingerprint in keyring.withdrawn)
    raise ForgedError("the signature does not match what is signed")


def read_proved(format_name: str, proved: Proved) -> Claims:
    """The second half of `verify`: what it says, and whether its signer may say so.

    Raises:
        UnknownKeyError: the signer may not vouch for such a thing.
        ForgedError: its issuer is not the one it names.
        MalformedError: signed, but not by the norm of its format.
    """
    _, purpose, read_claims = SIGNED[format_name]
    claims = read_claims(proved.payload, key_id(proved.key.kid))
    changes = (_by_its_country if purpose == "health" else _by_its_issuer)(claims, proved.key)
    if proved.withdrawn:
        changes["key_withdrawn"] = True
    return replace(claims, **changes) if changes else claims  # copying takes as long as reading


def _by_its_issuer(claims: Claims, key: Key) -> dict[str, Any]:
    """A pass names the issuer that owns the key, and is good in the time that it shares with the key's life.

    Returns what that changes of the claims.
    """
    if key.issuer not in (claims.issuer, None):
        raise ForgedError(f"signed with the key of {key.issuer}, but it names {claims.issuer} as its issuer")
    changes: dict[str, Any] = {}
    if key.valid_from_at is not None and (claims.valid_from_at is None or claims.valid_from_at < key.valid_from_at):
        changes["valid_from_at"] = key.valid_from_at
    if key.valid_until_at is not None and _outlives(claims, key.valid_until_at):
        changes["valid_until_at"] = key.valid_until_at
    return changes


def _by_its_country(claims: Claims, key: Key) -> dict[str, Any]:
    """A health certificate is of a kind and a country that its key may sign for, and good until the key's end.

    It may be older than the key's certificate, which real issuers renew around the same key. Returns what that changes
    of the claims.
    """
    if key.kinds is not None and not key.kinds.issuperset(kinds := _kinds(claims)):
        raise UnknownKeyError(f"the key {claims.key_id!r} may sign {sorted(key.kinds)}, not {kinds}")
    agrees = countries.may_sign_for(key.country, claims.issuer)
    if not agrees and key.issuer is not None:
        raise ForgedError(f"signed with a key of {key.country}, but it names {claims.issuer} as its issuer")
    changes: dict[str, Any] = {}
    if key.valid_until_at is not None:
        # The last second of a certificate is part of its life (RFC 5280 4.1.2.5).
        end = key.valid_until_at + datetime.resolution
        if _outlives(claims, end):
            changes["valid_until_at"] = end
        if claims.printed_until_at is None:
            changes["printed_until_at"] = key.valid_until_at
    if not claims.issuer:
        changes["issuer"] = key.country
    if not agrees:
        changes["warnings"] = (*claims.warnings, ISSUER_DISAGREES)
    return changes


def _outlives(claims: Claims, end: datetime) -> bool:
    return claims.valid_until_at is None or claims.valid_until_at > end


def _kinds(claims: Claims) -> list[str]:
    return [kind for kind, entries in (claims.record or {}).items() if entries]


_REASONS: dict[type[CodeError], Reason] = {
    MalformedError: Reason.MALFORMED,
    UnknownFormatError: Reason.UNKNOWN_FORMAT,
    WrongCodeError: Reason.WRONG_CODE,
    UnknownKeyError: Reason.UNKNOWN_KEY,
    ForgedError: Reason.BAD_SIGNATURE,
}


def reason_of(error: CodeError) -> Reason:
    """The reason that a refused code is denied with; INTERNAL_ERROR for a kind that nobody mapped."""
    return _REASONS.get(type(error), Reason.INTERNAL_ERROR)
