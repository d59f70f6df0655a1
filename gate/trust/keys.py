"""Keys that the gate believes, what is withdrawn, and the roster that a gate asks. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Literal, Protocol, get_args

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gate.cose import PublicKey
from gate.errors import UnusableKeyError
from gate.jwk import thumbprint
from gate.model import RosterEntry
from gate.order import Role

TOKEN_HASH_BYTES = 16
_NEVER = datetime.max.replace(tzinfo=UTC)

Purpose = Literal["pass", "recorder", "operator", "health", "gate"]
"""What a key may vouch for; a key for one purpose is nobody for another."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


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
    that a seal brings along. Commands reach as far as the `role` of their operator. `certificate` is the DER that it
    came in, empty for a bare key. `fingerprint` tells it from others of its kid: hex of the SHA-256 of its certificate,
    or of a bare key's JWK (RFC 7638).
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
    role: Role = Role.VIEWER
    certificate: bytes = field(default=b"", repr=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.certificate).digest() if self.certificate else thumbprint(self.public_key)
        object.__setattr__(self, "fingerprint", digest.hex())


def kid_of(public_key: PublicKey) -> bytes:
    """The kid that our own issuers use: the first 8 bytes of the SHA-256 of the SubjectPublicKeyInfo (RFC 5280)."""
    info = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()[:8]


def key_id(kid: bytes) -> str:
    """A kid as claims, revocations and documents write it: base64."""
    return base64.b64encode(kid).decode()


class Keyring:
    """The keys that the gate believes; two keys may share a kid, which is only a hint (RFC 9052 3.1).

    Of several certificates around one key the longest-lived speaks for it, and one of the `withdrawn` fingerprints only
    where no other does. `withdrawn` may name kids too. `left_out` says which keys of the document
    cannot be used, and why.
    """

    def __init__(
        self, keys: Iterable[Key] = (), left_out: Iterable[str] = (), withdrawn: frozenset[str] = frozenset(),
    ) -> None:
        self.keys = tuple(keys)
        self.left_out = tuple(left_out)
        self.withdrawn = withdrawn
        by_life = sorted(self.keys, key=lambda key: (key.fingerprint not in withdrawn, key.valid_until_at or _NEVER),
                         reverse=True)
        self._by_use: dict[tuple[bytes | None, Purpose], tuple[Key, ...]] = {}
        for key in by_life:
            for use in product(_names(key), (key.purpose,) if key.purpose else PURPOSES):
                self._by_use[use] = (*self._by_use.get(use, ()), key)

    def find(self, kid: bytes | None, purpose: Purpose) -> tuple[Key, ...]:
        """Every key of that kid for that purpose; none for a message that names no key."""
        return self._by_use.get((kid, purpose), ())

    def authorities(self, purpose: Purpose) -> Iterator[Key]:
        """Every key that may vouch for the certificate of a signer for that purpose."""
        return (key for key in self.keys if key.authority and key.purpose in (purpose, None))


def _names(key: Key) -> set[bytes]:
    """What a message may call a key."""
    try:
        return {key.kid, thumbprint(key.public_key)}
    except UnusableKeyError:  # on a curve of no JWK, as authorities of ICAO use them
        return {key.kid}


@dataclass(frozen=True, slots=True)
class Revocations:
    """What is withdrawn: passes by id (hex), holders by id, signing keys by kid (base64) or one by its fingerprint.

    Fingerprints act through the `Keyring` that is made with them.
    """

    passes: frozenset[str] = frozenset()
    holders: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()
