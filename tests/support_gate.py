"""A whole site in a folder, and a real daemon in it: its readers, pins, ledger and centre in a test's hands."""

from __future__ import annotations

import array
import fcntl
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import segno
from ruamel.yaml import YAML
from sqlalchemy import func, select

from gate import wire
from gate.central.db import models as table
from gate.central.db import open_database, reading
from gate.demo.parts import Parts, free_port, wait_for
from gate.demo.site import CONFIG, ENTRY_PIN, EXIT_PIN, GATE, SITE, DemoSite
from gate.drivers.pin_trace import levels
from gate.errors import StoreError
from gate.ledger import FILE_NAME, LedgerReader, Row
from gate.model import EventKind

PATIENCE_S = 60.0
ENDINGS = {"keypad-in": b"#"}
RED_PIN = 23
EVENTS_MAX = 1_000_000
CONNECTED = "connected to the broker"
"""What the recorder prints as it subscribes."""
CLOCK_GRAIN_S = 0.002
"""Events tell milliseconds, and the two clocks of a machine may part a little within a run."""


def copy_site(made: DemoSite, folder: Path) -> DemoSite:
    """A site of its own in `folder`, with the keys, people and documents of `made`."""
    shutil.copytree(made.folder, folder, symlinks=True)
    site = DemoSite(folder, free_port(), dict(made.codes))
    site.config.write_text(CONFIG.format(
        site=SITE, gate=GATE, folder=folder, broker_port=site.broker_port, entry_pin=ENTRY_PIN, exit_pin=EXIT_PIN))
    return site


def amend(site: DemoSite, **sections: Any) -> None:
    """Change the gate's config: keys of a section are merged, lists are replaced, None removes a section."""
    config = YAML(typ="safe").load(site.config)
    for name, section in sections.items():
        if section is None:
            config.pop(name, None)
        else:
            config[name] = {**config.get(name, {}), **section} if isinstance(section, dict) else section
    site.config.write_text(json.dumps(config, default=str))  # JSON is YAML


def readers_of(site: DemoSite, *drivers: str) -> list[dict[str, Any]]:
    """The readers in the gate's config that have these drivers (none named: all)."""
    readers: list[dict[str, Any]] = YAML(typ="safe").load(site.config)["readers"]
    return [reader for reader in readers if not drivers or reader["driver"] in drivers]


