"""Ninety days without a network, then all of it delivered, while people go on coming: does anybody wait longer?

    python -m tests.proofs.backlog --events 1000000

The ledger is filled in simulated time; the daemon on it, the broker and the recorder are real. The broker is frozen and
thawed in turn, so that the scans while the backlog drains and those at rest share one run and its moods. Timed is the
end of a scanner's line to the rise of the relay's pin. Broker and recorder stand back for the gate (nice 10): where
there are gates they run on another machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from statistics import median as p50
from zoneinfo import ZoneInfo

from gate import config
from gate.clock import ManualClock
from gate.demo.parts import free_port, wait_for
from gate.demo.site import ENTRY_PIN, GATE, SITE, DemoSite, make_site
from gate.ledger import Ledger
from gate.model import EventKind, Record
from tests.support_gate import PATIENCE_S, Centre, Gate, amend, readers_of

from .pin_changes import Pins

OFFLINE = timedelta(days=90)
PASSAGE = (
    Record(EventKind.ACCESS_GRANTED, {"reader": "scanner-in", "direction": "entry", "reason": "GRANTED", "bacnet": 1,
                                      "format": "gp1", "proof": "signed", "holder": "0" * 32}),
    Record(EventKind.ACCESS_TAKEN, {"direction": "entry", "reader": "scanner-in", "holder": "0" * 32}),
    Record(EventKind.ACCESS_DENIED, {"reader": "scanner-in", "direction": "entry", "reason": "EXPIRED", "bacnet": 152,
                                     "format": "gp1", "proof": "signed"}),
)
"""What the backlog is made of, over and over."""
APPENDS_WAITING_MAX = 1000
PULSE_S = 0.01
LAST_BYTE_AFTER_S = 0.004
"""A code's end reaches the gate apart from its rest, as on a real line."""
SCANS_A_TURN = 20
SETTLE_S = 0.1
"""After so long a frozen broker has stopped the drain."""
STANDS_BACK = 10
RATIO_MAX = 1.1


@dataclass
class Story:
    """What was seen."""

    filled_s: float = 0.0
    drained_s: float = 0.0
    events: int = 0
    """Those of the backlog, and those of the scans meanwhile."""
    draining_s: list[float] = field(default_factory=list)
    resting_s: list[float] = field(default_factory=list)
    difference: object = None
    """The first event that the recorder has not once and as the gate has it: None when there is none."""
    late: int = 0
    """Events that came after later ones: something before those was lost on the way, and the gate sent it again."""

    @property
    def ratio(self) -> float:
        """How much longer the slowest in a hundred waits while the backlog drains."""
        return p99(self.draining_s) / p99(self.resting_s)


