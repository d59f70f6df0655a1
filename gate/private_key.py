"""An Ed25519 private key from its PEM file (PKCS #8, RFC 5958): an issuer's at the centre, a gate's own."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gate.errors import UsageError

KEY_FILE_MAX_BYTES = 10_000


def load_private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read what `gate central issue key` wrote.

    Raises:
        UsageError: no such file, not an Ed25519 key, or the passphrase is missing or wrong.
    """
    try:
        with path.open("rb") as file:
            private_key = load_pem_private_key(file.read(KEY_FILE_MAX_BYTES), passphrase)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except TypeError as error:  # cryptography's word for a passphrase that is missing, or not needed
        needed = "give --passphrase-file" if passphrase is None else "drop --passphrase-file"
        raise UsageError(f"{path}: {error}; {needed}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path}: not a key in PEM, or another passphrase") from error
    if not isinstance(private_key, Ed25519PrivateKey):
        raise UsageError(f"{path}: not an Ed25519 key; make one with `gate central issue key`")
    return private_key
