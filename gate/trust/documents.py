"""Keys and revocations as documents: `issuers.json`, `revocations.json`, and the plain list of `gate decode`. Pure."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from gate.errors import DocumentError, UnusableKeyError
from gate.jwk import public_key_from_jwk, public_key_to_jwk, thumbprint
from gate.order import Role
from gate.strict_json import NOT_IN_FORM
from gate.trust.keys import Key, Keyring, Purpose, Revocations, key_id

KID_MAX_BYTES = 64
DOCUMENT_MAX_BYTES = 16 * 1024 * 1024
"""The longest issuers, revocations or trust list that is read."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
IssuerId = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A misspelt key is an error, not a key without its bounds."""


class _TrustedKey(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A key: a JWK or a certificate (base64 of DER), and `kid` in base64; other people's lists say more.

    Without `kid` a certificate is called as EU certificates call it, a JWK by its thumbprint (RFC 7638).
    """

    kid: str | None = None
    jwk: dict[str, Any] | None = None
    certificate: str | None = None
    country: str = ""


class _IssuerKey(_TrustedKey, kw_only=True, forbid_unknown_fields=True):
    purpose: Purpose
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    kinds: list[Literal["v", "t", "r"]] | None = None
    authority: bool | None = None
    role: Literal["viewer", "guard", "operator", "administrator"] | None = None


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
    fingerprints: list[Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]] = []


def keyring_from_json(document: bytes) -> Keyring:
    """Read the TUF target `issuers.json` (`gate.issuers/1`); a key that cannot be used is left out.

    Raises:
        DocumentError: with the place of the fault.
    """
    keys, left_out = [], []
    for issuer in _decode(document, _Issuers).issuers:
        for entry in issuer.keys:
            try:
                key = _key(entry)
            except UnusableKeyError as error:
                left_out.append(f"{issuer.id}, key {_called(entry)}: {error}")
            else:
                keys.append(replace(key, issuer=issuer.id, issuer_name=issuer.name, purpose=entry.purpose,
                                    **_set_by_hand(entry)))
    return Keyring(keys, left_out)


def keyring_to_json(keyring: Keyring) -> bytes:
    """Write the TUF target `issuers.json`."""
    issuers: dict[str, _Issuer] = {}
    for key in keyring.keys:
        if key.issuer is None or key.purpose is None:
            raise ValueError("a published key has an issuer and a purpose")
        issuer = issuers.setdefault(key.issuer, _Issuer(id=key.issuer, name=key.issuer_name, keys=[]))
        issuer.keys.append(_IssuerKey(
            kid=key_id(key.kid), country=key.country, purpose=key.purpose,
            jwk=None if key.certificate else public_key_to_jwk(key.public_key),
            certificate=base64.b64encode(key.certificate).decode() or None,
            valid_from=key.valid_from_at, valid_until=key.valid_until_at,
            kinds=None if key.kinds is None else sorted(key.kinds),  # type: ignore[arg-type]
            authority=key.authority or None,
            role=key.role.name.lower() if key.role else None,  # type: ignore[arg-type]
        ))
    return msgspec.json.encode(_Issuers(schema="gate.issuers/1", issuers=list(issuers.values())))


def keyring_from_trust_list(document: bytes) -> Keyring:
    """Read a plain list of keys, which may sign whatever and in any name: for a person who asks, never for a gate.

    An entry that cannot be used is left out: nobody here can mend another's list.

    Raises:
        DocumentError: not a JSON list.
    """
    keys, left_out = [], []
    for place, item in enumerate(_decode(document, list[Any])):
        try:
            keys.append(_key(msgspec.convert(item, _TrustedKey)))
        except (DocumentError, msgspec.ValidationError) as error:
            left_out.append(f"entry {place}: {error}")
    return Keyring(keys, left_out)


def revocations_from_json(document: bytes) -> Revocations:
    """Read the TUF target `revocations.json` (`gate.revocations/1`).

    Raises:
        DocumentError: with the place of the fault.
    """
    read = _decode(document, _Revocations)
    keys = frozenset(key_id(_base64(key, "a revoked key")) for key in read.keys)
    return Revocations(frozenset(read.passes), frozenset(read.holders), keys, frozenset(read.fingerprints))


def revocations_to_json(revocations: Revocations) -> bytes:
    """Write the TUF target `revocations.json`, sorted so that equal sets are equal bytes."""
    return msgspec.json.encode(_Revocations(
        schema="gate.revocations/1", passes=sorted(revocations.passes), holders=sorted(revocations.holders),
        keys=sorted(revocations.keys), fingerprints=sorted(revocations.fingerprints),
    ))


Shape = TypeVar("Shape")


def _decode(document: bytes, shape: type[Shape]) -> Shape:
    if len(document) > DOCUMENT_MAX_BYTES:
        raise DocumentError(f"a document of {len(document)} bytes; at most {DOCUMENT_MAX_BYTES} are read")
    try:
        return msgspec.json.decode(document, type=shape)
    except NOT_IN_FORM as error:
        raise DocumentError(f"the document is not in form: {error}") from error


def _key(entry: _TrustedKey) -> Key:
    if (entry.jwk is None) is (entry.certificate is None):
        raise DocumentError(f"key {_called(entry)}: give either a jwk or a certificate")
    kid = None if entry.kid is None else _kid(entry.kid)
    if entry.jwk is not None:
        public_key = public_key_from_jwk(entry.jwk)
        return Key(kid or thumbprint(public_key), public_key, None, None, entry.country)
    from gate.certificates import read_certificate  # noqa: PLC0415  (megabytes that keys without certificates spare)

    try:
        der = _base64(entry.certificate or "", "the certificate")
    except DocumentError as error:
        raise UnusableKeyError(str(error)) from error
    signer = read_certificate(der)
    return Key(kid or sha256(der).digest()[:8], signer.public_key, None, None, entry.country, signer.valid_from_at,
               signer.valid_until_at, kinds=signer.kinds, authority=signer.authority, certificate=der)


def _called(entry: _TrustedKey) -> str:
    return "of no kid" if entry.kid is None else entry.kid[:KID_MAX_BYTES]


def _set_by_hand(entry: _IssuerKey) -> dict[str, Any]:
    """The bounds that a document sets; those it leaves open stay as the certificate has them."""
    bounds = {
        "valid_from_at": entry.valid_from and entry.valid_from.astimezone(UTC),
        "valid_until_at": entry.valid_until and entry.valid_until.astimezone(UTC),
        "kinds": None if entry.kinds is None else frozenset(entry.kinds),
        "authority": entry.authority,
        "role": entry.role and Role[entry.role.upper()],
    }
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _kid(text: str) -> bytes:
    """A kid in base64; JWK sets write theirs in base64url without padding, and both are read."""
    kid = _base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), "a kid")
    if not 0 < len(kid) <= KID_MAX_BYTES:
        raise DocumentError(f"a kid of {len(kid)} bytes; 1 to {KID_MAX_BYTES} are allowed")
    return kid


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise DocumentError(f"{what} is not base64: {text[:40]!r}") from error
