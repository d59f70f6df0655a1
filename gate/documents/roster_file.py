"""The roster as the gate reads it: one SQLite file that names nobody, signed as a target of the documents.

    meta(key, value)              schema, holders, tokens, key_check
    holder(rowid, id, ...)        what a holder may do; words are joined by newlines, moments are Unix seconds
    token(hash, holder)           `gate.trust.token_hash` of an identifier -> the holder's rowid

`gate.documents.roster_builder` writes it.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gate.errors import DocumentError
from gate.model import RosterEntry
from gate.trust import token_hash

SCHEMA = "gate.roster/1"
CACHE_MAX_KIB = 4096
"""The most page cache that one open roster takes, whatever its size."""
KEY_CHECK = "gate:key-check"
"""Hashed into `meta` like an identifier, of a kind that no code has: tells a gate with the wrong token key."""

TABLES = {
    "meta": "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "holder": "CREATE TABLE holder(rowid INTEGER PRIMARY KEY, id TEXT NOT NULL, areas TEXT NOT NULL,"
              " roles TEXT NOT NULL, schedule TEXT NOT NULL, valid_from INTEGER, valid_until INTEGER,"
              " company TEXT NOT NULL, facts BLOB)",
    "token": "CREATE TABLE token(hash BLOB PRIMARY KEY, holder INTEGER NOT NULL) WITHOUT ROWID",
}
INDEXES = {"holder_id": "CREATE UNIQUE INDEX holder_id ON holder(id)"}

_UNREADABLE = (sqlite3.Error, UnicodeDecodeError)  # damaged text may stand in SQLite's own message
_ENTRY = "h.id, h.areas, h.roles, h.schedule, h.valid_from, h.valid_until, h.company, h.facts"
_BY_TOKEN = f"SELECT {_ENTRY} FROM token t JOIN holder h ON h.rowid = t.holder WHERE t.hash = ?"  # noqa: S608
_BY_ID = f"SELECT {_ENTRY} FROM holder h WHERE h.id = ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One holder as the centre knows them; `identifiers` are `kind:value`, times aware, None is unbounded."""

    holder: str
    identifiers: tuple[str, ...]
    areas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    schedule: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    company: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class RosterFile:
    """A roster in force: implements `gate.trust.Roster` over a file that nobody writes to any more.

    Opened in one thread and used from one (another) thread afterwards. Closes itself when it is let go.
    """

    def __init__(self, path: Path, token_key: bytes) -> None:
        """Open `path`.

        Raises:
            DocumentError: no roster, another schema, or made under another token key.
        """
        self._token_key = token_key
        self._db = _open(path)
        self.close = weakref.finalize(self, self._db.close)
        """Give the file back; a second call does nothing."""
        try:
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
        except _UNREADABLE as error:
            meta = {"schema": f"none ({error})"}
        problem = _problem(meta, token_hash(token_key, KEY_CHECK).hex())
        if problem:
            self.close()
            raise DocumentError(f"{path.name}: {problem}")

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        """Raises DocumentError where the row is damaged."""
        found = (self.by_token(token_hash(self._token_key, identifier)) for identifier in identifiers)
        return next((entry for entry in found if entry is not None), None)

    def holder(self, holder: str) -> RosterEntry | None:
        """Raises DocumentError where the row is damaged."""
        return self._look_up(_BY_ID, holder)

    def by_token(self, hash_: bytes) -> RosterEntry | None:
        """Whose identifier has this hash; raises DocumentError where the row is damaged."""
        return self._look_up(_BY_TOKEN, hash_)

    def supersedes(self, holder: str) -> bool:
        """Whether these changes have the last word on a holder; raises DocumentError where they are damaged."""
        try:
            return self._db.execute("SELECT 1 FROM superseded WHERE id = ?", (holder,)).fetchone() is not None
        except _UNREADABLE as error:
            raise DocumentError(f"the roster is damaged ({error}): import the documents again") from error

    def _look_up(self, query: str, key: str | bytes) -> RosterEntry | None:
        try:
            row = self._db.execute(query, (key,)).fetchone()
            return None if row is None else _entry(row)
        except Exception as error:  # whatever stands in a damaged row
            raise DocumentError(f"the roster is damaged ({error}): import the documents again") from error


def check_roster(path: Path, token_key: bytes) -> None:
    """Read the whole file and refuse what `gate.documents.roster_builder` would not have written.

    Raises:
        DocumentError: damaged, more in it than the three tables, or not for this gate.
    """
    RosterFile(path, token_key).close()
    expected = {**TABLES, **INDEXES}
    with closing(_open(path)) as db:
        try:
            found = dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        except _UNREADABLE as error:
            raise DocumentError(f"{path.name}: damaged ({error})") from error
    if found != expected:
        odd = min(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        raise DocumentError(f"{path.name}: its {odd!r} is not that of {SCHEMA}")
    if verdict != "ok":
        raise DocumentError(f"{path.name}: damaged ({verdict})")


def _open(path: Path) -> sqlite3.Connection:
    # Immutable: no lock is taken, no journal beside the file is looked for (sqlite.org/uri.html).
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        raise DocumentError(f"{path}: cannot be opened ({error})") from error
    # What sqlite.org/security.html asks of whoever opens a file that another has written.
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", f"cache_size = {-CACHE_MAX_KIB}"):
        with suppress(*_UNREADABLE):  # not a database: the first query says so
            db.execute(f"PRAGMA {pragma}")
    return db


def _problem(meta: Mapping[str, str], key_check: str) -> str:
    if meta.get("schema") != SCHEMA:
        return f"its schema is {meta.get('schema')}, this gate reads {SCHEMA}"
    if meta.get("key_check") != key_check:
        return "made under another token key; copy the centre's token key file to this gate"
    return ""


def _entry(row: tuple[Any, ...]) -> RosterEntry:
    holder, areas, roles, schedule, valid_from, valid_until, company, facts = row
    return RosterEntry(
        holder=holder, areas=_words(areas), roles=_words(roles), schedule=schedule,
        valid_from_at=_moment(valid_from), valid_until_at=_moment(valid_until), company=company,
        facts={} if facts is None else msgspec.json.decode(facts),
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split("\n")) if text else frozenset()


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
