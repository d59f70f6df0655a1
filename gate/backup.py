"""A gate in one file, and another machine that becomes this gate from it.

The file is a tar archive: `manifest.json`, then the config and every file that it names, the documents in force with
the trust that they were verified by, and a copy of the ledger. It holds the site's keys: who has it can be this gate.
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

import gate
from gate import wire
from gate.config import Config
from gate.documents import documents_dir
from gate.durable import only_one, sync_tree, write_whole
from gate.errors import UsageError
from gate.ledger import FILE_NAME
from gate.ledger.copying import begin_from, copy_ledger

SCHEMA = "gate.backup/1"
MANIFEST, LEDGER, DOCUMENTS = "manifest.json", "ledger.db", "documents"
FILE_MAX_BYTES = 1 << 20
"""Longest config, key or certificate."""
MANIFEST_MAX_BYTES = 1 << 16


class Kept(msgspec.Struct, frozen=True):
    """One file of the machine: where it belongs, its permissions, and its name in the archive."""

    path: str
    mode: int
    member: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    schema: str = SCHEMA
    gate_version: str = gate.__version__
    site: str
    gate: str
    made_at: datetime
    state_dir: str
    config: str
    files: list[Kept]
    ledger: bool
    """Whether there was a ledger."""


def named_files(section: object) -> Iterator[Path]:
    """Every file that a config, or a part of it, names as its own: keys, passwords, certificates, roots of trust."""
    if not isinstance(section, msgspec.Struct):
        return
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, Path) and (name.endswith("_file") or name in ("ca", "certificate", "key")):
            yield value
        for part in value if isinstance(value, tuple) else (value,):
            yield from named_files(part)


def back_up(settings: Config, config_file: Path, out: Path, made_at: datetime) -> Manifest:
    """Write this gate into one new file, which only its owner may read; the daemon may run meanwhile.

    Raises:
        UsageError: there is such a file already, documents are just being imported, or a file cannot be read.
        StoreError: the ledger cannot be read.
    """
    ledger, documents = settings.state_dir / FILE_NAME, documents_dir(settings.state_dir)
    paths = list(dict.fromkeys((config_file.absolute(), *(path.absolute() for path in named_files(settings)))))
    manifest = Manifest(
        site=settings.site.id, gate=settings.gate.id, made_at=made_at, config=str(paths[0]), ledger=ledger.exists(),
        state_dir=str(settings.state_dir.absolute()),
        files=[Kept(str(path), _mode(path), f"files/{number}") for number, path in enumerate(paths)])
    with _new_archive(out) as archive, tempfile.TemporaryDirectory(dir=out.absolute().parent) as scratch:
        _add(archive, MANIFEST, msgspec.json.encode(manifest))
        for kept in manifest.files:
            _add(archive, kept.member, Path(kept.path).read_bytes())
        if documents.exists():
            with only_one(documents / "lock", "importing documents"):
                archive.add(documents, DOCUMENTS)
        if manifest.ledger:
            copy_ledger(ledger, Path(scratch) / LEDGER)
            archive.add(Path(scratch) / LEDGER, LEDGER)
    return manifest


def read_manifest(archive: tarfile.TarFile) -> Manifest:
    """What a backup holds.

    Raises:
        UsageError: it is no backup, or one of a form that this release does not know.
    """
    try:
        manifest = msgspec.json.decode(_read(archive, MANIFEST, MANIFEST_MAX_BYTES), type=Manifest)
    except (KeyError, msgspec.MsgspecError) as error:
        raise UsageError(f"no backup of a gate ({error})") from error
    if manifest.schema != SCHEMA:
        raise UsageError(f"the backup's form {manifest.schema} is of another release; this one reads {SCHEMA}")
    return manifest


def restore(archive: tarfile.TarFile, manifest: Manifest, root: Path) -> int:
    """Put everything where it was, below `root`, with a ledger of a new epoch; the old one stays beside it.

    Returns:
        How many events of the old ledger no recorder has acknowledged.

    Raises:
        UsageError: this machine is a gate already, or the archive is not as `back_up` makes it.
        StoreError: its ledger is not this gate's.
    """
    state_dir = _below(root, manifest.state_dir)
    there = [path for path in (*(_below(root, kept.path) for kept in manifest.files), state_dir / FILE_NAME)
             if path.exists()]
    if there:
        raise UsageError("restored onto a machine that is no gate yet, and these are there; move them away: "
                         + ", ".join(map(str, there)))
    for kept in manifest.files:
        path = _below(root, kept.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _read(archive, kept.member, FILE_MAX_BYTES), kept.mode & 0o777)
        _give(path, path.parent, group_only=True)
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    _extract_documents(archive, documents_dir(state_dir))
    left = 0
    if manifest.ledger:
        old = state_dir / f"ledger-until-{manifest.made_at:%Y%m%dT%H%M%S}.db"
        _copy_out(archive, archive.getmember(LEDGER), old)
        left = begin_from(old, state_dir / FILE_NAME, wire.source(manifest.site, manifest.gate))
    sync_tree(state_dir)
    for path in state_dir.rglob("*"):
        _give(path, state_dir)
    return left


@contextmanager
def _new_archive(out: Path) -> Iterator[tarfile.TarFile]:
    """An archive that stands at `out` once it is whole."""
    partial = out.with_name(f".{out.name}.partial")
    if out.exists():
        raise UsageError(f"{out} is there already; name another file")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", dereference=False) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        partial.rename(out)
    except OSError as error:
        raise UsageError(f"{out}: the backup cannot be made: {error}; try as root") from error
    finally:
        partial.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))


def _read(archive: tarfile.TarFile, name: str, max_bytes: int) -> bytes:
    member = archive.getmember(name)
    stream = archive.extractfile(member)
    if stream is None or member.size > max_bytes:
        raise UsageError(f"{name} in the backup is no file of at most {max_bytes} bytes")
    return stream.read()


def _copy_out(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    stream = archive.extractfile(member)
    if stream is None:
        raise UsageError(f"{member.name} in the backup is no file")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while block := stream.read(1 << 20):
            file.write(block)


def _extract_documents(archive: tarfile.TarFile, folder: Path) -> None:
    """Folders, files and the links between them; nothing in an archive leads out of `folder`."""
    for member in archive:
        if member.name != DOCUMENTS and not member.name.startswith(f"{DOCUMENTS}/"):
            continue
        inner = PurePosixPath(member.name).relative_to(DOCUMENTS)
        path = folder / inner
        if ".." in inner.parts or (member.issym() and (
                member.linkname.startswith("/") or ".." in PurePosixPath(member.linkname).parts)):
            raise UsageError(f"{member.name} in the backup leads out of its folder")
        if member.isdir():
            path.mkdir(mode=0o700, exist_ok=True)
        elif member.issym():
            path.symlink_to(member.linkname)
        else:
            _copy_out(archive, member, path)


def _below(root: Path, path: str) -> Path:
    """An absolute path of the old machine, on the new one."""
    if not path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise UsageError(f"{path!r} in the backup is no absolute path")
    return root / path.lstrip("/")


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError as error:
        raise UsageError(f"{path}, which the config names, cannot be read: {error.strerror}") from error


def _give(path: Path, like: Path, group_only: bool = False) -> None:
    """Root gives what it restored to whoever owns the folder: the daemon's user, or its group."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, -1 if group_only else owner.st_uid, owner.st_gid, follow_symlinks=False)
