"""SIGKILL at random moments, with pins that keep their levels as a Pi's do: releases end, and the gate decides again.

    python -m tests.proofs.kills --kills 2000 --lanes 2 [--seed 1]

Each gate is a daemon of its own under a supervisor that does what systemd/gate.service says: once the daemon is dead,
ExecStopPost=, and then ExecStart= again. It is killed while it starts, at a scan, during a release, and later; one time
in four its guardian is killed before it, as when the kernel ends the whole unit for want of memory. Timed are the kill
to the last lock's safe level, and the order to start to the first release; RestartSec= lies between the two, and is
not waited for here.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from gate.demo.parts import free_port, wait_for
from gate.demo.site import ENTRY_PIN, EXIT_PIN, DemoSite, make_site
from tests.support_gate import (
    PATIENCE_S,
    Gate,
    Pulse,
    amend,
    assert_every_pulse_has_its_record,
    copy_site,
    readers_of,
)

from .pin_changes import Change, Pins

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "gate.service"
PROGRAM, CONFIG = "/opt/gate/bin/gate", "/etc/gate/%N.yaml"
PULSE_S = 0.4
AT_A_SCAN_S = 0.03
"""Within this time a scan is read, judged, recorded, and moves the relay."""
LOCKS = (ENTRY_PIN, EXIT_PIN)
GUARDED_MAX_S = 0.25
"""From a kill to the safe level, where the guardian lives."""
SECURED_MAX_S = 2.0
"""The same by ExecStopPost= alone: a program is started for it."""
DECIDES_MAX_S = 2.0
SCANS = {"scanner-in": ("an-pass", "binh-cccd", "an-qr"), "scanner-out": ("chi-cccd", "dung-cccd")}
FAULTS = ("locks left released", "other outputs left on", "releases that ended late", "decisions that came late")


@dataclass
class Tally:
    """What came of the kills."""

    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(FAULTS, 0)))
    guarded_s: list[float] = field(default_factory=list)
    """From a kill during a release to the safe level of the last lock."""
    secured_s: list[float] = field(default_factory=list)
    """The same where the guardian was killed too."""
    decides_s: list[float] = field(default_factory=list)
    """From the order to start to the rise of the relay for the first person."""

    def add(self, other: Tally) -> None:
        """Take in another lane's."""
        self.counts.update(other.counts)
        self.guarded_s += other.guarded_s
        self.secured_s += other.secured_s
        self.decides_s += other.decides_s


