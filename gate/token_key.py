"""The file that holds a site's token key: the key under which rosters know codes without naming them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from gate.errors import UsageError

TOKEN_KEY_BYTES = 32


def make_token_key(path: Path) -> bytes:
    """Make a site's token key in a new file of 64 hex digits that only its owner may read.

    Raises:
        FileExistsError: there is one already; another key would make every roster of the site useless.
    """
    key = secrets.token_bytes(TOKEN_KEY_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.hex() + "\n")
    return key


def read_token_key(path: Path) -> bytes:
    """Read the key under which a site's rosters hash codes.

    Raises:
        UsageError: the file is not there, or does not hold 64 hex digits.
    """
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except OSError as error:
        raise UsageError(f"{path}: no token key ({error.strerror}); copy the centre's file here") from error
    except ValueError:  # its text would show the digits
        raise UsageError(f"{path}: a token key is {2 * TOKEN_KEY_BYTES} hex digits and nothing else") from None
    if len(key) != TOKEN_KEY_BYTES:
        raise UsageError(f"{path}: a token key has {2 * TOKEN_KEY_BYTES} hex digits, not {2 * len(key)}")
    return key
