"""What has changed in a roster since its base was published: small documents, applied one after the other.

    changes-1, changes-2, ...     targets beside roster.sqlite: JSON, deflated; each names its base and its number
    changes.sqlite                what a gate makes of all of them: a small roster of those who changed, and
      superseded(id)              of whom the base is no longer to be asked

`gate.central.roster_changes` writes the former. The base stays as it is on the disk, however large.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from gate.documents.roster_file import INDEXES, KEY_CHECK, SCHEMA, TABLES, RosterFile
from gate.errors import DocumentError
from gate.model import RosterEntry
from gate.strict_json import NOT_IN_FORM
from gate.trust import token_hash

CHANGES_MAX = 48
"""How many such documents a set holds at most; the publisher then sums them up in one, or makes a new base."""
CHANGES_MAX_BYTES = 4 * 1024**2
INFLATED_MAX_BYTES = 32 * 1024**2
OVERLAY = "changes.sqlite"


class ChangedHolder(msgspec.Struct, frozen=True, array_like=True):
    """One row of the roster as its file holds it, and the hashes of that holder's codes in order."""

    id: str
    areas: str
    roles: str
    schedule: str
    valid_from: int | None
    valid_until: int | None
    company: str
    facts: str | None
    tokens: tuple[bytes, ...]


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who was added or changed since the changes before, as they are now, and who was removed."""

    schema: Literal["gate.roster-changes/1"] = "gate.roster-changes/1"
    base: str
    number: int
    put: tuple[ChangedHolder, ...]
    gone: tuple[str, ...]


Latest = Mapping[str, ChangedHolder | None]
"""Holder id -> the row that stands now, None where there is none any more."""


def changes_name(number: int) -> str:
    """The target's name; numbers begin with 1."""
    return f"changes-{number}"


def changes_to_bytes(changes: Changes) -> bytes:
    """The document as it is published."""
    return zlib.compress(msgspec.json.encode(changes), 9)


def changes_from_bytes(content: bytes, base: str, number: int) -> Changes:
    """Read the changes `number` to the roster whose SHA-256 in hex is `base`.

    Raises:
        DocumentError: not in form, too long, or made for another base or place.
    """
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(content, INFLATED_MAX_BYTES + 1)
        if len(text) > INFLATED_MAX_BYTES or not stream.eof or stream.unused_data:
            raise DocumentError(f"{changes_name(number)}: cut short, or over {INFLATED_MAX_BYTES} bytes")
        changes = msgspec.json.decode(text, type=Changes)
    except (zlib.error, *NOT_IN_FORM) as error:
        raise DocumentError(f"{changes_name(number)}: cannot be read ({error})") from error
    if (changes.base, changes.number) != (base, number):
        raise DocumentError(f"{changes_name(number)}: made for another roster or place; publish again")
    return changes


def latest(changes: Iterable[Changes]) -> Latest:
    """What all of them come to, given in order."""
    stands: dict[str, ChangedHolder | None] = {}
    for each in changes:
        stands |= dict.fromkeys(each.gone) | {row.id: row for row in each.put}
    return stands


def build_overlay(path: Path, stands: Latest, token_key: bytes) -> None:
    """Write what changed as a roster of its own.

    Raises:
        DocumentError: two holders have one code, or a row is none.
    """
    rows = [row for row in stands.values() if row is not None]
    tokens = sorted((hash_, number) for number, row in enumerate(rows, 1) for hash_ in row.tokens)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")  # whoever calls syncs the folder
        db.execute("BEGIN")
        for statement in (*TABLES.values(), *INDEXES.values()):
            db.execute(statement)
        db.execute("CREATE TABLE superseded(id TEXT PRIMARY KEY) WITHOUT ROWID")
        meta = {"schema": SCHEMA, "holders": str(len(rows)), "tokens": str(len(tokens)),
                "key_check": token_hash(token_key, KEY_CHECK).hex()}
        try:
            db.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
            db.executemany("INSERT INTO holder VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [
                (number, row.id, row.areas, row.roles, row.schedule, row.valid_from, row.valid_until, row.company,
                 None if row.facts is None else row.facts.encode()) for number, row in enumerate(rows, 1)])
            db.executemany("INSERT INTO token VALUES (?, ?)", tokens)
            db.executemany("INSERT INTO superseded VALUES (?)", [(id_,) for id_ in sorted(stands)])
        except (sqlite3.Error, OverflowError) as error:
            raise DocumentError(f"changes: they do not make a roster ({error})") from error
        db.execute("COMMIT")


class ChangedRoster:
    """A roster with its changes: implements `gate.trust.Roster` over the base and the overlay beside it.

    Opened in one thread and used from one (another) thread afterwards.
    """

    def __init__(self, base: Path, overlay: Path, token_key: bytes) -> None:
        """Raises DocumentError: one of them is none, or was made under another token key."""
        self._token_key = token_key
        self._base = RosterFile(base, token_key)
        self._changed = RosterFile(overlay, token_key)

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        """Raises DocumentError where the row is damaged."""
        for identifier in identifiers:
            hash_ = token_hash(self._token_key, identifier)
            entry = self._changed.by_token(hash_) or self._unchanged(self._base.by_token(hash_))
            if entry is not None:
                return entry
        return None

    def holder(self, holder: str) -> RosterEntry | None:
        """Raises DocumentError where the row is damaged."""
        return self._changed.holder(holder) or self._unchanged(self._base.holder(holder))

    def _unchanged(self, entry: RosterEntry | None) -> RosterEntry | None:
        """What the base says, unless a change has more to say of that holder."""
        return None if entry is None or self._changed.supersedes(entry.holder) else entry
