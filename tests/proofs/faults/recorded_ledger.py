"""A ledger that is recorded while it works, and what each state that a power cut may leave of it must keep."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from gate import config
from gate.clock import SHIFT_START
from gate.ledger import FILE_NAME, Ledger, LedgerReader, flusher
from gate.model import EventKind, Fault, Flushed, Now, Record

from .recorded import BrokenError, play
from .shim import Shim, operations

SITE, GATE = "kcn", "cong-1"
RING_EVENTS = 150
LIVES = 3
STEPS_A_LIFE = 25
CHECKPOINT_BYTES = 12 * 1024
"""So small that every run sees many checkpoints and restarts of the WAL."""
KINDS = (EventKind.ACCESS_GRANTED, EventKind.ACCESS_DENIED, EventKind.ACCESS_TAKEN)
PATIENCE_S = 30.0


def ledger_in(folder: Path, say: Callable[[Flushed | Fault], None] = lambda said: None, **more: Any) -> Ledger:
    """The ledger of a folder, not yet started."""
    return Ledger(folder / FILE_NAME, site=SITE, gate=GATE, zone=ZoneInfo("Asia/Ho_Chi_Minh"),
                  settings=config.Ledger(ring_events=RING_EVENTS), say=say, **more)


def moment(step: int) -> Now:
    """A moment of the shift."""
    return Now(SHIFT_START + timedelta(seconds=step), float(step))


def live(folder: Path, seed: int, life: int, unflushed: bool) -> None:
    """One life of the recorded process: it appends, waits, is acknowledged; it ends in peace or in the middle."""
    shim, rng = Shim(), Random(f"{seed} {life}")
    flusher.CHECKPOINT_WAL_BYTES = CHECKPOINT_BYTES

    def say(said: Flushed | Fault) -> None:
        if isinstance(said, Fault):
            os._exit(3)
        shim.mark(f"flushed {said.up_to_seq}")

    ledger = ledger_in(folder, say, **({"fdatasync": lambda descriptor: None} if unflushed else {}))
    ledger.start()
    shim.mark(f"epoch {ledger.epoch}")
    reader, seen_seq = LedgerReader(ledger.path), 0

    def look() -> int:
        nonlocal seen_seq
        for row in reader.rows_after(seen_seq, 1000):
            shim.mark(f"row {row.seq} {row.hash.hex()}")
            seen_seq = row.seq
        return seen_seq

    for step in range(STEPS_A_LIFE):
        kinds = rng.choices(KINDS, k=rng.choice((1, 1, 2, 5)))
        state = {"step": str(step).encode() * rng.choice((1, 500))} if rng.random() < 0.2 else None
        ticket = ledger.append([Record(kind, {"text": "x" * rng.randrange(rng.choice((30, 900)))}) for kind in kinds],
                               moment(step), state=state, way_out=rng.random() < 0.3)
        if rng.random() < 0.7:
            ticket.wait(PATIENCE_S)
            look()
        if rng.random() < 0.5 and ticket.wait(PATIENCE_S):
            ledger.flushed(ticket.last_seq, PATIENCE_S)
        if rng.random() < 0.4:
            up_to_seq = min(ledger.flushed_seq, look())
            shim.mark(f"acknowledged {up_to_seq}")
            ledger.delivered(ledger.epoch, up_to_seq)
    look()
    if rng.random() < 0.4:
        ledger.stop()
        look()
    os._exit(0)


@dataclass
class LedgerRun:
    """What the recorded process said up to some point, and whether a state keeps it."""

    epoch: str = ""
    flushed_seq: int = 0
    acknowledged_seq: int = 0
    hashes: dict[int, bytes] = field(default_factory=dict)

    def hear(self, mark: str) -> None:
        what, *rest = mark.split()
        match what:
            case "epoch":
                self.epoch = rest[0]
            case "flushed":
                self.flushed_seq = int(rest[0])
            case "acknowledged":
                self.acknowledged_seq = int(rest[0])

    @property
    def promised(self) -> object:
        """What a state must keep here; the same state twice is new only when this is."""
        return self.epoch, self.flushed_seq, self.acknowledged_seq

    def check(self, folder: Path, whole: bool) -> None:
        """Recover the ledger in `folder`, and look at it.

        Raises:
            BrokenError: it is not as promised.
        """
        ledger = ledger_in(folder)
        if whole:
            self._start_and_go_on(folder)
        else:
            ledger._open_file().close()
            if ledger.damaged_copy is not None:
                raise BrokenError("it was found damaged, and set aside")
        reader = LedgerReader(ledger.path)
        try:
            proof = reader.prove()
            anchor_seq = reader._meta("anchor_seq", int)
            hashes = {row.seq: bytes(row.hash) for row in reader.all_rows()}
            epoch = reader.epoch
        finally:
            reader.close()
        if proof.bad_seq is not None or proof.lost:
            raise BrokenError(f"event {proof.bad_seq}: {proof.problem}")
        if not self.flushed_seq:
            return
        if epoch != self.epoch:
            raise BrokenError("another ledger began, and flushed rows are gone")
        if anchor_seq > self.acknowledged_seq:
            raise BrokenError(f"pruned up to {anchor_seq}, acknowledged up to {self.acknowledged_seq}")
        for seq in range(anchor_seq + 1, self.flushed_seq + 1):
            if hashes.get(seq) != self.hashes[seq]:
                raise BrokenError(f"event {seq} was flushed (up to {self.flushed_seq}) and is lost")

    def _start_and_go_on(self, folder: Path) -> None:
        faults: list[Fault] = []
        ledger = ledger_in(folder, lambda said: faults.append(said) if isinstance(said, Fault) else None)
        ledger.start()
        try:
            if ledger.damaged_copy is not None:
                raise BrokenError("it was found damaged, and set aside")
            ticket = ledger.append([Record(EventKind.GATE_STARTED)], moment(0))
            if not (ticket.wait(PATIENCE_S) and ledger.flushed(ticket.last_seq, PATIENCE_S)) or faults:
                raise BrokenError(f"it takes no more: {faults}")
        finally:
            ledger.stop()


def record_ledger(folder: Path, seed: int, sabotaged: bool) -> tuple[Path, LedgerRun]:
    """Let a ledger live through `LIVES` lives; the record, and what it should have kept."""
    state, log = folder / "state", folder / "log"
    state.mkdir()
    for life in range(LIVES):
        play(state, log, "recorded_ledger", state, seed, life, sabotaged)
    run = LedgerRun()
    for operation in operations(log):
        if operation.kind == "K" and operation.data.startswith(b"row "):
            _, seq, row_hash = operation.data.decode().split()
            run.hashes[int(seq)] = bytes.fromhex(row_hash)
    return log, run


if __name__ == "__main__":
    live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True")
