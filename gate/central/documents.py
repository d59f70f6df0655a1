"""Publishes documents for the gates: a repository of The Update Framework in a plain folder.

    REPO/metadata/  1.root.json ... N.targets.json N.snapshot.json timestamp.json
    REPO/targets/   SHA256.roster.sqlite SHA256.issuers.json ...

What a reader of the folder trusts hangs on timestamp.json, which is replaced last and in one step; everything else
has its version or its hash in its name. A reader therefore sees the set before or the set after, never half of one.
(TUF specification 1.0.34, sections 4 and 6; consistent snapshots.)
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tuf.api.metadata import MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from gate.central.document_root import newest_root, read_metadata, sign
from gate.central.roster_changes import next_changes
from gate.documents import OPTIONAL, ROSTER, read_document
from gate.documents.changes import CHANGES_MAX, Changes, changes_from_bytes, changes_name, changes_to_bytes
from gate.documents.importing import PUBLISHED_AT, TARGET_MAX_BYTES
from gate.documents.roster_file import check_roster
from gate.durable import only_one, sync, write_whole
from gate.errors import DocumentError, UsageError

DOCUMENT_DAYS = 30
KEEP_SETS = 3
"""How many publications stay readable, for whoever is still copying an older one."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a repository offers at present: versions and expiry by role, SHA-256 in hex by document."""

    versions: dict[str, int]
    expires_at: dict[str, datetime]
    published_at: datetime
    targets: dict[str, str]


def publish(
    repo: Path, keys: Path, documents: Mapping[str, Path], token_key: bytes, now: datetime, *,
    days: int = DOCUMENT_DAYS, whole_roster: bool = False,
) -> Published:
    """Sign a new set: the files in `documents` by target name, the others as they were published last.

    Every version rises by one. A gate refuses to import the set once `days` have passed. A large roster that differs
    little from the last goes out as that difference, unless it shall be whole.

    Raises:
        DocumentError: a gate would refuse a document, or the first publication lacks one.
        UsageError: no repository there, or a key is missing.
    """
    with only_one(repo / ".lock", "publishing"):
        root, metadata = newest_root(repo), repo / "metadata"
        version, before = _next(metadata)
        expires_at = now + timedelta(days=days)
        changes = None if whole_roster else _changes(repo, documents.get(ROSTER), before)
        if changes is not None:
            documents = {name: path for name, path in documents.items() if name != ROSTER}
        targets = Targets(version=version, expires=expires_at, targets={
            name: target for name in TARGET_MAX_BYTES
            if (target := _take(repo, name, documents.get(name), before, token_key))
        } | (changes or {}))
        targets_json = sign(targets, root, keys)
        meta = {"targets.json": _meta(version, targets_json)}
        snapshot_json = sign(Snapshot(version=version, expires=expires_at, meta=meta), root, keys)
        timestamp = Timestamp(
            version=version, expires=expires_at, snapshot_meta=_meta(version, snapshot_json),
            unrecognized_fields={PUBLISHED_AT: now.isoformat(timespec="seconds")},
        )
        timestamp_json = sign(timestamp, root, keys)
        write_whole(metadata / f"{version}.targets.json", targets_json)
        write_whole(metadata / f"{version}.snapshot.json", snapshot_json)
        write_whole(metadata / "timestamp.json", timestamp_json)
        _forget_older(repo, version)
        return published(repo)


def published(repo: Path) -> Published:
    """What the repository offers.

    Raises:
        UsageError: no repository, or nothing was published in it yet.
    """
    root, metadata = newest_root(repo), repo / "metadata"
    if not (metadata / "timestamp.json").exists():
        raise UsageError(f"{repo}: nothing is published there yet; run `gate central documents publish`")
    timestamp = read_metadata(metadata / "timestamp.json", Timestamp)
    version = timestamp.snapshot_meta.version
    snapshot = read_metadata(metadata / f"{version}.snapshot.json", Snapshot)
    targets = read_metadata(metadata / f"{version}.targets.json", Targets)
    roles: tuple[Root | Targets | Snapshot | Timestamp, ...] = (root, targets, snapshot, timestamp)
    return Published(
        versions={role.type: role.version for role in roles},
        expires_at={role.type: role.expires for role in roles},
        published_at=datetime.fromisoformat(timestamp.unrecognized_fields[PUBLISHED_AT]).astimezone(UTC),
        targets={name: target.hashes["sha256"] for name, target in targets.targets.items()},
    )


