"""Whom the gate believes: issuers' keys, revocations, the roster; and what a token proves against them. Pure."""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol

from gate.model import RosterEntry

TOKEN_HASH_BYTES = 16


def token_hash(key: bytes, identifier: str) -> bytes:
    """The keyed hash under which a roster knows an identifier `kind:value` (HMAC-SHA256, first 16 bytes)."""
    return hmac.digest(key, identifier.encode(), hashlib.sha256)[:TOKEN_HASH_BYTES]


class Roster(Protocol):
    """The signed list of who may enter; a look-up touches local storage only and never blocks for long."""

    published_at: str

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        """The holder whom the first known identifier names, or None."""
        ...

    def holder(self, holder: str) -> RosterEntry | None:
        """What the roster says of a holder id, or None."""
        ...
