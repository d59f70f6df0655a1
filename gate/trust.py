"""Whom the gate believes: issuers' keys, revocations, the roster; and what a token proves against them. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate import countries
from gate.cose import PublicKey, parse_sign1, verify1
from gate.decoder import gp1, hc1
from gate.errors import (
    CodeError,
    DocumentError,
    ForgedError,
    MalformedError,
    UnknownFormatError,
    UnknownKeyError,
    WrongCodeError,
)
from gate.jwk import public_key_from_jwk, public_key_to_jwk, thumbprint
from gate.model import Claims, Reason, RosterEntry, Token

TOKEN_HASH_BYTES = 16
ISSUER_DISAGREES = "issuer_disagrees"
"""Warning: a certificate names another country than its key's."""
KID_MAX_BYTES = 64
DOCUMENT_MAX_BYTES = 16 * 1024 * 1024
"""The longest issuers, revocations or trust list that is read."""

Purpose = Literal["pass", "recorder", "operator", "health"]
"""What a key may vouch for; a key for one purpose is nobody for another."""


def token_hash(key: bytes, identifier: str) -> bytes:
    """The keyed hash under which a roster knows an identifier `kind:value` (HMAC-SHA256, first 16 bytes)."""
    return hmac.digest(key, identifier.encode(), hashlib.sha256)[:TOKEN_HASH_BYTES]


class Roster(Protocol):
    """The signed list of who may enter; a look-up touches local storage only and never blocks for long."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        """The holder whom the first known identifier names, or None."""
        ...

    def holder(self, holder: str) -> RosterEntry | None:
        """What the roster says of a holder id, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """One public key and what it may vouch for.

    Only a list that a person hands to `gate decode --trust` leaves issuer and purpose open (None). `kinds` of health
    certificate (v, t, r) are those its certificate allows, None for any; an `authority` may vouch for the certificate
    that a seal brings along.
    """

    kid: bytes
    public_key: PublicKey
    issuer: str | None
    purpose: Purpose | None
    country: str = ""
    valid_from_at: datetime | None = None
    valid_until_at: datetime | None = None
    issuer_name: str = ""
    kinds: frozenset[str] | None = None
    authority: bool = False


def kid_of(public_key: PublicKey) -> bytes:
    """The kid that our own issuers use: the first 8 bytes of the SHA-256 of the SubjectPublicKeyInfo (RFC 5280)."""
    info = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()[:8]


def key_id(kid: bytes) -> str:
    """A kid as claims, revocations and documents write it: base64."""
    return base64.b64encode(kid).decode()