def _take(
    repo: Path, name: str, source: Path | None, before: Targets | None, token_key: bytes,
) -> TargetFile | None:
    """Bring one document into the repository, read as a gate would read it, under its hash."""
    if source is None:
        published_last = before.targets.get(name) if before else None
        if published_last is None and name not in OPTIONAL:
            raise DocumentError(f"the first publication needs {name}")
        return published_last
    try:
        length = source.stat().st_size
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror}") from error
    if length > TARGET_MAX_BYTES[name]:
        raise DocumentError(f"{source}: {length} bytes; gates read at most {TARGET_MAX_BYTES[name]} of {name}")
    if name == ROSTER:
        check_roster(source, token_key)
    else:
        read = read_document(name, source.read_bytes())
        if left_out := getattr(read, "left_out", ()):
            raise DocumentError(f"{name}: no gate can use {'; '.join(left_out)}: mend it or take it out")
    target = TargetFile.from_file(name, str(source), ["sha256"])
    place = _stored(repo, target)
    if not place.exists():
        partial = place.with_name(f".{place.name}.partial")
        shutil.copyfile(source, partial)
        sync(partial)
        partial.replace(place)
        sync(place.parent)
    return target


def _changes(repo: Path, roster: Path | None, before: Targets | None) -> dict[str, TargetFile] | None:
    """The changes to publish beside the last roster; None where `roster` is to be published itself."""
    if before is None or ROSTER not in before.targets:
        return None
    standing = [before.targets[name] for number in range(1, CHANGES_MAX + 1)
                if (name := changes_name(number)) in before.targets]
    if roster is None:
        return {target.path: target for target in standing}
    base = before.targets[ROSTER].hashes["sha256"]
    read = [changes_from_bytes(_stored(repo, target).read_bytes(), base, number)
            for number, target in enumerate(standing, 1)]
    changes = next_changes(_stored(repo, before.targets[ROSTER]), base, read, roster)
    return None if changes is None else {
        target.path: target for target in (_put(repo, changes_name(each.number), each) for each in changes)}


def _put(repo: Path, name: str, changes: Changes) -> TargetFile:
    content = changes_to_bytes(changes)
    target = TargetFile.from_data(name, content, ["sha256"])
    if not _stored(repo, target).exists():
        write_whole(_stored(repo, target), content)
    return target


def _stored(repo: Path, target: TargetFile) -> Path:
    return repo / "targets" / f"{target.hashes['sha256']}.{target.path}"


def _next(metadata: Path) -> tuple[int, Targets | None]:
    """The version to publish, and the targets published before it."""
    if not (metadata / "timestamp.json").exists():
        return 1, None
    last = read_metadata(metadata / "timestamp.json", Timestamp)
    before = read_metadata(metadata / f"{last.snapshot_meta.version}.targets.json", Targets)
    return last.version + 1, before


def _meta(version: int, content: bytes) -> MetaFile:
    return MetaFile.from_data(version, content, ["sha256"])


def _forget_older(repo: Path, version: int) -> None:
    metadata, named = repo / "metadata", set()
    for path in [*metadata.glob("*.snapshot.json"), *metadata.glob("*.targets.json")]:
        number, _, role = path.name.partition(".")
        if not version - KEEP_SETS < int(number) <= version:
            path.unlink()
        elif role == "targets.json":
            targets = read_metadata(path, Targets).targets
            named |= {_stored(repo, target).name for target in targets.values()}
    for path in (repo / "targets").iterdir():
        if path.name not in named:
            path.unlink()
