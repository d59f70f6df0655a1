"""Verifies published documents by The Update Framework and puts them in force: `gate documents import` and `fetch`.

The steps, numbered as in the code (TUF specification 1.0.34, section 5, the client workflow):

    1  one importer at a time; whatever an importer before left half done is thrown away
    2  root, timestamp, snapshot, targets: signatures, versions, expiry, length and hashes   (5.3 to 5.6)
    3  what was proved is kept at once, even when the rest fails: it is what a rollback is told by
    4  each document is copied within its signed length, then the copy is verified           (5.7)
    5  each document is read as the gate will read it
    6  everything is on the disk before one rename puts it in force

Any refusal leaves the set in force as it was, and `refused.json` says why.

Expiry is held against a clock that can be believed; otherwise against a moment that has surely passed: this
release's date, or the publication of the set in force if that is later.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from gate.clock import BUILD_FLOOR
from gate.documents import (
    ISSUERS,
    OPTIONAL,
    PACKS,
    PERMITS,
    QUOTAS,
    REVOCATIONS,
    ROSTER,
    SCHEDULES,
    Refusal,
    SetNote,
    documents_dir,
    load_set,
    read_set_note,
    set_in_force,
)
from gate.documents.changes import (
    CHANGES_MAX,
    CHANGES_MAX_BYTES,
    OVERLAY,
    build_overlay,
    changes_from_bytes,
    changes_name,
    latest,
)
from gate.documents.roads import Road
from gate.documents.roster_file import check_roster
from gate.documents.tuf_client import DocumentUpdater, refusing
from gate.durable import only_one, point, sync, sync_tree, write_whole
from gate.errors import DocumentError, StoreError, UsageError
from gate.model import Now
from gate.policy.health.pack import PACKS_MAX_BYTES
from gate.policy.permits import PERMITS_MAX_BYTES
from gate.policy.quotas import QUOTAS_MAX_BYTES
from gate.policy.schedule import SCHEDULES_MAX_BYTES
from gate.trust import DOCUMENT_MAX_BYTES

TARGET_MAX_BYTES = {
    ROSTER: 4 * 1024**3,
    ISSUERS: DOCUMENT_MAX_BYTES,
    REVOCATIONS: DOCUMENT_MAX_BYTES,
    SCHEDULES: SCHEDULES_MAX_BYTES,
    PACKS: PACKS_MAX_BYTES,
    QUOTAS: QUOTAS_MAX_BYTES,
    PERMITS: PERMITS_MAX_BYTES,
}
"""The documents that a set holds, and the longest each may be whatever its signature allows."""

FREE_MIN_BYTES = 64 * 1024**2
"""Room that an import leaves to the ledger."""

PROBLEM_MAX_CHARS = 500
PUBLISHED_AT = "x-gate-published-at"
"""The field of timestamp.json that says when the set was published (RFC 3339)."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import put in force; `changed` is false when it was in force already."""

    folder: Path
    note: SetNote
    changed: bool


def import_documents(
    road: Road, state_dir: Path, root_file: Path, token_key: bytes, now: Now, *, reread: bool = True,
) -> Imported:
    """Verify what `road` brings and put its documents in force.

    `root_file` is where trust begins: the root that the installer brought. Newer roots, each signed by the one
    before it, are taken from `road` and kept. Without `reread`, a document in force that is to stay is taken for what
    it was when it was verified, which spares reading a large roster for each small change.

    Raises:
        DocumentError: refused; the text begins with the kind of fault, and stands in `refused.json` too.
        StoreError: the disk has no room, or fails.
        UsageError: `root_file` is not there, or another import is running.
    """
    try:
        root = root_file.read_bytes()
        Metadata[Root].from_bytes(root)
    except (OSError, DeserializationError) as error:
        raise UsageError(f"{root_file}: no TUF root ({error}); copy the publisher's 1.root.json there") from error
    folder = documents_dir(state_dir)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with only_one(folder / "lock", "importing documents"):  # 1
        try:
            imported = _import(road, folder, root, token_key, now, reread)
        except (DocumentError, OSError) as error:
            refusal = Refusal(at=now.utc, problem=_printable(str(error)))
            with suppress(OSError):  # no room even for this: the exit code still says so
                write_whole(folder / "refused.json", msgspec.json.encode(refusal))
            if isinstance(error, DocumentError | StoreError):
                raise
            raise StoreError(f"documents: {error}; the set in force stays") from error
        finally:
            shutil.rmtree(folder / "staging", ignore_errors=True)
        (folder / "refused.json").unlink(missing_ok=True)
        return imported