class Line:
    """The far end of a reader's pseudo-terminal, which can be pulled out and put back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master = self._slave = -1

    def plug(self) -> None:
        """Put the device there."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        """Pull the device out: whoever reads it hears so."""
        if self._master >= 0:
            self.path.unlink()
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = -1

    def send(self, data: bytes) -> None:
        """Let the device say `data`."""
        while data:
            data = data[os.write(self._master, data):]

    def unread(self) -> int:
        """How many bytes the daemon has not taken yet."""
        count = array.array("i", [0])
        fcntl.ioctl(self._slave, termios.FIONREAD, count)
        return count[0]

    def mark(self) -> None:
        """Leave an empty code there, which a reader that opens the device sweeps away: `wait_opened`."""
        if not self.unread():
            self.send(b"\n")
            wait_for("the mark on the line", lambda: self.unread() > 0)

    def wait_opened(self) -> None:
        """Wait until a reader has opened the device, so that nothing sent from now on is swept away."""
        wait_for(f"a reader at {self.path.name}", lambda: self.unread() == 0, PATIENCE_S)


class Pulse(NamedTuple):
    """One rise of an output, at a monotonic second."""

    at_mono: float
    pin: int


class Gate:
    """A daemon of its own process, in the site's folder; behind each scanner and keypad of its config, a `Line`."""

    def __init__(self, site: DemoSite) -> None:
        self.site = site
        self.lines = {reader["name"]: Line(site.folder / "dev" / reader["name"])
                      for reader in readers_of(site) if reader["driver"] != "camera"}
        self.ledger = site.folder / "state" / FILE_NAME
        self.trace = site.folder / "pins.trace"
        self._process: subprocess.Popen[bytes] | None = None
        self._shown = 0
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(site.folder / "notify"))
        self._notices.settimeout(0.1)
        for line in self.lines.values():
            line.plug()

    # --- life and death ---

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Gate:
        """Start the daemon, and return once it is ready and its readers hear."""
        for line in self.lines.values():
            line.mark()
        self.launch()
        self.wait_ready()
        for line in self.lines.values():
            line.wait_opened()
        return self

    def launch(self) -> None:
        """Start the daemon, and do not wait for it."""
        with (self.site.folder / "log" / "gate.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gate", "run", "--config", str(self.site.config)],
                env=os.environ | {"NOTIFY_SOCKET": str(self.site.folder / "notify")},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Wait until the daemon says so, as systemd would."""
        def ready() -> bool:
            assert self.alive(), f"the gate ended at its start:\n{self.log()}"
            with suppress(TimeoutError):
                return self._notices.recv(4096) == b"READY=1"
            return False

        wait_for("the gate", ready, PATIENCE_S)

    def alive(self) -> bool:
        """Whether the daemon runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: nothing in the daemon gets to run any more."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def children(self, module: str) -> list[int]:
        """The processes that its own processes run this module in."""
        assert self._process is not None
        found = []
        for task in Path(f"/proc/{self._process.pid}/task").glob("*/children"):
            found += [int(pid) for pid in task.read_text().split()
                      if module in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it in peace; the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """End everything, whatever state it is in."""
        if self.alive():
            self.kill()
        for line in self.lines.values():
            line.unplug()
        self._notices.close()

    # --- what a person does ---

    def scan(self, reader: str, code: str) -> None:
        """Hold a code to a reader: one of the site's by its name, or any text."""
        self.send(reader, self.site.codes.get(code, code).encode())

    def send(self, reader: str, payload: bytes) -> None:
        """Let a scanner or keypad read `payload`."""
        self.lines[reader].send(payload + ENDINGS.get(reader, b"\r\n"))

    def show(self, code: str) -> None:
        """Hold a code before the camera, which looks at images in a folder."""
        self._shown += 1
        image = self.site.folder / "camera" / f"{self._shown:04d}.part"
        segno.make_qr(self.site.codes.get(code, code), error="m").save(str(image), kind="png", scale=6, border=4)
        image.rename(image.with_suffix(".png"))

    # --- what came of it ---

    def pulses(self, pin: int | None = None) -> list[Pulse]:
        """Every rise of an output that the pins were told of, in order (of one pin, or of all)."""
        changes = [line.split() for line in self.trace.read_text().splitlines()] if self.trace.exists() else []
        return [Pulse(float(at), int(number)) for at, number, level in changes
                if level == "1" and pin in (None, int(number))]

    def locked(self) -> bool:
        """Whether both relays have let go."""
        left = levels(self.trace)
        return not left.get(ENTRY_PIN) and not left.get(EXIT_PIN)

    def wait_pulses(self, pin: int, count: int) -> None:
        """Wait until `pin` has risen `count` times since the site was made."""
        wait_for(f"pulse {count} of pin {pin}", lambda: len(self.pulses(pin)) >= count, PATIENCE_S)

    def rows(self, after_seq: int = 0) -> list[Row]:
        """The ledger's rows, read as `gate events` reads them."""
        try:
            reader = LedgerReader(self.ledger)
        except StoreError:
            return []  # not made yet
        try:
            return reader.rows_after(after_seq, EVENTS_MAX)
        finally:
            reader.close()

    def events(self, *kinds: str, after_seq: int = 0) -> list[wire.Event]:
        """The ledger's events of these kinds (none named: of all)."""
        events = (wire.read_event(row.body) for row in self.rows(after_seq))
        return [event for event in events if not kinds or event.kind in kinds]

    def last_seq(self) -> int:
        """The last event that is written."""
        reader = LedgerReader(self.ledger)
        try:
            return max((row.seq for row in reader.recent(1)), default=0)
        finally:
            reader.close()

    def acked_seq(self) -> int:
        """Up to which event the ledger may forget."""
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as ledger:
            return int(ledger.execute("SELECT value FROM meta WHERE key = 'acked_seq'").fetchone()[0])

    def wait_event(self, *kinds: str, after_seq: int = 0) -> wire.Event:
        """The first event of these kinds that follows `after_seq`."""
        found: list[wire.Event] = []

        def there() -> bool:
            found[:] = self.events(*kinds, after_seq=after_seq)
            return bool(found)

        wait_for(f"{' or '.join(kinds)} after {after_seq}", there, PATIENCE_S)
        return found[0]

    def resident_kib(self) -> int:
        """The daemon's resident memory (proc(5), VmRSS)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    def log(self) -> str:
        """What the daemon printed."""
        return (self.site.folder / "log" / "gate.log").read_text()


class Centre:
    """Broker and recorder of a site, and what the recorder has kept."""

    def __init__(self, site: DemoSite) -> None:
        self.site = site
        self.parts = Parts(site, web_port=0)
        self._engine = open_database(site.database)

    def start(self) -> Centre:
        """Broker first, then the recorder, which listens when this returns."""
        self.parts.start_broker()
        log = self.parts.log("recorder")
        connected = log.read_text().count(CONNECTED) if log.exists() else 0
        self.parts.start_recorder()
        wait_for("the recorder", lambda: log.read_text().count(CONNECTED) > connected, PATIENCE_S)
        return self

    def stop(self) -> None:
        """End both; they may be started again."""
        for name in list(self.parts.processes):
            self.parts.stop(name)

    def close(self) -> None:
        """End both for good."""
        self.stop()
        self._engine.dispose()

    def kept(self) -> list[tuple[int, str, bytes]]:
        """Seq, epoch and hash of every event, in the order in which the recorder kept them."""
        with reading(self._engine) as session:
            rows = session.execute(select(table.Event.seq, table.Feed.epoch, table.Event.hash)
                                   .join(table.Feed).order_by(table.Event.id))
            return [(seq, epoch, bytes(hash_)) for seq, epoch, hash_ in rows]

    def count(self) -> int:
        """How many events are kept."""
        with reading(self._engine) as session:
            return session.scalar(select(func.count(table.Event.id))) or 0

    def events(self, *kinds: str) -> list[wire.Event]:
        """The kept events of these kinds (none named: of all)."""
        with reading(self._engine) as session:
            bodies = session.scalars(select(table.Event.body).order_by(table.Event.id)).all()
        events = (wire.read_event(body) for body in bodies)
        return [event for event in events if not kinds or event.kind in kinds]

    def wait_event(self, *kinds: str, count: int = 1) -> wire.Event:
        """Wait until `count` events of these kinds are kept; the last of them."""
        wait_for(f"{count} {' or '.join(kinds)} at the recorder", lambda: len(self.events(*kinds)) >= count, PATIENCE_S)
        return self.events(*kinds)[count - 1]

    def wait_all_of(self, gate: Gate) -> None:
        """Wait until as many events are kept as the gate's ledger holds."""
        wait_for("every event at the recorder", lambda: self.count() >= gate.last_seq(), PATIENCE_S)


def assert_kept_once_and_in_order(gate: Gate, centre: Centre) -> None:
    """Every event of the gate's ledger came to the recorder once, in order, and both hold the whole chain."""
    rows = gate.rows()
    epoch = wire.read_event(rows[0].body).epoch
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "the ledger misses an event"
    wait_for("these events at the recorder", lambda: centre.count() >= len(rows), PATIENCE_S)
    kept, sent = centre.kept(), [(row.seq, epoch, bytes(row.hash)) for row in rows]
    # The gate may have gone on since: what came after these rows is another assertion's business.
    differing = next((pair for pair in zip_longest(kept[:len(sent)], sent) if pair[0] != pair[1]), None)
    assert differing is None, f"{len(kept)} kept of {len(sent)}; first difference (kept, sent): {differing}"
    (proof,) = gate.site.gate("events", "verify", "--config", gate.site.config, "--json")
    assert proof["intact"], proof
    (found,) = gate.site.gate("central", "recorder", "--check", "--db", gate.site.database, "--json")
    assert found["whole"], found


def assert_every_pulse_has_its_record(pulses: Sequence[Pulse], events: Iterable[wire.Event]) -> None:
    """Each pulse is led by a grant (or a request to exit) of its own, recorded for that direction.

    `pulses` and `events` are of one run, which is just over: the n-th pulse of a direction needs n such events
    that happened no later.
    """
    mono_of_utc = time.monotonic() - time.time()
    happened = [(event, datetime.fromisoformat(event.time).timestamp() + mono_of_utc) for event in events
                if event.kind in (EventKind.ACCESS_GRANTED, EventKind.REQUEST_TO_EXIT)]
    for pin, direction in ((ENTRY_PIN, "entry"), (EXIT_PIN, "exit")):
        moments = sorted(at_mono for event, at_mono in happened if event.data["direction"] == direction)
        for number, pulse in enumerate(pulse for pulse in pulses if pulse.pin == pin):
            led = number < len(moments) and moments[number] <= pulse.at_mono + CLOCK_GRAIN_S
            assert led, f"{direction}: pulse {number + 1} of {pulses} has no record; recorded: {moments}"
