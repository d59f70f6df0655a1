"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gate.errors import UsageError


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk (fsync(2)).

    Raises:
        OSError: they are not; whoever called must not go on as if they were.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """`sync` everything in a folder, and the folder itself last."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            sync_tree(path)
        else:
            sync(path)
    sync(folder)


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put `content` in the place of `path` in one step."""
    partial = path.with_name(f".{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync(path.parent)


def point(link: Path, target: Path) -> None:
    """Make the symbolic link `link` lead to `target`, a neighbour or below one, in one step."""
    partial = link.with_name(f".{link.name}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target.relative_to(link.parent))
    partial.replace(link)
    sync(link.parent)


@contextmanager
def only_one(lock: Path, what: str) -> Iterator[None]:
    """Keep a second process out for as long as the block runs; the kernel gives the lock back after a crash.

    Raises:
        UsageError: another process is in there; `what` says doing what.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{lock}: another process is {what}; wait for it to end") from error
        yield
    finally:
        os.close(descriptor)
