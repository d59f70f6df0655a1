"""The documents in force at a gate: where they lie, how they are loaded, and who notices a new set.

    STATE/documents/
      current -> sets/7-9     the set in force; replaced in one step, so a reader sees one set or the other
      sets/SNAPSHOT-TIMESTAMP/ roster.sqlite issuers.json revocations.json schedules.json set.json ...
      trust -> trusts/...      what the importer has verified so far (TUF metadata)
      refused.json             why the last import was refused; gone after a good one

`gate.documents.importing` verifies and writes all of it, in a process of its own; nothing here does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from gate.documents.changes import OVERLAY, ChangedRoster, changes_name
from gate.documents.read_ahead import ReadAhead
from gate.documents.roster_file import RosterFile
from gate.errors import DocumentError
from gate.model import Documents, Fault
from gate.policy.health.pack import packs_from_json
from gate.policy.permits import permits_from_json
from gate.policy.quotas import quotas_from_json
from gate.policy.schedule import schedules_from_json
from gate.strict_json import NOT_IN_FORM
from gate.trust import Keyring, Revocations, Roster, keyring_from_json, revocations_from_json
from gate.view import NO_DOCUMENTS, DocumentSet

ROSTER, ISSUERS, REVOCATIONS, SCHEDULES = "roster.sqlite", "issuers.json", "revocations.json", "schedules.json"
PACKS, QUOTAS, PERMITS = "packs.json", "quotas.json", "permits.json"
OPTIONAL = frozenset({PACKS, QUOTAS, PERMITS})
"""Documents that a publisher may leave out; a gate that needs one denies without it."""
NOTE_MAX_BYTES = 16_384


class SetNote(msgspec.Struct, frozen=True, kw_only=True):
    """`set.json`: what the importer verified of the set beside it; `targets` are SHA-256 in hex."""

    schema: Literal["gate.document-set/1"] = "gate.document-set/1"
    versions: dict[str, int]
    targets: dict[str, str]
    published_at: datetime
    expires_at: datetime


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """`refused.json`: an import that changed nothing, and why; the text begins with the kind of fault."""

    schema: Literal["gate.documents-refused/1"] = "gate.documents-refused/1"
    at: datetime
    problem: str


def documents_dir(state_dir: Path) -> Path:
    """The folder of a gate's documents."""
    return state_dir / "documents"


def set_in_force(state_dir: Path) -> Path | None:
    """The folder of the set in force, or None before the first import."""
    folder = documents_dir(state_dir)
    try:
        return folder / (folder / "current").readlink()
    except FileNotFoundError:
        return None


def read_set_note(folder: Path) -> SetNote:
    """What is known of the set in `folder`.

    Raises:
        DocumentError: the note is not there or not readable.
    """
    return _note(folder / "set.json", SetNote)


def read_refusal(state_dir: Path) -> Refusal | None:
    """Why the last import was refused, or None when it was not.

    Raises:
        DocumentError: the note is not readable.
    """
    path = documents_dir(state_dir) / "refused.json"
    return _note(path, Refusal) if path.exists() else None


def load_documents(state_dir: Path, token_key: bytes) -> DocumentSet:
    """Load the set in force, as it was verified when it was imported; `NO_DOCUMENTS` before the first.

    Raises:
        DocumentError: the stored set is damaged. There is no going back to an older one, which may list
            people who have been removed since: import again.
    """
    folder = set_in_force(state_dir)
    return NO_DOCUMENTS if folder is None else load_set(folder, token_key)


def load_set(folder: Path, token_key: bytes) -> DocumentSet:
    """Load the documents of one folder: the optional ones where the publisher signed any.

    Raises:
        DocumentError: one of them is not there, not readable or not for this gate.
    """
    note = read_set_note(folder)
    try:
        keyring: Keyring = read_document(ISSUERS, (folder / ISSUERS).read_bytes())
        revocations: Revocations = read_document(REVOCATIONS, (folder / REVOCATIONS).read_bytes())
        return DocumentSet(
            keyring=Keyring(keyring.keys, keyring.left_out, withdrawn=revocations.fingerprints | revocations.keys),
            revocations=revocations,
            schedules=read_document(SCHEDULES, (folder / SCHEDULES).read_bytes()),
            packs=read_document(PACKS, (folder / PACKS).read_bytes()) if PACKS in note.targets else {},
            quotas=read_document(QUOTAS, (folder / QUOTAS).read_bytes()) if QUOTAS in note.targets else None,
            permits=read_document(PERMITS, (folder / PERMITS).read_bytes()) if PERMITS in note.targets else None,
            roster=_roster(folder, note, token_key),
            versions=note.versions,
            published_at=note.published_at,
        )
    except OSError as error:
        raise DocumentError(f"stored documents: {error}; import them again") from error


