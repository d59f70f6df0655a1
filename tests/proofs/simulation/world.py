"""A gate composed as `gate.app` composes it, on edges that one agenda turns: nothing happens but in its order."""

from __future__ import annotations

import heapq
import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from gate import config, model
from gate.clock import BUILD_FLOOR, SHIFT_START, SystemClock
from gate.controller import Controller
from gate.effector import Effector
from gate.inbox import Inbox
from gate.lane_settings import lane_of, view_of
from gate.ledger.exit_journal import journal_path
from gate.model import Direction, EventKind, Mode, Record
from gate.ports import Patience
from gate.reporter import CLOCK_FLOOR, Reporter, read_floor

from .disk import RING_EVENTS, ZONE, Disk, copy_ledger
from .ledger import TurnedLedger
from .lock import TwoLocks
from .network import Network, SimulatedRecorder, TurnedUplink, Wire
from .promises import FLUSH_MAX_S, WRITE_MAX_S, Promises
from .site import AREA, GATE, SITE, site

READERS = {"in": Direction.ENTRY, "keys": Direction.ENTRY, "out": Direction.EXIT}
BEGAN_MONO = 1000.0
SAFE_AFTER_S = 1.0
"""How long a dead process's pins keep their level: then `gate outputs safe` has run (docs/wiring.md)."""
TRACE_LINES = 30
_MQTT = config.Mqtt(host="simulated")


class Crash(BaseException):
    """The process ends here and now."""


