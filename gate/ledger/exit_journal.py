"""Records of ways out, kept in shared memory until the ledger has them: a way out waits for nothing (law 1).

A store into a mapped file survives the death of the process, and costs microseconds. The file lies in
/dev/shm and not beside the ledger, because a store into a page that the kernel is just writing to a stalled disk
would wait for that disk. A power cut takes it: against that, only the ledger's flush helps.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import secrets
import stat
import struct
import zlib
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from gate.errors import StoreError
from gate.model import EventKind, Record
from gate.strict_json import NOT_IN_FORM

SLOTS = 128
SLOT_BYTES = 2048
FOLDER = Path("/dev/shm")  # noqa: S108  (memory that other users cannot read: the file is 0600 and must be ours)
_HEADER = struct.Struct("<II")  # length, CRC-32; length 0 is a free slot, and is stored last


class Note(msgspec.Struct, frozen=True):
    """What one slot holds; `epoch` names the ledger that was to take it, `number` its place among all notes."""

    id: str
    number: int
    epoch: str
    at: datetime
    synced: bool
    records: list[tuple[EventKind, dict[str, object]]]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Note)


def journal_path(ledger_path: Path) -> Path:
    """Where the journal of this ledger lies: one file for each ledger, wherever that is."""
    return FOLDER / f"gate-exits-{hashlib.sha256(bytes(ledger_path.resolve())).hexdigest()[:16]}"


class ExitJournal:
    """`SLOTS` notes at most; when all are taken, or a note is too long, a way out goes without one."""

    def __init__(self, path: Path) -> None:
        """Open or make the journal.

        Raises:
            StoreError: the file cannot be made, or somebody else has put one there.
        """
        self.path = path
        self.unnoted = 0
        """How many ways out went without a note."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                    raise StoreError(f"{path} belongs to somebody else: remove it, then start the gate again")
                # Backed now, so that a full memory shows here and not as a signal at the first way out.
                os.posix_fallocate(descriptor, 0, SLOTS * SLOT_BYTES)
                self._map = mmap.mmap(descriptor, SLOTS * SLOT_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"{path}: the journal of exits cannot be opened ({error.strerror}); "
                             "is /dev/shm there and writable?") from error
        self._free = deque(range(SLOTS))
        self._noted = 0

    def pending(self) -> list[Note]:
        """The notes that an earlier run left, in its order whatever its clock did; damaged ones are passed over."""
        notes = [note for slot in range(SLOTS) if (note := self._read(slot)) is not None]
        return sorted(notes, key=lambda note: note.number)

    def clear_all(self) -> None:
        """Forget every note."""
        self._map[:] = bytes(len(self._map))

    def note(self, epoch: str, records: Sequence[Record], at: datetime, synced: bool) -> tuple[int, str] | None:
        """Keep `records`: the slot and the note's random id, or None when there is no room. Never blocks."""
        note_id = secrets.token_hex(8)
        self._noted += 1
        rows = [(record.kind, record.data) for record in records]
        body = _encoder.encode(Note(note_id, self._noted, epoch, at, synced, rows))
        if len(body) > SLOT_BYTES - _HEADER.size or not self._free:
            self.unnoted += 1
            return None
        slot = self._free.popleft()
        start = slot * SLOT_BYTES
        self._map[start + _HEADER.size:start + _HEADER.size + len(body)] = body
        self._map[start:start + _HEADER.size] = _HEADER.pack(len(body), zlib.crc32(body))
        return slot, note_id

    def clear(self, slot: int) -> None:
        """The ledger has what stands in `slot`."""
        self._map[slot * SLOT_BYTES:slot * SLOT_BYTES + _HEADER.size] = bytes(_HEADER.size)
        self._free.append(slot)

    def close(self) -> None:
        """Close the journal, and remove it when it holds nothing: no note of this run, nor of one before."""
        empty = len(self._free) == SLOTS and not self.pending()
        self._map.close()
        if empty:
            self.path.unlink(missing_ok=True)

    def _read(self, slot: int) -> Note | None:
        start = slot * SLOT_BYTES
        length, checksum = _HEADER.unpack_from(self._map, start)
        body = self._map[start + _HEADER.size:start + min(_HEADER.size + length, SLOT_BYTES)]
        if length == 0 or len(body) != length or zlib.crc32(body) != checksum:
            return None
        try:
            return _decoder.decode(body)
        except NOT_IN_FORM:
            return None
