"""Two codes of one person, shown one after the other: a certificate says what is so, an identity code of whom. Pure.

A health certificate proves facts about a name and a birth date; an ID card, a personal QR or a health-insurance card
says whose name that is. The first is held for a few seconds, at most one at each reader; the second may come at any
reader of that direction. Another person at the same reader begins anew. What waits is in memory only, and in no event
or log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from gate.decoder.names import births_match, names_match
from gate.model import Claims, Direction, RosterEntry, Scan, Token

Certificates = Literal["ignored", "accepted", "required"]


class Part(StrEnum):
    """What a code brings to a pair."""

    CERTIFICATE = "certificate"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Half:
    """One of two codes: the certificate's claims, or whom the identity code names."""

    part: Part
    reader: str
    direction: Direction
    name: str = field(repr=False)
    born: str = field(repr=False)
    claims: Claims | None = field(default=None, repr=False)
    entry: RosterEntry | None = field(default=None, repr=False)
    until_mono: float = 0.0

    def completes(self, other: Half) -> bool:
        """Whether the two are a certificate and an identity code of one person, going one way."""
        return (self.part is not other.part and self.direction is other.direction
                and names_match(self.name, other.name) and births_match(self.born, other.born))


def half_of(scan: Scan, token: Token, claims: Claims | None, entry: RosterEntry | None) -> Half | None:
    """What a code brings to a pair; None for a code that says no name, or needs no other beside it."""
    part = Part.IDENTITY if claims is None else Part.CERTIFICATE
    person = token.person if claims is None else claims.person or {}
    name, born = person.get("name"), person.get("dob")
    if not (isinstance(name, str) and isinstance(born, str)):
        return None
    return Half(part, scan.reader, scan.direction, name, born, claims, entry)


@dataclass(frozen=True, slots=True)
class Pairs:
    """What certificates are worth here, and the codes that wait for their second."""

    certificates: Certificates = "ignored"
    within_s: float = 20.0
    held: tuple[Half, ...] = ()

    def at(self, mono: float) -> Pairs:
        """Without what has waited long enough."""
        if all(mono < half.until_mono for half in self.held):
            return self
        return replace(self, held=tuple(half for half in self.held if mono < half.until_mono))

    def partner(self, half: Half, mono: float) -> Half | None:
        """The code that was shown just before and makes a pair with this one, the newest first."""
        return next((held for held in reversed(self.at(mono).held) if held.completes(half)), None)

    def is_anothers(self, half: Half, mono: float) -> bool:
        """Whether the code that waits at this reader for its second is another person's."""
        return any(held.reader == half.reader and held.part is not half.part and not held.completes(half)
                   for held in self.at(mono).held)

    def after(self, reader: str, spent: Half | None, waits: Half | None, mono: float) -> Pairs:
        """After a person's code at `reader`: what waited there is forgotten, `spent` too, and `waits` begins to."""
        held = tuple(half for half in self.at(mono).held if half.reader != reader and half is not spent)
        new = () if waits is None else (replace(waits, until_mono=mono + self.within_s),)
        return self if held + new == self.held else replace(self, held=held + new)
