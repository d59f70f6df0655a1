"""What one part of a site says to another under its signature: a COSE_Sign1 in base64, inside a message. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable

from gate.cose import parse_sign1, verify1
from gate.errors import ForgedError, MalformedError, UnknownKeyError
from gate.trust.keys import Key, Keyring, Purpose, key_id


def unseal(sealed: str, keyring: Keyring, purpose: Purpose, issuer: str | None = None) -> bytes:
    """What was signed, once a key for that purpose has proved to be its signer's; of that issuer, where one is named.

    Raises:
        MalformedError: not base64 of a COSE_Sign1.
        UnknownKeyError: it names no such key, or one that is withdrawn.
        ForgedError: that key did not sign it.
    """
    signed, _ = unseal_with(sealed, keyring, purpose, lambda key: issuer in (None, key.issuer))
    return signed


def unseal_with(
    sealed: str, keyring: Keyring, purpose: Purpose, usable: Callable[[Key], bool],
) -> tuple[bytes, Key]:
    """The same, with the key that signed; of its kid's keys only those that are `usable` are tried."""
    try:
        message = parse_sign1(base64.b64decode(sealed, validate=True))
    except ValueError as error:
        raise MalformedError(f"what is sealed is not base64: {error}") from error
    keys = [key for key in keyring.find(message.kid, purpose)
            if usable(key) and not {key.fingerprint, key_id(key.kid)} & keyring.withdrawn]
    if not keys:
        raise UnknownKeyError(f"sealed under a key that is no {purpose}'s that would do here, or is withdrawn")
    for key in keys:
        try:
            return verify1(message, key.public_key), key
        except ForgedError:
            continue
    raise ForgedError("its key did not seal it")
