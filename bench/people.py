"""An issuer and the people it knows: rosters of any size, made once for a folder, and passes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.figure import Setup
from gate.decoder import gp1
from gate.documents.roster_builder import build_roster
from gate.documents.roster_file import RosterFile, RosterRow
from gate.model import Claims
from gate.token_key import make_token_key, read_token_key
from gate.trust import Key, Keyring, key_id, keyring_to_json, kid_of

AREA = "xuong-a"
ISSUER = "bench"


def holder(number: int) -> str:
    """The holder id of person `number`."""
    return gp1.holder_id(hashlib.sha256(number.to_bytes(8)).digest()[:16])


def token_key_file(setup: Setup) -> Path:
    """The folder's token key, made when there is none."""
    path = setup.folder / "token.key"
    if not path.exists():
        make_token_key(path)
    return path


def roster(setup: Setup, holders: int, facts: Mapping[str, Any] = MappingProxyType({}), kind: str = "roster") -> Path:
    """A roster of so many holders; the one that is there already is taken when it fits the folder's token key.

    `facts` is what each row carries; another content wants another `kind`, which names the file.
    """
    path, token_key = setup.folder / f"{kind}-{holders}.sqlite", read_token_key(token_key_file(setup))
    if path.exists():
        RosterFile(path, token_key).close()
        return path
    setup.say(f"building a roster of {holders:,} holders, once for {setup.folder}")
    build_roster(path, _rows(holders, facts), token_key, lambda done: setup.say(f"  {done:,} of {holders:,} holders"))
    return path


def _rows(holders: int, facts: Mapping[str, Any]) -> Iterator[RosterRow]:
    for number in range(holders):
        yield RosterRow(holder(number), (f"cccd:{number:012}", f"qid:{number:018}"), areas=(AREA,), company="bench",
                        facts=facts)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs passes with a key of this run."""

    private_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def kid(self) -> bytes:
        """What names the key."""
        return kid_of(self.private_key.public_key())

    @property
    def keyring(self) -> Keyring:
        """The keyring of a gate that believes this issuer."""
        return Keyring([Key(self.kid, self.private_key.public_key(), ISSUER, "pass")])

    def document(self) -> bytes:
        """The keyring as `issuers.json`."""
        return keyring_to_json(self.keyring)

    def issue(self, number: int, at: datetime | None = None) -> bytes:
        """A pass of person `number`, good at a moment (left out: now), as a scanner reads it."""
        now = (at or datetime.now(UTC)).replace(microsecond=0)
        return gp1.issue_pass(Claims(
            issuer=ISSUER, subject=holder(number), key_id=key_id(self.kid), pass_id=f"{number:016x}",
            valid_from_at=now - timedelta(days=1), valid_until_at=now + timedelta(days=30), areas=frozenset({AREA}),
        ), self.private_key).encode()
