"""A disk that is slow, stalled, full or dead in turn, and what a power cut leaves on it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gate.ledger.file import Batch, LedgerFile
from gate.wire import source

from .site import GATE, SITE

if TYPE_CHECKING:
    from .world import World

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
RING_EVENTS = 250
"""Small enough to fill while the recorder is away."""
BATCHES_MAX = 300
"""Commits to play back after a power cut, at most (about)."""


class Disk:
    """Keeps a copy of the ledger as it was flushed, and the commits since; `mood` is how it behaves now."""

    def __init__(self, world: World, folder: Path, rng: Random) -> None:
        self.mood = "fast"
        self._world, self._base, self._rng = world, folder / "base", rng
        self._batches: list[tuple[Batch, int]] = []
        self._flushed = 0

    def write_delay_s(self) -> float:
        """How long the next commit takes."""
        slow = self.mood == "slow" and self._rng.random() < 0.3
        return self._rng.uniform(0.05, 1.0) if slow else self._rng.uniform(0.0001, 0.0008)

    def flush_delay_s(self) -> float:
        """How long the next flush takes."""
        match self.mood:
            case "stalled":
                return self._rng.uniform(1.0, 30.0)
            case "slow":
                return self._rng.uniform(0.01, 2.5)
        return self._rng.uniform(0.0002, 0.004)

    def fdatasync(self, descriptor: int) -> None:
        """Everything committed by now survives a power cut, unless this fails."""
        if self.mood == "dead":
            raise OSError(5, "Input/output error")
        self._flushed = len(self._batches)

    def before_commit(self, batch: Batch) -> None:
        """Fail as SQLite does."""
        if self.mood == "dead":
            raise sqlite3.OperationalError("disk I/O error")
        if self.mood == "full" and batch.entries:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    def committed(self, batch: Batch, last_seq: int) -> None:
        """A commit survives the death of the process."""
        self._batches.append((batch, last_seq))
        for seq, entry in enumerate(batch.entries, last_seq - len(batch.entries) + 1):
            self._world.promises.saw(seq, entry.record)

    def opened(self, path: Path) -> None:
        """Everything in the file is flushed: from here on a power cut can be played back."""
        shutil.rmtree(self._base, ignore_errors=True)
        self._base.mkdir()
        copy_ledger(path.parent, self._base)
        self._batches.clear()
        self._flushed = 0

    def flushed(self, path: Path) -> None:
        """Begin a new copy now and then, so that there is never much to play back."""
        if len(self._batches) > BATCHES_MAX and self._flushed == len(self._batches):
            self.opened(path)

    def after_power_cut(self, path: Path) -> None:
        """Put at `path` what a power cut leaves: all that was flushed, and some of what was not."""
        copy_ledger(self._base, path.parent)
        survives = self._rng.randint(self._flushed, len(self._batches))
        file = LedgerFile(path, source=source(SITE, GATE), zone=ZONE, ring_events=RING_EVENTS)
        for batch, last_seq in self._batches[:survives]:
            file.write(batch)
            assert file.span.last_seq == last_seq
        file.close()


def copy_ledger(old: Path, new: Path) -> None:
    """Copy a ledger's files from folder to folder, WAL included."""
    for name in ("ledger.db", "ledger.db-wal"):
        if (old / name).exists():
            shutil.copy(old / name, new / name)