class World:
    """A gate, its door, its disk, its network and its recorder; whoever drives it is in `life`."""

    def __init__(self, rng: Random, folder: Path) -> None:
        self.rng, self.folder = rng, folder
        self.mono = BEGAN_MONO
        self.wall_offset, self.drift, self.synced = timedelta(0), 1.0, True
        self.steps = 0
        self.trace: deque[tuple[float, str]] = deque(maxlen=TRACE_LINES)
        self.crash_in: int | None = None
        self.power_fails = False
        self._agenda: list[tuple[float, int, int, Callable[[], object]]] = []
        self._order = count()
        self._generation = 0
        self._due: dict[str, float] = {}
        self._draw_settings()
        self.documents = site().documents[0]
        self.inside_lane = self.emergency = False
        self.reader_there = dict.fromkeys(READERS, True)
        self.disk = Disk(self, folder, rng)
        self.network = Network(self, SimulatedRecorder(SITE, GATE, site().recorder_key), rng)
        self.promises = Promises(self)
        self.barrier = TwoLocks(self)
        self.start()

    def _draw_settings(self) -> None:
        """Each run has a gate of its own kind."""
        rng = self.rng
        self.sensor = rng.random() < 0.8
        self.patience = Patience(WRITE_MAX_S, FLUSH_MAX_S if rng.random() < 0.3 else None)
        self._lane = config.Portal(
            pending_s=rng.choice((2.0, 5.0)), held_open_s=rng.choice((8.0, 20.0)), prealarm_s=4.0)
        self._admission = config.Admission(
            accept=("signed",) if rng.random() < 0.05 else ("signed", "listed"),
            roster_max_age_h=rng.choice((None, None, 48.0)), on_stale_roster=rng.choice(("deny", "continue")),
            on_untrusted_clock=rng.choice(("deny", "continue")))

    # --- a process's life ---

    def start(self) -> None:
        """Start the daemon on what the disk holds."""
        self.inbox = Inbox()
        path = self.folder / str(self._generation) / "ledger.db"
        path.parent.mkdir(exist_ok=True)
        self._due.clear()
        self.ledger = TurnedLedger(self, path, site=SITE, gate=GATE, zone=ZONE, fdatasync=self.disk.fdatasync,
                                   settings=config.Ledger(ring_events=RING_EVENTS), say=self.inbox.put)
        self.ledger.start()
        mode = Mode((self.ledger.recall("mode") or b"normal").decode())
        self.promises.began(mode)
        self.barrier.stop()
        self.clock = SystemClock(read_floor(self.ledger.recall(CLOCK_FLOOR)) or BUILD_FLOOR, lambda: self.synced,
                                 wall=self.wall, mono=lambda: self.mono)
        self.wire = Wire(self.network)
        self.uplink = TurnedUplink(
            self.wire, self.ledger, _MQTT, site=SITE, gate=GATE, keyring=lambda: self.documents.keyring,
            clock=self.clock, say=self.inbox.put, rng=Random(self.rng.random()))
        self.uplink.start()
        if self.network.broker_up:
            self.wire.connect()
        self._start_core(mode)
        if self.sensor:
            self.inbox.put(model.Contact("passage", self.inside_lane))
        self.inbox.put(model.Contact("emergency", self.emergency))

    def _start_core(self, mode: Mode) -> None:
        place = config.Site(id=SITE, area=AREA, token_key_file=Path("none"))
        view = view_of(self._admission, place, frozenset({"keys"}))
        now = self.clock.now()
        reporter = Reporter(lane=lambda: self.controller.lane, ledger=self.ledger, voice=self.uplink, inbox=self.inbox,
                            readers=self.reader_there, stuck=lambda now: [], began=now)
        self.controller = Controller(
            clock=self.clock, view=replace(view, documents=self.documents, mode=mode),
            lane=lane_of(self._lane, FLUSH_MAX_S, self.sensor, mode),
            hands=Effector(self.ledger, self.barrier, (), self, self.patience), each_turn=(reporter.report,))
        self.controller.carry_out([Record(EventKind.GATE_STARTED, {"unclean": self.ledger.was_unclean})], now)
        self.controller.begin(now)

    def end(self, power: bool) -> None:
        """The process ends, by itself or with the power; the next one starts on what is left."""
        self.note("POWER CUT" if power else "KILLED")
        self.promises.ended(power)
        self.crash_in = None
        old = self.ledger.path
        self._generation += 1
        new = self.folder / str(self._generation) / "ledger.db"
        new.parent.mkdir()
        if power:
            self.disk.after_power_cut(new)
        else:
            copy_ledger(old.parent, new.parent)
            if journal_path(old).exists():
                shutil.copy(journal_path(old), journal_path(new))
        self.close()
        shutil.rmtree(old.parent)
        # A dead process's pins keep their level until `gate outputs safe` has run; without power a lock is locked.
        self.mono += self.rng.uniform(SAFE_AFTER_S, 5.0)
        self.start()

    def close(self) -> None:
        """Leave nothing behind."""
        self.ledger.abandon()
        journal_path(self.ledger.path).unlink(missing_ok=True)

    def point(self) -> None:
        """Here a crash may strike."""
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.crash_in = None
                raise Crash

    # --- the feed, as the core sees it ---

    def live(self, kind: str, event: dict[str, Any]) -> None:
        self.uplink.live(kind, event)

    def alert(self, id: str, detail: str | None) -> None:
        if detail is None:
            self.promises.alerts.pop(id, None)
        else:
            self.promises.alerts[id] = detail
        self.uplink.alert(id, detail)

    # --- time ---

    def wall(self) -> datetime:
        """What the machine's clock says."""
        return SHIFT_START + self.wall_offset + timedelta(seconds=(self.mono - BEGAN_MONO) * self.drift)

    def note(self, line: str) -> None:
        """Keep a line for whoever has to find out."""
        self.trace.append((self.mono, line))

    def at(self, delay_s: float, work: Callable[[], object], *, of_gate: bool = True) -> None:
        """Do this later; what is of the gate dies with its process."""
        generation = self._generation if of_gate else -1
        heapq.heappush(self._agenda, (self.mono + delay_s, next(self._order), generation, work))

    def pump(self, timeout_s: float, done: Callable[[], bool]) -> None:
        """The core waits: only the others go on."""
        until_mono = self.mono + timeout_s
        while not done() and self._agenda and self._agenda[0][0] <= until_mono:
            self._take_turn()
        if not done():
            self.mono = max(self.mono, until_mono)

    def advance(self, seconds: float) -> None:
        """Let time pass, with everything that is due in it."""
        until_mono = self.mono + seconds
        while True:
            other = self._agenda[0][0] if self._agenda else until_mono + 1
            lane = max(self.controller.lane.deadline or until_mono + 1, self.mono)
            if min(other, lane) > until_mono:
                self.mono = max(self.mono, until_mono)
                return
            if other <= lane:
                self._take_turn()
                self.drain()
            else:
                self.mono = lane
                self.turn(model.Tick())

    def drain(self) -> None:
        """Let the core take everything that waits."""
        while (stimulus := self.inbox.take(0)) is not None:
            self.turn(stimulus)

    def turn(self, stimulus: model.Stimulus) -> None:
        """One stimulus through the core."""
        self.steps += 1
        self.barrier.settle()
        self.note(f"{stimulus!r:.150}")
        self.promises.turn_begins()
        self.controller.turn(stimulus, self.clock.now())
        self.promises.turn_ends()

    def _take_turn(self) -> None:
        at_mono, _, generation, work = heapq.heappop(self._agenda)
        self.mono = max(self.mono, at_mono)
        if generation in (self._generation, -1):
            work()

    # --- the other threads' turns ---

    def wake_writer(self, at_once: bool = True) -> None:
        """Something waits to be written, now or (what was held back) in a second."""
        self._wake("writer", self.disk.write_delay_s() if at_once else 1.0, self.ledger._writer.turn)

    def wake_flusher(self) -> None:
        """Something waits to be flushed."""
        self._wake("flusher", self.disk.flush_delay_s(), self._flush)

    def _flush(self) -> None:
        self.point()
        self.ledger._flusher.turn()
        self.disk.flushed(self.ledger.path)
        self.point()
        if not self.ledger._flusher.idle:
            self.wake_flusher()
        self.wake_uplink()

    def wake_uplink(self, delay_s: float = 0.002) -> None:
        """Something waits to be sent or heard."""
        self._wake("uplink", delay_s, self._turn_uplink)

    def _turn_uplink(self) -> None:
        self.uplink.turn()
        if self.wire.up and self.ledger.acked_seq < self.ledger.flushed_seq:
            self.wake_uplink(5.0)

    def _wake(self, part: str, delay_s: float, turn: Callable[[], None]) -> None:
        at_mono = self.mono + delay_s
        if self._due.get(part, float("inf")) <= at_mono:
            return
        self._due[part] = at_mono

        def work() -> None:
            if self._due.get(part) == at_mono:  # else it was moved forward meanwhile
                del self._due[part]
                self.steps += 1
                turn()

        self.at(delay_s, work)