def _import(  # noqa: PLR0917  (the steps, in one place)
    road: Road, folder: Path, root: bytes, token_key: bytes, now: Now, reread: bool,
) -> Imported:
    in_force = set_in_force(folder.parent)
    staging = folder / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    trust, fresh = staging / "trust", staging / "set"
    fresh.mkdir(parents=True)
    if (folder / "trust").exists():
        shutil.copytree(folder / "trust", trust, symlinks=True)
    else:
        trust.mkdir()

    with refusing():
        try:
            updater = DocumentUpdater(road, trust, root, _reference(now, in_force))
            updater.refresh()  # 2
        finally:
            if _contents(trust) != _contents(folder / "trust"):
                _put(trust, folder / "trusts", "trust", folder / "trust")  # 3
        targets = _targets(updater)
        note = _describe(folder / "trust", targets)
        same = _standing(updater, targets, in_force, None if reread else _sound(in_force, token_key))
        if in_force and len(same) == len(targets) and _noted(in_force) == note:
            return Imported(in_force, note, changed=False)
        _require_room(folder, sum(target.length for name, target in targets.items() if name not in same))
        for name, target in targets.items():  # 4
            if in_force and name in same:
                (fresh / name).hardlink_to(in_force / name)
            else:
                updater.copy_target(target, fresh / name)

    (fresh / "set.json").write_bytes(msgspec.json.encode(note))
    changes = [changes_from_bytes((fresh / name).read_bytes(), note.targets[ROSTER], number)
               for number, name in _changes_in(targets)]
    if changes:
        build_overlay(fresh / OVERLAY, latest(changes), token_key)
    load_set(fresh, token_key)  # 5
    if reread or ROSTER not in same:
        check_roster(fresh / ROSTER, token_key)
    name = f"{note.versions[Snapshot.type]}-{note.versions[Timestamp.type]}"
    return Imported(_put(fresh, folder / "sets", name, folder / "current"), note, changed=True)  # 6


def _reference(now: Now, in_force: Path | None) -> datetime:
    """The moment that expiry is held against."""
    if now.trusted:
        return now.utc
    published = _noted(in_force)
    return max(BUILD_FLOOR, published.published_at) if published else BUILD_FLOOR


def _noted(in_force: Path | None) -> SetNote | None:
    with suppress(DocumentError):  # damaged: this import mends it
        return read_set_note(in_force) if in_force else None
    return None


def _targets(updater: DocumentUpdater) -> dict[str, TargetFile]:
    """The documents that are signed for, each within its limit."""
    targets = {name: target for name in TARGET_MAX_BYTES if (target := _target(updater, name))}
    for number in range(1, CHANGES_MAX + 1):
        target = _target(updater, changes_name(number))
        if target is None:
            break
        targets[changes_name(number)] = target
    return targets


def _changes_in(targets: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Number and name of each document of changes, in order."""
    names = set(targets)
    return ((number, changes_name(number)) for number in range(1, CHANGES_MAX + 1) if changes_name(number) in names)


def _standing(
    updater: DocumentUpdater, targets: dict[str, TargetFile], in_force: Path | None, believed: SetNote | None,
) -> set[str]:
    """Which targets lie in the set in force: by their content, or as it is `believed`."""
    if in_force is None:
        return set()
    if believed is None:
        return {name for name, target in targets.items() if updater.is_target(target, in_force / name)}
    return {name for name, target in targets.items() if believed.targets.get(name) == target.hashes["sha256"]}


def _sound(in_force: Path | None, token_key: bytes) -> SetNote | None:
    """What is known of the set in force, if it can be loaded."""
    with suppress(DocumentError):
        if in_force is not None:
            load_set(in_force, token_key)
            return read_set_note(in_force)
    return None


def _target(updater: DocumentUpdater, name: str) -> TargetFile | None:
    limit = TARGET_MAX_BYTES.get(name, CHANGES_MAX_BYTES)
    target = updater.get_targetinfo(name)
    if target is None:
        if name in OPTIONAL or name not in TARGET_MAX_BYTES:
            return None
        raise DocumentError(f"missing: targets.json does not list {name}")
    if target.length > limit:
        raise DocumentError(f"too long: {name}, {target.length} bytes; at most {limit} are read")
    if "sha256" not in target.hashes:
        raise DocumentError(f"malformed: targets.json gives no SHA-256 of {name}")
    return target


def _describe(trust: Path, targets: dict[str, TargetFile]) -> SetNote:
    timestamp = Metadata[Timestamp].from_file(str(trust / "timestamp.json")).signed
    versions = {role: Metadata.from_file(str(trust / f"{role}.json")).signed.version
                for role in (Root.type, Timestamp.type, Snapshot.type, Targets.type)}
    try:
        published_at = datetime.fromisoformat(timestamp.unrecognized_fields[PUBLISHED_AT]).astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DocumentError(f"malformed: timestamp.json has no {PUBLISHED_AT} that can be read") from error
    return SetNote(versions=versions, targets={name: target.hashes["sha256"] for name, target in targets.items()},
                   published_at=published_at, expires_at=timestamp.expires)


def _require_room(folder: Path, needed_bytes: int) -> None:
    free, needed = shutil.disk_usage(folder).free >> 20, (needed_bytes + FREE_MIN_BYTES) >> 20
    if free < needed:
        raise StoreError(f"{folder}: {free} MiB free, {needed} MiB needed; make room on the disk and import again")


def _put(fresh: Path, parent: Path, name: str, link: Path) -> Path:
    """Move the folder `fresh` into `parent`, lead `link` to it, and drop all but it and the one before."""
    parent.mkdir(exist_ok=True)
    before = link.resolve() if link.exists() else None
    names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
    place = next(parent / name for name in names if not (parent / name).exists())
    sync_tree(fresh)
    fresh.rename(place)
    sync(parent)
    point(link, place)
    for folder in parent.iterdir():
        if folder.resolve() not in (place.resolve(), before):
            shutil.rmtree(folder, ignore_errors=True)
    return place


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:PROBLEM_MAX_CHARS]
