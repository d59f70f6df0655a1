"""Imports of documents that are recorded, and what each state that a power cut may leave of them must keep."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from gate.central.document_root import init_repository
from gate.central.documents import publish
from gate.documents import ISSUERS, PACKS, REVOCATIONS, ROSTER, SCHEDULES, load_documents, set_in_force
from gate.documents.importing import TARGET_MAX_BYTES, import_documents
from gate.documents.roads import FolderRoad
from gate.documents.roster_builder import build_roster
from gate.documents.roster_file import RosterRow
from gate.model import Now

from .recorded import BrokenError, play
from .shim import Shim

TOKEN_KEY = bytes(range(32))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOLDERS = ("one", "two", "three", "four")


CROWD = 400
"""So many more make a roster that is told by its changes."""


def draft(folder: Path, rng: Random, number: int) -> dict[str, Path]:
    """A set whose roster lists the first `number` holders beside a crowd; a schedule changes only now and then."""
    folder.mkdir(exist_ok=True)
    names = [*HOLDERS[:number], *(f"one-of-a-crowd-{each:0200}" for each in range(CROWD))]
    build_roster(folder / ROSTER, [RosterRow(name, (f"number:{name}",), ("site",)) for name in names], TOKEN_KEY)
    (folder / ISSUERS).write_bytes(b'{"schema": "gate.issuers/1", "issuers": []}')
    (folder / REVOCATIONS).write_text(json.dumps({
        "schema": "gate.revocations/1", "holders": [f"h{n}" for n in range(rng.choice((0, 3, 400)))]}))
    (folder / SCHEDULES).write_bytes(b'{"schema": "gate.schedules/1", "schedules": {}}')
    (folder / PACKS).write_bytes(b'{"schema": "gate.policy-packs/1", "packs": []}')
    return {name: folder / name for name in TARGET_MAX_BYTES if (folder / name).exists()}


def take_in(folder: Path, number: int, state: Path) -> None:
    """Import the set that was published as `number`."""
    repo = folder / f"repo-{number}"
    now = Now(NOON + timedelta(hours=number), 1000.0)
    import_documents(FolderRoad(repo), state, folder / "repo-1" / "metadata" / "1.root.json", TOKEN_KEY, now)


def import_one(folder: Path, number: int, unsynced: bool) -> None:
    """The recorded process: one import."""
    if unsynced:
        os.fsync = lambda descriptor: None  # type: ignore[assignment]
    shim = Shim()
    shim.mark(f"begins {number}")
    take_in(folder, number, folder / "state")
    shim.mark(f"returned {number}")
    os._exit(0)


@dataclass
class DocumentsRun:
    """How many sets were imported up to some point, and whether a state keeps that."""

    folder: Path
    begun: int = 0
    returned: int = 0

    def hear(self, mark: str) -> None:
        what, number = mark.split()
        if what == "begins":
            self.begun = int(number)
        else:
            self.returned = int(number)

    @property
    def promised(self) -> object:
        return self.begun, self.returned

    def check(self, folder: Path, whole: bool) -> None:
        """Load what is in force in `folder`, and look at it.

        Raises:
            BrokenError: it is not as promised.
        """
        found = self._in_force(folder)
        if not self.returned <= found <= self.begun:
            raise BrokenError(f"set {found} is in force; {self.returned} was imported, {self.begun} at most was begun")
        if whole:
            if self.begun:
                take_in(self.folder, self.begun, folder)
            take_in(self.folder, len(HOLDERS), folder)
            if self._in_force(folder) != len(HOLDERS):
                raise BrokenError("the next import does not come into force")

    def _in_force(self, folder: Path) -> int:
        documents = load_documents(folder, TOKEN_KEY)
        in_force = set_in_force(folder)
        if in_force is None:
            return 0
        listed = [name for name in HOLDERS if documents.roster.find((f"number:{name}",)) is not None]
        for name in (ROSTER, ISSUERS, REVOCATIONS, SCHEDULES, PACKS):
            base = len(listed) if name != ROSTER else 1
            if (in_force / name).read_bytes() != (self.folder / f"draft-{base}" / name).read_bytes():
                raise BrokenError(f"{name} is not that of set {len(listed)}")
        return len(listed)


def record_documents(folder: Path, seed: int, sabotaged: bool) -> tuple[Path, DocumentsRun]:
    """Publish a row of sets, and import all but the last one after another; the record, and what to hold it against."""
    rng = Random(seed)
    (folder / "state").mkdir()
    init_repository(folder / "repo", folder / "keys", NOON)
    for number in range(1, len(HOLDERS) + 1):
        drafted = draft(folder / f"draft-{number}", rng, number)
        publish(folder / "repo", folder / "keys", drafted, TOKEN_KEY, NOON + timedelta(hours=number))
        shutil.copytree(folder / "repo", folder / f"repo-{number}")
    for number in range(1, len(HOLDERS)):
        play(folder / "state", folder / "log", "recorded_documents", folder, number, sabotaged)
    return folder / "log", DocumentsRun(folder)


if __name__ == "__main__":
    import_one(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True")
