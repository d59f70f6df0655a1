"""What a power cut may leave of the files that a process was at work on: a model of the disk.

    file      everything before its last sync is there; of each later write any 512-byte sectors, in any order;
              later truncations or not; where the length came without the data there are zeros
    folder    names (create, rename, link, unlink) last in the order in which they were made, up to any point that is
              not before the last sync of the folder they are in

A sync covers what was done before it began. One that fails covers nothing, and what it should have covered is never
written by a later one: Linux has marked those pages clean. That a file is synced says nothing of
its name, which is less than ext4, XFS, Btrfs and F2FS give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .shim import Operation

SECTOR_BYTES = 512
IGNORED = ("-shm", ".lock", "/lock")
"""Endings of files that hold nothing over a restart: SQLite makes the -shm file anew, and a lock is empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One write, or (`data` is None) a truncation to `at`; two that write the same are two."""

    at: int
    data: bytes | None

    def overlaps(self, other: Write) -> bool:
        """Whether both write to the same place."""
        if self.data is None or other.data is None:
            return True
        return self.at < other.at + len(other.data) and other.at < self.at + len(self.data)

    def sectors(self) -> Iterator[tuple[int, bytes]]:
        """The parts that the disk takes one at a time, each with its place."""
        assert self.data is not None
        start = 0
        while start < len(self.data):
            end = start + SECTOR_BYTES - (self.at + start) % SECTOR_BYTES
            yield self.at + start, self.data[start:end]
            start = end


@dataclass(eq=False, slots=True)
class File:
    """One file whatever its name: what is on the disk for certain, and what is on its way there."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Write] = field(default_factory=list)
    doomed: set[Write] = field(default_factory=set)
    """The pending writes that no sync will cover any more."""
    syncs: dict[int, int] = field(default_factory=dict)
    """Of syncs under way: how many of the pending writes each will cover."""

    def sync_done(self, number: int) -> None:
        covered = self.syncs.pop(number)
        left: list[Write] = []
        for write in self.pending[:covered]:
            if write in self.doomed:
                left.append(write)
            else:
                put(self.synced, write)
                left = [other for other in left if not other.overlaps(write)]
        self.pending[:covered] = left
        done = covered - len(left)
        self.syncs = {other: max(0, count - done) for other, count in self.syncs.items()}

    def sync_failed(self, number: int) -> None:
        self.doomed.update(self.pending[:self.syncs.pop(number)])


Node = File | str | None
"""A file, a symbolic link's target, or a folder."""


def put(image: bytearray, write: Write) -> None:
    """Do one write to a file's content."""
    if write.data is None:
        del image[write.at:]
        image.extend(bytes(write.at - len(image)))
    else:
        image.extend(bytes(max(0, write.at - len(image))))
        image[write.at:write.at + len(write.data)] = write.data


@dataclass(frozen=True)
class State:
    """One thing that the disk may hold: relative path -> content, link target, or None for a folder."""

    nodes: dict[str, bytes | str | None]

    def digest(self) -> bytes:
        """Tells states apart."""
        sha = hashlib.blake2b(digest_size=12)
        for path, node in self.nodes.items():
            sha.update(f"{path}\0{type(node).__name__}\0".encode())
            sha.update(node if isinstance(node, bytes) else (node or "").encode())
        return sha.digest()

    def lay_out(self, folder: Path) -> None:
        """Put it into `folder`, which is there and empty."""
        for path, node in self.nodes.items():
            place = folder / path
            if node is None:
                place.mkdir(parents=True, exist_ok=True)
            elif isinstance(node, str):
                place.symlink_to(node)
            else:
                place.write_bytes(node)