def _roster(folder: Path, note: SetNote, token_key: bytes) -> Roster:
    if changes_name(1) in note.targets:
        return ChangedRoster(folder / ROSTER, folder / OVERLAY, token_key)
    return RosterFile(folder / ROSTER, token_key)


def read_document(name: str, content: bytes) -> Any:
    """Read one of the JSON documents: a Keyring, Revocations, Schedules, Quotas, Permits, or the packs by their ids.

    Raises:
        DocumentError: not in form; the text begins with the document's name.
    """
    try:
        return _READERS[name](content)
    except DocumentError as error:
        raise DocumentError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from error


_READERS: dict[str, Callable[[bytes], Any]] = {
    ISSUERS: keyring_from_json, REVOCATIONS: revocations_from_json, SCHEDULES: schedules_from_json,
    PACKS: packs_from_json, QUOTAS: quotas_from_json, PERMITS: permits_from_json,
}


def keys_left_out(documents: DocumentSet) -> Fault:
    """That issuers' keys cannot be used, one after the other, or that all of them can."""
    return Fault("issuers", "; ".join(documents.keyring.left_out) or None)


class DocumentWatcher:
    """Notices what an importer did and says it, with the new set already loaded, from its own thread.

    Made before the first `load_documents`, it misses nothing: at worst it says once more what is in force.
    A roster that is no longer in force closes itself when the last view that holds it is let go.
    """

    def __init__(
        self, state_dir: Path, token_key: bytes, say: Callable[[Documents | Fault], None], poll_s: float = 1.0,
    ) -> None:
        self._state_dir = state_dir
        self._token_key = token_key
        self._say = say
        self._poll_s = poll_s
        self._in_force = set_in_force(state_dir)
        self._read_ahead = ReadAhead()
        self._problem: str | None = None
        self._alive_mono = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="documents", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what it has said stays said."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def alive_mono(self) -> float:
        """Monotonic second at which the thread last looked (for the watchdog)."""
        return self._alive_mono

    def look(self) -> None:
        """Look once, and say what has changed since the last look."""
        in_force = set_in_force(self._state_dir)
        problem = self._refusal()
        swapped, settled = in_force != self._in_force, problem is None and self._problem is not None
        if problem not in (None, self._problem):
            self._say(Documents(view=None, versions={}, problem=problem))
        self._in_force, self._problem = in_force, problem
        if swapped or settled:
            loaded = self._loaded(in_force)
            self._say(loaded)
            if loaded.view is not None:
                self._say(keys_left_out(loaded.view))

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_s):
            self.look()
            if self._in_force is not None:
                self._read_ahead.step(self._in_force / ROSTER)
            self._alive_mono = time.monotonic()

    def _refusal(self) -> str | None:
        try:
            refusal = read_refusal(self._state_dir)
        except DocumentError as error:
            return str(error)
        return f"{refusal.problem} ({refusal.at:%Y-%m-%d %H:%M:%SZ})" if refusal else None

    def _loaded(self, in_force: Path | None) -> Documents:
        try:
            view = NO_DOCUMENTS if in_force is None else load_set(in_force, self._token_key)
        except DocumentError as error:
            return Documents(view=None, versions={}, problem=str(error))
        return Documents(view=view, versions=dict(view.versions))


Note = TypeVar("Note", SetNote, Refusal)


def _note(path: Path, kind: type[Note]) -> Note:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(NOTE_MAX_BYTES), type=kind)
    except (OSError, *NOT_IN_FORM) as error:
        raise DocumentError(f"{path}: not readable ({error}); import the documents again") from error