def p99(samples: Sequence[float]) -> float:
    """The value that one sample in a hundred exceeds."""
    return sorted(samples)[max(0, -(-len(samples) * 99 // 100) - 1)]


def fill(path: Path, events: int, ring_events: int) -> None:
    """Let a ledger keep so many events of the last ninety days."""
    clock = ManualClock(datetime.now(UTC) - OFFLINE)
    ledger = Ledger(path, site=SITE, gate=GATE, zone=ZoneInfo("Asia/Ho_Chi_Minh"),
                    settings=config.Ledger(ring_events=ring_events), say=lambda said: None)
    path.parent.mkdir(exist_ok=True)
    ledger.start()
    for number in range(events):
        clock.advance(OFFLINE.total_seconds() / events)
        ticket = ledger.append(PASSAGE[number % len(PASSAGE):][:1], clock.now())
        if number % APPENDS_WAITING_MAX == 0 or number == events - 1:
            assert ticket.wait(PATIENCE_S), "the ledger does not write"
    ledger.stop()


class Backlog:
    """A gate with its backlog, and its centre."""

    def __init__(self, site: DemoSite, events: int) -> None:
        ring_events = max(1000, events + events // 10)
        readers = [reader | {"repeat_s": 0} for reader in readers_of(site, "serial")]
        amend(site, readers=readers, portal={"pulse_s": PULSE_S}, indicators=[], ledger={
            "ring_events": ring_events, "write_max_ms": 2_000, "flush_max_ms": 10_000,  # a stall is a late pin here
        })
        self.gate, self.centre, self.pins = Gate(site), Centre(site), Pins(site.folder / "pins.trace")
        self.code = site.codes["binh-cccd"].encode()
        self.backlog = events
        self.story = Story()
        began_mono = time.monotonic()
        fill(self.gate.ledger, events, ring_events)
        self.story.filled_s = time.monotonic() - began_mono

    def deliver(self) -> Story:
        """Bring the broker back, and scan until the recorder has everything."""
        try:
            self.centre.start()
            self.let_queue()
            self.freeze()
            for process in self.centre.parts.processes.values():
                for thread in Path(f"/proc/{process.pid}/task").iterdir():
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), STANDS_BACK)
            self.gate.start()
            self.scan()
            while self.gate.acked_seq() < self.backlog:
                self.take_turns()
            self.thaw()
            wait_for("the last event's acknowledgement", lambda: self.gate.acked_seq() >= self.gate.last_seq(),
                     PATIENCE_S)
            self.story.events = self.gate.last_seq()
            self.compare()
        finally:
            self.thaw()
            self.gate.close()
            self.centre.close()
        return self.story

    def take_turns(self) -> None:
        """Some scans while nothing leaves the gate, and as many while the backlog drains."""
        resting_s = [self.scan() for _ in range(SCANS_A_TURN)]
        acked_seq, began_mono = self.gate.acked_seq(), time.monotonic()
        self.thaw()
        wait_for("the first acknowledgement", lambda: self.gate.acked_seq() > acked_seq, PATIENCE_S)
        draining_s = [self.scan() for _ in range(SCANS_A_TURN)]
        self.story.drained_s += time.monotonic() - began_mono
        if self.gate.acked_seq() < self.backlog:
            self.story.resting_s += resting_s
            self.story.draining_s += draining_s
            self.freeze()
            time.sleep(SETTLE_S)

    def scan(self) -> float:
        """Hold a code to the scanner: seconds from the end of its line to the rise of the pin."""
        known, line = self.pins.look(), self.gate.lines["scanner-in"]
        line.send(self.code)
        time.sleep(LAST_BYTE_AFTER_S)
        ended_mono = time.monotonic()
        line.send(b"\r\n")
        until_mono = ended_mono + PATIENCE_S
        while len(moves := self.pins.since(known, ENTRY_PIN)) < 2:
            assert time.monotonic() < until_mono, f"the pin did not move:\n{self.gate.log()}"
            time.sleep(0.002)
        return moves[0].at_mono - ended_mono

    def freeze(self) -> None:
        """Stop the broker in the middle of whatever it does."""
        self.centre.parts.processes["broker"].send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if "broker" in self.centre.parts.processes:
            self.centre.parts.processes["broker"].send_signal(signal.SIGCONT)

    def let_queue(self) -> None:
        """Let the broker keep as much for the recorder as docs/mqtt.md advises."""
        with (self.gate.site.folder / "mosquitto.conf").open("a") as broker_config:
            broker_config.write("max_queued_messages 10000\n")
        self.centre.parts.processes["broker"].send_signal(signal.SIGHUP)

    def compare(self) -> None:
        """See whether every event came once, in order, and as it was written."""
        (found,) = self.gate.site.gate("central", "recorder", "--check", "--db", self.gate.site.database, "--json")
        central = self.gate.site.folder / "central.db"
        with closing(sqlite3.connect(self.gate.ledger)) as ours, closing(sqlite3.connect(central)) as theirs:
            row = "SELECT seq, hash FROM event ORDER BY seq"
            pairs = zip_longest(ours.execute(row), theirs.execute(row))
            differing = next((pair for pair in pairs if pair[0] != pair[1]), None)
            self.story.difference = differing if found["whole"] else found
            (self.story.late,) = theirs.execute(
                "SELECT count(*) FROM (SELECT seq, max(seq) OVER (ORDER BY id) AS top FROM event) WHERE seq < top",
            ).fetchone()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill, deliver, and compare; 1 when the recorder lacks something, or people waited."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        story = Backlog(make_site(Path(folder), free_port(), lambda text: None), chosen.events).deliver()
    print(f"{chosen.events} events of {OFFLINE.days} days filled in {story.filled_s:.0f} s, drained in "
          f"{story.drained_s:.0f} s; {story.events} at the recorder, each once, in one whole chain: "
          f"{story.difference is None}; {story.late} of them after later ones; "
          f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, taken_s in (("at rest", story.resting_s), ("draining", story.draining_s)):
        print(f"scan to relay {name}: p50 {1e3 * p50(taken_s):.2f} ms, p99 {1e3 * p99(taken_s):.2f} ms, "
              f"of {len(taken_s)}")
    print(f"p99 draining against at rest: {story.ratio:.2f} (limit {RATIO_MAX})")
    if story.difference is not None:
        print(f"first difference: {story.difference}")
    return story.difference is not None or story.ratio > RATIO_MAX


if __name__ == "__main__":
    sys.exit(main())
