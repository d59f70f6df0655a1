"""Keys and revocations as documents: `issuers.json`, `revocations.json`, and the plain list of `gate decode`. Pure."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from gate.errors import DocumentError
from gate.jwk import public_key_from_jwk, public_key_to_jwk
from gate.trust.keys import Key, Keyring, Purpose, Revocations, key_id

KID_MAX_BYTES = 64
DOCUMENT_MAX_BYTES = 16 * 1024 * 1024
"""The longest issuers, revocations or trust list that is read."""

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
    kid = _kid(entry.kid)
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


def _kid(text: str) -> bytes:
    """A kid in base64; JWK sets write theirs in base64url without padding, and both are read."""
    return _base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), "a kid")


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise DocumentError(f"{what} is not base64: {text[:40]!r}") from error
