"""The people, codes and documents of every simulated gate: made once for each process, from fixed seeds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.clock import SHIFT_START
from gate.decoder import gp1
from gate.decoder.number_code import new_number
from gate.model import Claims, RosterEntry
from gate.policy.schedule import schedules_from_json
from gate.trust import Key, Keyring, Revocations, key_id, kid_of
from gate.view import DocumentSet

SITE, GATE, AREA = "kcn", "cong-1", "xuong-a"
PEOPLE = 40
_KID = b"issuer-1"
_SCHEDULES = b"""{"schema": "gate.schedules/1", "holidays": ["2026-11-24"], "schedules": {
  "day": {"mon": [["06:00", "18:00"]], "tue": [["06:00", "18:00"]], "wed": [["06:00", "18:00"]]},
  "night": {"mon": [["22:00", "06:00"]], "tue": [["22:00", "06:00"]], "holiday": [["00:00", "24:00"]]}}}"""


def private_key(name: str) -> Ed25519PrivateKey:
    """A key that is the same in every run; it opens nothing but a simulation."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@dataclass(frozen=True)
class SimulatedRoster:
    """A roster in memory."""

    entries: dict[str, RosterEntry]
    holders: dict[str, str]

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return next((self.entries[self.holders[each]] for each in identifiers if each in self.holders), None)

    def holder(self, holder: str) -> RosterEntry | None:
        return self.entries.get(holder)


class SimulatedSite:
    """`good` codes name their holder; `bad` ones must never open a way in."""

    def __init__(self) -> None:
        self.recorder_key = private_key("recorder")
        issuer, forger = private_key("issuer"), private_key("forger")
        self.entries = {f"p{n}": _entry(f"p{n}", n) for n in range(PEOPLE)}
        cards = {name: f"001090{n:06d}" for n, name in enumerate(self.entries)}
        numbers = {name: new_number(f"{7_000_000 + n * 13:07d}") for n, name in enumerate(self.entries)}
        self.good: list[tuple[bytes, str]] = []
        for n, name in enumerate(self.entries):
            self.good.append((_card(cards[name]), name))
            self.good.append((numbers[name].encode(), name))
            if n % 4 == 0:
                self.good.append((_pass(issuer, name, n).encode(), name))
        self.bad = [
            _card("001090999999"), b"7000001", b"https://example.com/menu", b"", b"\xff\xfe", b"GP1:NOT A PASS",
            _pass(forger, "p0", 900).encode(), _pass(issuer, "nobody", 901).encode(), b"x" * 3000,
        ]
        keyring = Keyring([
            Key(_KID, issuer.public_key(), "khu-a", "pass"),
            Key(kid_of(self.recorder_key.public_key()), self.recorder_key.public_key(), "khu-a", "recorder"),
        ])
        listed = SimulatedRoster(self.entries, {
            identifier: name for name in self.entries
            for identifier in (f"cccd:{cards[name]}", f"number:{numbers[name]}")})
        base = DocumentSet(keyring=keyring, roster=listed, schedules=schedules_from_json(_SCHEDULES),
                           versions={"roster": 1}, published_at=SHIFT_START)
        some = frozenset(f"p{n}" for n in range(0, PEOPLE, 7))
        self.documents = [
            base, replace(base, revocations=Revocations(holders=some), versions={"roster": 1, "revocations": 2}),
            replace(base, published_at=SHIFT_START - timedelta(days=9), versions={"roster": 3}),
        ]


@cache
def site() -> SimulatedSite:
    """The site of this process."""
    return SimulatedSite()


def _card(number: str) -> bytes:
    return f"{number}||NGUYEN VAN A|01011990|Nam|Ha Noi|15102021".encode()


def _pass(key: Ed25519PrivateKey, holder: str, n: int) -> str:
    until = SHIFT_START + timedelta(days=3)
    return gp1.issue_pass(Claims("khu-a", holder, key_id(_KID), f"{n:016x}", None, until), key)


def _entry(name: str, n: int) -> RosterEntry:
    until = SHIFT_START + timedelta(days=(-1, 1, 400)[n % 3]) if n % 5 == 0 else None
    return RosterEntry(name, frozenset({AREA} if n % 6 else {"elsewhere"}), schedule=("", "", "day", "night")[n % 4],
                       valid_until_at=until)
