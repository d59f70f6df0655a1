"""Signing keys of the centre: the private half in a file of its own, the public half entered in `issuers.json`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gate.errors import DocumentError, UsageError
from gate.private_key import load_private_key
from gate.trust import Key, Keyring, Purpose, key_id, keyring_from_json, keyring_to_json, kid_of


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key together with what the issuers document says of it."""

    private_key: Ed25519PrivateKey
    key: Key

    @property
    def key_id(self) -> str:
        """Its kid in base64."""
        return key_id(self.key.kid)


def make_private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Make an Ed25519 key in a new PEM file (PKCS #8) that only its owner may read.

    Raises:
        UsageError: the file is there already, or cannot be made.
    """
    private_key = Ed25519PrivateKey.generate()
    protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already; a key is never overwritten, choose another name") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return private_key


def enter_key(issuers_path: Path, key: Key) -> None:
    """Add a public key to the issuers document, which is made if it is not there; whole or not at all.

    Raises:
        DocumentError: what is there is no issuers document.
        UsageError: it cannot be written.
    """
    keys = read_issuers(issuers_path).keys if issuers_path.exists() else ()
    # One issuer, one name: the document writes it once for all its keys.
    renamed = (replace(old, issuer_name=key.issuer_name) if old.issuer == key.issuer else old for old in keys)
    partial = issuers_path.with_name(f".{issuers_path.name}.partial")
    try:
        partial.write_bytes(keyring_to_json(Keyring([*renamed, key])))
        partial.replace(issuers_path)
    except OSError as error:
        raise UsageError(f"{issuers_path}: {error.strerror}") from error


def read_issuers(path: Path) -> Keyring:
    """Read an issuers document.

    Raises:
        UsageError: no such file.
        DocumentError: not in form.
    """
    try:
        keyring = keyring_from_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error
    if keyring.left_out:
        raise DocumentError(f"{path}: no gate can use {'; '.join(keyring.left_out)}: mend it or take it out")
    return keyring


def load_signing_key(
    path: Path, issuers_path: Path, purpose: Purpose, now: datetime, passphrase: bytes | None = None,
) -> SigningKey:
    """Read a private key and find in the issuers document whose it is, so that gates will know what it signs.

    Raises:
        UsageError: the document does not hold its public half for this purpose, or its time is over.
    """
    private_key = load_private_key(path, passphrase)
    public_key = private_key.public_key()
    for key in read_issuers(issuers_path).find(kid_of(public_key), purpose):
        if key.public_key == public_key:
            if key.valid_until_at is not None and key.valid_until_at <= now:
                raise UsageError(f"{path}: its time ended at {key.valid_until_at}; make a new key")
            return SigningKey(private_key, key)
    raise UsageError(f"{path}: {issuers_path} has no such key for {purpose!r}, so no gate would believe it; "
                     "name the right file with --issuers")