class Keyring:
    """The keys that the gate believes; two keys may share a kid, which is only a hint (RFC 9052 3.1)."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.keys = tuple(keys)
        self._by_kid: dict[bytes, tuple[Key, ...]] = {}
        for key in self.keys:
            for kid in {key.kid, thumbprint(key.public_key)}:
                self._by_kid[kid] = (*self._by_kid.get(kid, ()), key)

    def find(self, kid: bytes | None, purpose: Purpose) -> tuple[Key, ...]:
        """Every key of that kid for that purpose; none for a message that names no key."""
        keys = self._by_kid.get(kid, ()) if kid else ()
        return tuple(key for key in keys if key.purpose in (purpose, None))

    def authorities(self, purpose: Purpose) -> Iterator[Key]:
        """Every key that may vouch for the certificate of a signer for that purpose."""
        return (key for key in self.keys if key.authority and key.purpose in (purpose, None))


@dataclass(frozen=True, slots=True)
class Revocations:
    """What is withdrawn: passes by id (hex), holders by id, signing keys by kid (base64)."""

    passes: frozenset[str] = frozenset()
    holders: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


# --- what a token proves -------------------------------------------------------------------------------


class Message(Protocol):
    """A signed message in its envelope, before anybody verified it; `kid` says which key to try."""

    @property
    def kid(self) -> bytes | None: ...

    @property
    def payload(self) -> bytes: ...


class Envelope(NamedTuple):
    """How a kind of signature is opened: what reads it, and what raises ForgedError when a key did not make it."""

    parse: Callable[[bytes], Any]
    verify: Callable[[Any, PublicKey], object]


class Signed(NamedTuple):
    """How a signed format is proved: its envelope, whose keys count, and what reads the payload once one has signed."""

    envelope: Envelope
    purpose: Purpose
    read_claims: Callable[[bytes, str], Claims]


COSE = Envelope(parse_sign1, verify1)

SIGNED = {
    gp1.NAME: Signed(COSE, "pass", gp1.read_claims),
    hc1.NAME: Signed(COSE, "health", hc1.read_claims),
}
"""The formats that carry a signature; any other format proves nothing by itself."""


class Proved(NamedTuple):
    """A payload that a key signed, before anybody read it."""

    payload: bytes
    key: Key


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
    keys = keyring.find(message.kid, purpose)
    if not keys:
        raise UnknownKeyError(f"no issuer has a key {key_id(message.kid or b'')!r} for a {purpose}")
    for key in keys:
        try:
            envelope.verify(message, key.public_key)
        except ForgedError:
            continue
        return Proved(message.payload, key)
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
    return (_by_its_country if purpose == "health" else _by_its_issuer)(claims, proved.key)


def _by_its_issuer(claims: Claims, key: Key) -> Claims:
    """A pass names the issuer that owns the key, and is good in the time that it shares with the key's life."""
    if key.issuer not in (claims.issuer, None):
        raise ForgedError(f"signed with the key of {key.issuer}, but it names {claims.issuer} as its issuer")
    starts = [at for at in (claims.valid_from_at, key.valid_from_at) if at]
    return replace(_ending(claims, key.valid_until_at), valid_from_at=max(starts, default=None))


def _by_its_country(claims: Claims, key: Key) -> Claims:
    """A health certificate is of a kind and a country that its key may sign for, and good until the key's end.

    It may be older than the key's certificate, which real issuers renew around the same key.
    """
    kinds = {kind for kind, entries in (claims.record or {}).items() if entries}
    if key.kinds is not None and not kinds <= key.kinds:
        raise UnknownKeyError(f"the key {claims.key_id!r} may sign {sorted(key.kinds)}, not {sorted(kinds)}")
    if not countries.may_sign_for(key.country, claims.issuer):
        if key.issuer is not None:
            raise ForgedError(f"signed with a key of {key.country}, but it names {claims.issuer} as its issuer")
        claims = replace(claims, warnings=(*claims.warnings, ISSUER_DISAGREES))
    last_at = key.valid_until_at and key.valid_until_at + datetime.resolution  # RFC 5280 4.1.2.5: the end is included
    return _ending(replace(claims, issuer=claims.issuer or key.country), last_at)


def _ending(claims: Claims, at: datetime | None) -> Claims:
    ends = [end for end in (claims.valid_until_at, at) if end]
    return replace(claims, valid_until_at=min(ends, default=None))


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


# --- documents -----------------------------------------------------------------------------------------


Moment = Annotated[datetime, msgspec.Meta(tz=True)]
IssuerId = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A misspelt key is an error, not a key without its bounds."""


class _TrustedKey(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A key: `kid` in base64, and a JWK or a certificate (base64 of DER); other people's lists say more."""

    kid: str
    jwk: dict[str, Any] | None = None
    certificate: str | None = None
    country: str = ""


class _IssuerKey(_TrustedKey, kw_only=True, forbid_unknown_fields=True):
    purpose: Purpose
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    kinds: list[Literal["v", "t", "r"]] | None = None
    authority: bool | None = None


class _Issuer(_Strict, kw_only=True):
    id: IssuerId
    name: str = ""
    keys: list[_IssuerKey]


class _Issuers(_Strict, kw_only=True):
    schema: Literal["gate.issuers/1"]
    issuers: list[_Issuer]


class _Revocations(_Strict, kw_only=True):
    schema: Literal["gate.revocations/1"]
    passes: list[Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})+$")]] = []
    holders: list[str] = []
    keys: list[str] = []


