"""A ledger on a real disk, and short ways to fill it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gate import config, wire
from gate.clock import SHIFT_START
from gate.ledger import Entry, Ledger
from gate.ledger.file import LedgerFile
from gate.model import EventKind, Fault, Flushed, Now, Record

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SOURCE = wire.source("kcn", "cong-1")
PATIENCE_S = 30.0


def now(seconds: float = 0.0) -> Now:
    """A moment of the shift."""
    return Now(SHIFT_START + timedelta(seconds=seconds), 1000.0 + seconds)


def record(kind: EventKind = EventKind.ACCESS_GRANTED, **data: Any) -> Record:
    """A record as the portal makes it."""
    return Record(kind, {"reader": "vao-1", "direction": "entry", **data})


def denial(reader: str = "vao-1", **data: Any) -> Record:
    """A refusal at one reader."""
    return Record(EventKind.ACCESS_DENIED, {"reader": reader, "reason": "EXPIRED", **data})


def entries(count: int, kind: EventKind = EventKind.ACCESS_GRANTED) -> list[Entry]:
    """`count` records of the same moment."""
    return [Entry(record(kind, n=n), now()) for n in range(count)]


class Said:
    """Hears what the ledger says, from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.flushed_seq = 0
        self.faults: list[Fault] = []

    def __call__(self, said: Flushed | Fault) -> None:
        with self._changed:
            if isinstance(said, Fault):
                self.faults.append(said)
            else:
                self.flushed_seq = said.up_to_seq
            self._changed.notify_all()

    def wait_fault(self) -> Fault:
        """The first fault, once there is one."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.faults, PATIENCE_S), "no fault was said"
            return self.faults[0]


def ledger_at(
    folder: Path, ring_events: int = 1000, say: Callable[[Flushed | Fault], None] | None = None, **more: Any,
) -> Ledger:
    """A ledger in `folder`, not yet started."""
    return Ledger(folder / "ledger.db", site="kcn", gate="cong-1", zone=ZONE,
                  settings=config.Ledger(ring_events=ring_events), say=say or Said(), **more)


def file_at(folder: Path, ring_events: int = 1000) -> LedgerFile:
    """The writing side alone, with no threads."""
    return LedgerFile(folder / "ledger.db", source=SOURCE, zone=ZONE, ring_events=ring_events)
