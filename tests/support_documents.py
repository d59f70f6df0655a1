"""A publisher and a gate in temporary folders, for tests of the documents between them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.metadata import MetaFile, Snapshot, TargetFile, Targets, Timestamp

from gate.central.document_root import init_repository, newest_root, sign
from gate.central.documents import Published, publish
from gate.documents import ISSUERS, PACKS, REVOCATIONS, ROSTER, SCHEDULES, load_documents
from gate.documents.importing import PUBLISHED_AT, TARGET_MAX_BYTES, Imported, import_documents
from gate.documents.roads import FolderRoad, Road
from gate.documents.roster_builder import build_roster
from gate.documents.roster_file import RosterRow
from gate.model import Now
from gate.trust import Revocations, revocations_to_json
from gate.view import DocumentSet

TOKEN_KEY = bytes(range(32))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(days: float = 0, trusted: bool = True) -> Now:
    """A moment so many days after the publisher's first noon."""
    return Now(NOON + timedelta(days=days), 1000.0, trusted)


@dataclass
class Site:
    """One publisher and one gate."""

    folder: Path
    drafts: Path = field(init=False)

    def __post_init__(self) -> None:
        self.drafts = self.folder / "drafts"
        self.drafts.mkdir(exist_ok=True)

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def init(self, **options: Any) -> Site:
        init_repository(self.repo, self.keys, NOON, **options)
        return self

    def draft(self, *holders: str, revoked: tuple[str, ...] = ()) -> dict[str, Path]:
        """A whole set that lists `holders` under `number:HOLDER`, and withdraws the holders `revoked`."""
        build_roster(self.drafts / ROSTER, [RosterRow(name, (f"number:{name}",), ("site",)) for name in holders],
                     TOKEN_KEY)
        (self.drafts / ISSUERS).write_bytes(b'{"schema": "gate.issuers/1", "issuers": []}')
        (self.drafts / REVOCATIONS).write_bytes(revocations_to_json(Revocations(holders=frozenset(revoked))))
        (self.drafts / SCHEDULES).write_bytes(b'{"schema": "gate.schedules/1", "schedules": {}}')
        (self.drafts / PACKS).write_bytes(b'{"schema": "gate.policy-packs/1", "packs": []}')
        return {name: self.drafts / name for name in TARGET_MAX_BYTES if (self.drafts / name).exists()}

    def publish(self, *holders: str, days: float = 0, revoked: tuple[str, ...] = ()) -> Published:
        return publish(self.repo, self.keys, self.draft(*holders, revoked=revoked), TOKEN_KEY, at(days).utc)

    def take_in(self, road: Road | None = None, now: Now | None = None) -> Imported:
        return import_documents(road or FolderRoad(self.repo), self.state, self.repo / "metadata" / "1.root.json",
                                TOKEN_KEY, now or at())

    def in_force(self) -> DocumentSet:
        return load_documents(self.state, TOKEN_KEY)

    def lists(self, holder: str) -> bool:
        """Whether the roster in force knows `holder`."""
        return self.in_force().roster.find((f"number:{holder}",)) is not None

    def sign_unchecked(
        self, contents: dict[str, bytes], *, versions: tuple[int, int, int], snapshot_of: int | None = None,
        **timestamp_fields: Any,
    ) -> None:
        """Sign what the publisher would not: any content, any versions of (targets, snapshot, timestamp)."""
        root, metadata, expires = newest_root(self.repo), self.repo / "metadata", NOON + timedelta(days=30)
        targets_version, snapshot_version, timestamp_version = versions
        files = {name: TargetFile.from_data(name, content, ["sha256"]) for name, content in contents.items()}
        for name, content in contents.items():
            (self.repo / "targets" / f"{files[name].hashes['sha256']}.{name}").write_bytes(content)
        targets = sign(Targets(targets_version, expires=expires, targets=files), root, self.keys)
        meta = {"targets.json": MetaFile.from_data(targets_version, targets, ["sha256"])}
        snapshot = sign(Snapshot(snapshot_version, expires=expires, meta=meta), root, self.keys)
        (metadata / f"{targets_version}.targets.json").write_bytes(targets)
        (metadata / f"{snapshot_version}.snapshot.json").write_bytes(snapshot)
        timestamp = Timestamp(
            timestamp_version, expires=expires,
            snapshot_meta=MetaFile.from_data(snapshot_of or snapshot_version, snapshot, ["sha256"]),
            unrecognized_fields=timestamp_fields or {PUBLISHED_AT: NOON.isoformat()},
        )
        (metadata / "timestamp.json").write_bytes(sign(timestamp, root, self.keys))


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a child that SIGKILLs itself before its file operation number `step`; False: it got through."""
    child = os.fork()
    if child == 0:
        steps = iter(range(1, sys.maxsize))

        def count(event: str, _: tuple[Any, ...]) -> None:
            if event.startswith(("open", "os.", "shutil.", "sqlite3.")) and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
