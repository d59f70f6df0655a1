"""Days of a busy gate in minutes: does it keep its size?

    python -m tests.proofs.soak --days 30

The real core on the real ledger, its threads and a real disk, in simulated time: people in and out, wrong codes, a
reader that comes and goes, documents each day, a lockdown each night, acknowledgements, and a ring that turns over many
times. A day of warm-up comes first: the ring fills, and the ledger stops and starts in each of the first
hours. Then resident memory, descriptors and threads are compared each hour.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from gate import config, model
from gate.clock import ManualClock
from gate.controller import Controller
from gate.drivers.fake import FakeBarrier
from gate.effector import Effector
from gate.inbox import Inbox
from gate.lane_settings import lane_of, view_of
from gate.ledger import Ledger
from gate.model import Direction, Mode
from gate.ports import NoFeed, Patience
from gate.reporter import Reporter, resident_kib

from .simulation.disk import ZONE
from .simulation.site import AREA, GATE, SITE, site

RING_EVENTS = 1000
DAY_H = 24
RESTARTS_H = 8
GROWTH_MAX_KIB = 1024
SCANS_AN_HOUR = 40


class Size(NamedTuple):
    """How big the process is."""

    resident_kib: int
    descriptors: int
    threads: int


def size() -> Size:
    """How big this process is now."""
    gc.collect()
    return Size(resident_kib(), len(list(Path("/proc/self/fd").iterdir())), threading.active_count())


class Gate:
    """A gate on a folder, in time that is turned by hand."""

    def __init__(self, folder: Path) -> None:
        self.rng = Random(1)
        self.clock = ManualClock()
        self.inbox = Inbox()
        self.folder = folder
        self.barrier = FakeBarrier(lambda: self.clock.mono)
        self.mode = Mode.NORMAL
        self.start()

    def start(self) -> None:
        """Open the ledger, and put a core on it."""
        self.ledger = Ledger(self.folder / "ledger.db", site=SITE, gate=GATE, zone=ZONE,
                             settings=config.Ledger(ring_events=RING_EVENTS), say=self.inbox.put)
        self.ledger.start()
        place = config.Site(id=SITE, area=AREA, token_key_file=Path("none"))
        view = replace(view_of(config.Admission(), place, frozenset({"keys"})), documents=site().documents[0])
        reporter = Reporter(lane=lambda: self.controller.lane, ledger=self.ledger, voice=None, inbox=self.inbox,
                            readers={}, stuck=lambda now: [], began=self.clock.now())
        self.controller = Controller(
            clock=self.clock, view=view, lane=lane_of(config.Portal(), 2.0, sensor=True),
            hands=Effector(self.ledger, self.barrier, (), NoFeed(), Patience()), each_turn=(reporter.report,))

    def tell(self, *stimuli: model.Stimulus) -> None:
        """Let the core take these and whatever the ledger has said."""
        for stimulus in stimuli:
            self.inbox.put(stimulus)
        while (stimulus := self.inbox.take(0)) is not None:
            self.controller.turn(stimulus, self.clock.now())

    def scan(self) -> None:
        """Somebody scans, goes through, and the lane comes to rest."""
        reader = self.rng.choice(("in", "in", "keys", "out"))
        codes = site().bad if self.rng.random() < 0.1 else [payload for payload, _ in site().good]
        direction = Direction.EXIT if reader == "out" else Direction.ENTRY
        self.tell(model.Scan(reader, direction, self.rng.choice(codes), self.clock.mono))
        for level in (True, False):
            self.clock.advance(1.0)
            if self.barrier.released() or not level:
                self.tell(model.Contact("passage", level))
        self.barrier._moves.clear()
        self.clock.advance(3600 / SCANS_AN_HOUR - 2)
        self.tell(model.Tick())

    def hour(self, number: int) -> None:
        """One hour, with what belongs to it."""
        if number % DAY_H == 22:
            self.tell(model.SetMode(Mode.LOCKDOWN, "operator", "night"))
        if number % DAY_H == 4:
            documents = site().documents[number // DAY_H % 3]
            self.tell(model.SetMode(Mode.NORMAL, "operator", "morning"),
                      model.Documents(documents, dict(documents.versions)))
        if number % 6 == 0:
            self.tell(model.ReaderState("in", False), model.ReaderState("in", True))
        for _ in range(SCANS_AN_HOUR):
            self.scan()
        self.ledger.flushed(self.ledger.written_seq, 10.0)
        self.ledger.delivered(self.ledger.epoch, self.ledger.flushed_seq)
        if number < RESTARTS_H:
            self.ledger.stop()
            self.start()


def soak(days: int) -> tuple[list[Size], int]:
    """The size after the warm-up and after each hour since, and how many events there were."""
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        gate = Gate(Path(folder))
        for number in range(DAY_H * (1 + days)):
            gate.hour(number)
            if number >= DAY_H - 1:
                sizes.append(size())
        events = gate.ledger.written_seq
        gate.ledger.stop()
    return sizes, events


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, and compare; 1 when anything grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    sizes, events = soak(chosen.days)
    warm, *after = sizes
    grown_kib = max(each.resident_kib for each in after) - warm.resident_kib
    more = {name: max(getattr(each, name) for each in after) - getattr(warm, name)
            for name in ("descriptors", "threads")}
    print(f"{chosen.days} days, {events} events, {time.monotonic() - began:.0f} s; warmed up: "
          f"{warm.resident_kib} KiB resident, {warm.descriptors} descriptors, {warm.threads} threads; "
          f"since then at most {grown_kib:+} KiB, {more['descriptors']:+} descriptors, {more['threads']:+} threads")
    return grown_kib > GROWTH_MAX_KIB or any(number > 0 for number in more.values())


if __name__ == "__main__":
    sys.exit(main())