class Disk:
    """Follows a record, and says at any point of it what a power cut may leave."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._files: dict[int, File] = {}
        self._folders: dict[int, str] = {}
        self._names: list[dict[str, Node]] = [{}]  # as they are after each change
        self._changed_in: dict[str, int] = {}  # folder -> how many changes there were up to its last one
        self._folder_syncs: dict[int, int] = {}
        self._names_synced = 0

    def follow(self, operation: Operation) -> bool:
        """Take the next operation; whether it changed what a power cut may leave."""
        kind, inode, number, data = operation
        if kind in "COMULYR":
            return self._change_names(operation)
        if inode in self._folders:
            if kind == "S":
                self._folder_syncs[number] = self._changed_in.get(self._folders[inode], 0)
            elif kind == "E":
                self._names_synced = max(self._names_synced, self._folder_syncs.pop(number))
            return kind == "E"
        file = self._files.get(inode)
        if file is None or kind == "K":
            return False
        if kind == "S":
            file.syncs[number] = len(file.pending)
        elif kind == "E":
            file.sync_done(number)
        elif kind == "X":
            file.sync_failed(number)
        else:
            file.pending.append(Write(number, None if kind == "T" else data))
        return kind != "S"

    def states(self, count: int, rng: Random) -> Iterator[State]:
        """States that a power cut may leave here: nothing unsynced, all of it, then random ones."""
        last = len(self._names) - 1
        yield self._state(self._names_synced, lambda file: _kept(file, iter(())))
        yield self._state(last, lambda file: _kept(file, file.pending))
        for _ in range(count - 2):
            names = rng.choice((last, last, rng.randint(self._names_synced, last)))
            yield self._state(names, lambda file: _some(file, rng))

    def _state(self, names: int, content_of: Callable[[File], bytes]) -> State:
        return State({path: content_of(node) if isinstance(node, File) else node
                      for path, node in self._names[names].items()})

    def _change_names(self, operation: Operation) -> bool:
        if operation.data.endswith(tuple(ending.encode() for ending in IGNORED)):
            return False
        names = dict(self._names[-1])
        *olds, path = (text.removeprefix(self._root).strip("/") for text in operation.paths())
        match operation.kind:
            case "O":
                if not path or names.get(path, "") is None:
                    self._folders[operation.inode] = path
                return False
            case "C":
                self._files[operation.inode] = names[path] = File()
                self._folders.pop(operation.inode, None)
            case "M":
                names[path] = None
            case "U":
                names.pop(path, None)
            case "L":
                names[path] = names[olds[0]]
            case "Y":
                names[path] = operation.paths()[0]
            case "R":
                names.pop(path, None)
                for old in [each for each in names if each == olds[0] or each.startswith(olds[0] + "/")]:
                    names[path + old.removeprefix(olds[0])] = names.pop(old)
        self._names.append(dict(sorted(names.items())))  # a folder before what is in it
        for changed in (path, *(olds if operation.kind in "LR" else ())):
            self._changed_in[str(Path(changed).parent).removeprefix(".")] = len(self._names) - 1
        return True


def _kept(file: File, writes: Iterable[Write]) -> bytes:
    image = bytearray(file.synced)
    for write in writes:
        put(image, write)
    return bytes(image)


def _some(file: File, rng: Random) -> bytes:
    """The content when the disk took only some of what was on its way, whatever came first."""
    pending = file.pending
    if not pending:
        return bytes(file.synced)
    how = rng.randrange(6)
    if how == 0:  # in order, the last one torn
        end = rng.randrange(len(pending))
        return _kept(file, [*pending[:end], *_torn(pending[end], 0.5, rng)])
    if how == 1:  # whole writes in any order
        return _kept(file, [write for write in pending if rng.random() < 0.5])
    if how == 2:  # all but one sector
        hole = rng.randrange(len(pending))
        parts = list(_torn(pending[hole], 1.0, rng))
        if parts:
            parts.pop(rng.randrange(len(parts)))
        return _kept(file, [*pending[:hole], *parts, *pending[hole + 1:]])
    if how == 3:  # one sector alone
        parts = list(_torn(rng.choice(pending), 1.0, rng))
        return _kept(file, [rng.choice(parts)])
    share = rng.choice((0.05, 0.3, 0.7, 0.95))
    image = bytearray(_kept(file, [part for write in pending for part in _torn(write, share, rng)]))
    if how == 4:  # the length came, the data did not
        length = len(_kept(file, pending))
        image.extend(bytes(max(0, length - len(image))))
    return bytes(image)


def _torn(write: Write, share: float, rng: Random) -> Iterator[Write]:
    if write.data is None:
        if rng.random() < share:
            yield write
        return
    for at, data in write.sectors():
        if rng.random() < share:
            yield Write(at, data)


def empty(folder: Path) -> None:
    """Remove what is in `folder`."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            empty(entry)
            entry.rmdir()
        else:
            entry.unlink()