def stop_post(config: Path) -> list[list[str]]:
    """The commands that systemd runs when the daemon is dead, with our program and config."""
    lines = re.findall(r"^ExecStopPost=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    words = {PROGRAM: [sys.executable, "-m", "gate"], CONFIG: [str(config)]}
    return [[part for word in shlex.split(line) for part in words.get(word, [word])] for line in lines]


class Lane:
    """A gate that is killed again and again; `rng` says when."""

    def __init__(self, site: DemoSite, rng: Random, after_death: Sequence[Sequence[str]],
                 unguarded: float = 0.25) -> None:
        readers = [reader | {"repeat_s": 0} for reader in readers_of(site, "serial")]
        amend(site, readers=readers, portal={"pulse_s": PULSE_S}, mqtt=None)
        self.gate, self.pins = Gate(site), Pins(site.folder / "pins.trace")
        self.rng, self.after_death, self.unguarded = rng, after_death, unguarded
        self.tally = Tally()
        self.start_s = 0.5
        self.known_seq = self.known_changes = 0

    def kill_often(self, kills: int, until_mono: float = float("inf")) -> Tally:
        """Let it live and die so many times, as far as there is time, and once more live."""
        try:
            while self.tally.counts["kills"] < kills and time.monotonic() < until_mono:
                self.live()
                self.die()
            self.live()
        finally:
            self.gate.close()
        return self.tally

    def live(self) -> None:
        """Start, serve somebody, and go on to a moment of chance."""
        if self.rng.random() < 0.1:
            self.tally.counts["kills while it started"] += 1
            self.gate.launch()
            time.sleep(self.rng.uniform(0, self.start_s))
            return
        ordered_mono = time.monotonic()
        self.gate.start()
        self.start_s = time.monotonic() - ordered_mono
        self.check_records()
        before = self.pins.look()
        self.scan()
        wait_for("the first release", lambda: self.rise_after(before), PATIENCE_S)
        rise = self.rise_after(before)
        assert rise is not None
        took_s = rise.at_mono - ordered_mono
        self.tally.decides_s.append(took_s)
        self.tally.counts["decisions that came late"] += took_s > DECIDES_MAX_S
        self.go_on()

    def go_on(self) -> None:
        """Let time pass, or somebody else come."""
        moment = self.rng.choices(("at a scan", "during a release", "later"), (1, 3, 1))[0]
        self.tally.counts[f"kills {moment}"] += 1
        match moment:
            case "at a scan":
                time.sleep(self.rng.uniform(0, 2 * PULSE_S))
                self.scan()
                time.sleep(self.rng.uniform(0, AT_A_SCAN_S))
            case "during a release":
                time.sleep(self.rng.uniform(0, PULSE_S))
            case _:
                time.sleep(self.rng.uniform(PULSE_S, 2 * PULSE_S))

    def scan(self) -> None:
        """Somebody holds a code up, to go in or out."""
        reader = self.rng.choice(list(SCANS))
        self.gate.scan(reader, self.rng.choice(SCANS[reader]))

    def rise_after(self, known: int) -> Change | None:
        """The first rise of a lock's pin after so many changes."""
        return next((change for change in self.pins.since(known, *LOCKS) if change.high), None)

    def die(self) -> None:
        """Kill it, do what systemd does, and see what the pins hold before it is started again."""
        guarded = self.rng.random() >= self.unguarded
        guardians = self.gate.children("gate.drivers.release_guardian")
        for guardian in () if guarded else guardians:
            os.kill(guardian, signal.SIGKILL)
        killed_mono = time.monotonic()
        self.gate.kill()
        for guardian in guardians:  # systemd waits for the whole unit's end as well
            wait_for("the guardian's end", partial(gone, guardian), PATIENCE_S)
        for command in self.after_death:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.tally.counts["kills"] += 1
        self.tally.counts["kills of the guardian too"] += not guarded
        self.tally.counts["locks left released"] += bool(self.pins.on(*LOCKS))
        self.tally.counts["other outputs left on"] += bool(self.pins.on() - set(LOCKS))
        ended = [change.at_mono - killed_mono for change in self.pins.changes
                 if change.pin in LOCKS and not change.high and change.at_mono > killed_mono]
        if ended and not self.pins.on(*LOCKS):
            bound_s, taken_s = ((GUARDED_MAX_S, self.tally.guarded_s) if guarded and guardians
                                else (SECURED_MAX_S, self.tally.secured_s))
            taken_s.append(max(ended))
            self.tally.counts["releases that ended late"] += max(ended) > bound_s

    def check_records(self) -> None:
        """Each release of the run before has its record, now that the ledger has taken in the noted ways out."""
        changes, self.known_changes = self.pins.changes[self.known_changes:], self.pins.look()
        pulses = [Pulse(change.at_mono, change.pin) for change in changes if change.high]
        assert_every_pulse_has_its_record(pulses, self.gate.events(after_seq=self.known_seq))
        self.known_seq = self.gate.last_seq()
        self.tally.counts["releases, each with its record"] += sum(pulse.pin in LOCKS for pulse in pulses)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextmanager
def sites(count: int) -> Iterator[list[DemoSite]]:
    """So many sites in a folder that goes with them."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_site(Path(folder) / "made", free_port(), lambda text: None)
        yield [copy_site(made, Path(folder) / str(number)) for number in range(count)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, and count; 1 when a release did not end, or something came late."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="kill no longer")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    tally, began_mono = Tally(), time.monotonic()
    with sites(chosen.lanes) as made, ThreadPoolExecutor(chosen.lanes) as pool:
        lanes = [Lane(site, Random(chosen.seed + number), stop_post(site.config)) for number, site in enumerate(made)]
        until_mono = began_mono + 60 * chosen.minutes
        for each in pool.map(lambda lane: lane.kill_often(chosen.kills // chosen.lanes, until_mono), lanes):
            tally.add(each)
    print(f"{time.monotonic() - began_mono:.0f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name in (*FAULTS, *sorted(set(tally.counts) - set(FAULTS))):
        print(f"{name}: {tally.counts[name]}")
    for name, taken_s in (("kill to safe", tally.guarded_s),
                          ("kill to safe, the guardian killed too", tally.secured_s),
                          ("order to start to first release", tally.decides_s)):
        ordered = sorted(taken_s)
        if not ordered:
            continue
        p50, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
        print(f"{name}: p50 {p50:.3f} s, p99 {p99:.3f} s, max {ordered[-1]:.3f} s, of {len(ordered)}")
    return any(tally.counts[name] for name in FAULTS)


if __name__ == "__main__":
    sys.exit(main())