def keyring_from_json(document: bytes) -> Keyring:
    """Read the TUF target `issuers.json` (`gate.issuers/1`).

    Raises:
        DocumentError: with the place of the fault.
    """
    return Keyring(
        replace(_key(entry), issuer=issuer.id, issuer_name=issuer.name, purpose=entry.purpose, **_set_by_hand(entry))
        for issuer in _decode(document, _Issuers).issuers for entry in issuer.keys
    )


def keyring_to_json(keyring: Keyring) -> bytes:
    """Write the TUF target `issuers.json`; certificates become the keys and the spans they held."""
    issuers: dict[str, _Issuer] = {}
    for key in keyring.keys:
        if key.issuer is None or key.purpose is None:
            raise ValueError("a published key has an issuer and a purpose")
        issuer = issuers.setdefault(key.issuer, _Issuer(id=key.issuer, name=key.issuer_name, keys=[]))
        issuer.keys.append(_IssuerKey(
            kid=key_id(key.kid), jwk=public_key_to_jwk(key.public_key), country=key.country, purpose=key.purpose,
            valid_from=key.valid_from_at, valid_until=key.valid_until_at,
            kinds=None if key.kinds is None else sorted(key.kinds),  # type: ignore[arg-type]
            authority=key.authority or None,
        ))
    return msgspec.json.encode(_Issuers(schema="gate.issuers/1", issuers=list(issuers.values())))


def keyring_from_trust_list(document: bytes) -> Keyring:
    """Read a plain list of keys, which may sign whatever and in any name: for a person who asks, never for a gate.

    Raises:
        DocumentError: with the place of the fault.
    """
    return Keyring(_key(entry) for entry in _decode(document, list[_TrustedKey]))


def revocations_from_json(document: bytes) -> Revocations:
    """Read the TUF target `revocations.json` (`gate.revocations/1`).

    Raises:
        DocumentError: with the place of the fault.
    """
    read = _decode(document, _Revocations)
    keys = frozenset(key_id(_base64(key, "a revoked key")) for key in read.keys)
    return Revocations(frozenset(read.passes), frozenset(read.holders), keys)


def revocations_to_json(revocations: Revocations) -> bytes:
    """Write the TUF target `revocations.json`, sorted so that equal sets are equal bytes."""
    return msgspec.json.encode(_Revocations(
        schema="gate.revocations/1", passes=sorted(revocations.passes), holders=sorted(revocations.holders),
        keys=sorted(revocations.keys),
    ))


Shape = TypeVar("Shape")


def _decode(document: bytes, shape: type[Shape]) -> Shape:
    if len(document) > DOCUMENT_MAX_BYTES:
        raise DocumentError(f"a document of {len(document)} bytes; at most {DOCUMENT_MAX_BYTES} are read")
    try:
        return msgspec.json.decode(document, type=shape)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DocumentError(f"the document is not in form: {error}") from error


def _key(entry: _TrustedKey) -> Key:
    kid = _base64(entry.kid, "a kid")
    if not 0 < len(kid) <= KID_MAX_BYTES:
        raise DocumentError(f"a kid of {len(kid)} bytes; 1 to {KID_MAX_BYTES} are allowed")
    if (entry.jwk is None) is (entry.certificate is None):
        raise DocumentError(f"key {entry.kid}: give either a jwk or a certificate")
    if entry.jwk is not None:
        return Key(kid, public_key_from_jwk(entry.jwk), None, None, entry.country)
    from gate.certificates import read_certificate  # noqa: PLC0415  (megabytes that keys without certificates spare)

    signer = read_certificate(_base64(entry.certificate or "", "a certificate"))
    return Key(kid, signer.public_key, None, None, entry.country, signer.valid_from_at, signer.valid_until_at,
               kinds=signer.kinds, authority=signer.authority)


def _set_by_hand(entry: _IssuerKey) -> dict[str, Any]:
    """The bounds that a document sets; those it leaves open stay as the certificate has them."""
    bounds = {
        "valid_from_at": entry.valid_from and entry.valid_from.astimezone(UTC),
        "valid_until_at": entry.valid_until and entry.valid_until.astimezone(UTC),
        "kinds": None if entry.kinds is None else frozenset(entry.kinds),
        "authority": entry.authority,
    }
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise DocumentError(f"{what} is not base64: {text[:40]!r}") from error
