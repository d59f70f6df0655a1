"""The flusher: one thread that makes what is committed survive a power cut, and copies the WAL into the database.

Why an fdatasync of the WAL is enough (SQLite 3, WAL mode, synchronous=NORMAL, no automatic checkpoints):

* A commit appends frames to the WAL, and the WAL is one inode from the first commit to the last close. So what
  was committed before the call began is on the disk when it returns.
* Before a commit begins the WAL anew, everything in it has been copied into the database and synced there, by the
  checkpoint below; and SQLite syncs the new header itself before the first frame overwrites an old one. So a
  row is in the synced database or in the synced WAL, never in neither.
* The descriptor is kept open all the time: Linux tells each descriptor of a write-back error once, and one opened
  after the error may hear nothing. Closing it hurts no lock, since SQLite locks the database and the -shm only.
* A failed sync is final. The kernel may have marked the lost pages clean, so a second call would lie.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread

from gate.ledger.database import PAGE_BYTES, connect, is_disk_full

CHECKPOINT_WAL_BYTES = 4 * 1024 * 1024
"""The WAL's approximate length at which a checkpoint follows the next flush after which nobody waits."""
CHECKPOINT_OVERDUE = 4
"""At this many times that length it is made though somebody waits, and the writer stops to finish it."""
COMMIT_WAL_BYTES = 2 * PAGE_BYTES
"""Roughly what a commit costs in the WAL beside its rows: the last page again, one of an index or the books."""


class Flusher:
    """Owns how far the ledger is flushed; `fdatasync` is a parameter so that tests can slow it or make it fail."""

    def __init__(
        self, path: Path, *, flushed_seq: int, on_flushed: Callable[[int], None],
        on_problem: Callable[[str, Exception | None], None], fdatasync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """`on_problem` takes what happened and a final error; each callback runs on the flusher's thread."""
        self._path = path
        self._on_flushed, self._on_problem = on_flushed, on_problem
        self._fdatasync = fdatasync
        self._changed = Condition()
        self._written_seq = self.flushed_seq = flushed_seq
        self._wal_bytes = 0
        self._stopping = self._failed = False
        self._thread = Thread(target=self._run, name="flusher", daemon=True)

    def start(self, on_checkpointed: Callable[[], None]) -> None:
        """Begin to flush; the WAL is there, because the ledger was written to when it was opened.

        `on_checkpointed` is called when the writer should begin the WAL anew.
        """
        self._on_checkpointed = on_checkpointed
        self._wal = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        self._db = connect(self._path)
        self._thread.start()

    def written(self, seq: int, body_bytes: int) -> None:
        """Something was committed up to `seq`."""
        with self._changed:
            self._written_seq = seq
            self._wal_bytes += COMMIT_WAL_BYTES + body_bytes
            self._changed.notify_all()

    def wait(self, after_seq: int, timeout_s: float) -> bool:
        """Wait until something beyond `after_seq` is flushed; False when it is not in time, or never will be."""
        with self._changed:
            self._changed.wait_for(lambda: self.flushed_seq > after_seq or self._failed, timeout_s)
            return self.flushed_seq > after_seq

    def stop(self, timeout_s: float) -> bool:
        """Flush what is left and end; False when the disk does not let it within `timeout_s`."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        os.close(self._wal)
        self._db.close()
        return True

    def _run(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Wait for something to flush, and flush it; False once the end has come, or the disk has failed."""
        try:
            seq = self._next()
            if seq is None:
                return False
            if seq > self.flushed_seq:
                self._fdatasync(self._wal)
                with self._changed:
                    self.flushed_seq = seq
                    self._changed.notify_all()
                self._on_flushed(seq)
            if self._checkpoint_is_due():
                self._checkpoint()
        except Exception as error:  # a bug too: nothing would be flushed any more, and nobody would know
            with self._changed:
                self._failed = True
                self._changed.notify_all()
            self._on_problem("the disk did not take what was written", error)
            return False
        return True

    def _next(self) -> int | None:
        """The seq to flush up to, once there is one; None when all is flushed and the end has come."""
        with self._changed:
            self._changed.wait_for(lambda: self._written_seq > self.flushed_seq or self._stopping)
            return self._written_seq if self._written_seq > self.flushed_seq else None

    def _checkpoint_is_due(self) -> bool:
        with self._changed:
            awaited = self._written_seq > self.flushed_seq
            return self._wal_bytes >= CHECKPOINT_WAL_BYTES * (CHECKPOINT_OVERDUE if awaited else 1)

    def _checkpoint(self) -> None:
        with self._changed:
            copied_bytes = self._wal_bytes
        try:
            _, in_wal, copied = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            if not is_disk_full(error):
                raise
            # Nothing is lost: it stays in the WAL, which is flushed, and the next one may find room.
            self._on_problem("the disk is full: the write-ahead log cannot be emptied", None)
            in_wal, copied = 1, 0
        with self._changed:
            self._wal_bytes -= copied_bytes
        # Commits that came in meanwhile leave it unfinished; without a quiet moment only the writer can finish it.
        if copied == in_wal or in_wal * PAGE_BYTES >= CHECKPOINT_WAL_BYTES * CHECKPOINT_OVERDUE:
            self._on_checkpointed()
