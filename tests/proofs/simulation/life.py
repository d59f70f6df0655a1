"""What happens to a gate: people, operators and trouble, drawn at random, and how it all ends well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from gate import model
from gate.clock import SHIFT_START
from gate.errors import PartError, StoreError
from gate.model import Mode

from .promises import Violation
from .site import site
from .world import READERS, Crash, World

HEAL_MAX_S = 3600.0
STARTS_MAX = 10
DAY_S = 86_400
EPOCHS = (datetime(1970, 1, 2, tzinfo=UTC), datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC))


class Kind(NamedTuple):
    """How often something happens, and which kind of trouble it is (so that a kind can be left out)."""

    weight: float
    trouble: str = ""


ACTIONS = {
    "scan": Kind(36), "pass_through": Kind(30), "wait": Kind(6), "rex": Kind(3), "queue": Kind(0.7),
    "force": Kind(1, "force"), "emergency": Kind(0.4, "mode"), "mode": Kind(0.8, "mode"),
    "documents": Kind(1, "documents"), "reader": Kind(0.5, "readers"), "fault": Kind(0.3, "readers"),
    "pins": Kind(0.5, "pins"), "disk": Kind(1.5, "disk"), "broker": Kind(0.8, "network"),
    "recorder": Kind(0.6, "network"), "clock": Kind(1, "clock"), "crash": Kind(0.6, "crash"),
    "stop": Kind(0.1, "crash"),
}
TROUBLES = sorted({kind.trouble for kind in ACTIONS.values()} - {""})


class Life:
    """One run: a world, and what one seed does to it."""

    def __init__(self, seed: int, folder: Path, without: Sequence[str] = ()) -> None:
        self.rng = Random(seed)
        self.world = World(self.rng, folder)
        kinds = {name: kind.weight for name, kind in ACTIONS.items() if kind.trouble not in without}
        self._names, self._weights = list(kinds), list(kinds.values())

    def run(self, steps: int) -> None:
        """Live for `steps`, then heal, and look at what the recorder has."""
        while self.world.steps < steps:
            self._guarded(self._act)
        self._heal()

    def _act(self) -> None:
        """One random thing, then some time."""
        world, rng = self.world, self.rng
        getattr(self, f"do_{rng.choices(self._names, self._weights)[0]}")()
        world.drain()
        draw = rng.random()
        world.advance(rng.uniform(0.0, 0.3) if draw < 0.5 else rng.uniform(0.3, 3.0) if draw < 0.95
                      else rng.uniform(3.0, 60.0))

    def _guarded(self, work: Callable[[], object]) -> None:
        """Ends of the process are part of life."""
        try:
            work()
        except Crash:
            self._recover(self.world.power_fails)
        except PartError as error:
            self.world.note(f"FATAL {error}")
            self.world.promises.covered["fatal faults"] += 1
            self._recover(power=False)

    def _recover(self, power: bool) -> None:
        """Start again until it holds; a disk that refuses is replaced, or nobody would ever get in."""
        for _ in range(STARTS_MAX):
            try:
                self.world.end(power)
            except Crash:
                power = self.world.power_fails
            except (PartError, StoreError):
                power = False
                self._set_disk("fast")
            else:
                return
        raise Violation("the gate starts again")

    def _heal(self) -> None:
        """Everything works again: before long the recorder has every event, once, in order."""
        world = self.world
        world.crash_in = None
        self._set_disk("fast")
        self._set_pins(False)
        world.network.bring_broker_back()
        world.network.bring_recorder_back()
        until_mono = world.mono + HEAL_MAX_S
        while not (world.ledger.idle and world.ledger.acked_seq == world.ledger.written_seq):
            world.promises.require(world.mono < until_mono, "once all is well everything is delivered")
            self._guarded(lambda: world.advance(5.0))
            world.wake_uplink()
        world.promises.all_delivered()

    def _later(self, most_s: float, work: Callable[[], object]) -> None:
        """Trouble ends: mostly soon, now and then late."""
        self.world.at(most_s * self.rng.random() ** 3, work, of_gate=False)

    def _count(self, what: str) -> None:
        self.world.promises.covered[what] += 1

    # --- people ---

    def do_scan(self) -> None:
        reader = self.rng.choice(("in", "in", "in", "keys", "out"))
        payload = self.rng.choice(site().good)[0] if self.rng.random() < 0.9 else self.rng.choice(site().bad)
        self.world.inbox.offer(model.Scan(reader, READERS[reader], payload, self.world.mono))

    def do_queue(self) -> None:
        for _ in range(self.rng.choice((2, 4, 8, 90))):
            self.do_scan()

    def do_pass_through(self) -> None:
        """Somebody goes through while it is open, and sometimes stays in the door."""
        if self.world.barrier.released() and not self.world.inside_lane:
            self._set_inside(True)
            self._later(30, lambda: self._set_inside(False))

    def do_force(self) -> None:
        self._set_inside(True)
        self._later(60, lambda: self._set_inside(False))

    def _set_inside(self, inside: bool) -> None:
        if self.world.sensor:
            self.world.inside_lane = inside
            self.world.inbox.put(model.Contact("passage", inside))

    def do_wait(self) -> None:
        self.world.inbox.put(model.Tick())

    def do_rex(self) -> None:
        self.world.inbox.put(model.Contact("rex", True))
        self.world.inbox.put(model.Contact("rex", False))

    # --- operators ---

    def do_emergency(self) -> None:
        self._set_emergency(True)
        self._later(120, lambda: self._set_emergency(False))

    def _set_emergency(self, active: bool) -> None:
        self.world.emergency = active
        self.world.inbox.put(model.Contact("emergency", active))

    def do_mode(self) -> None:
        self._set_mode(self.rng.choice((Mode.LOCKDOWN, Mode.FREE)))
        self._later(300, lambda: self._set_mode(Mode.NORMAL))

    def _set_mode(self, mode: Mode) -> None:
        self.world.inbox.put(model.SetMode(mode, "operator", "simulation"))

    def do_documents(self) -> None:
        if self.rng.random() < 0.3:
            self.world.inbox.put(model.Documents(None, {}, "a signature does not match"))
        else:
            documents = self.world.documents = self.rng.choice(site().documents)
            self.world.inbox.put(model.Documents(documents, dict(documents.versions)))

    # --- trouble ---

    def do_reader(self) -> None:
        name = self.rng.choice(list(READERS))
        self._set_reader(name, False)
        self._later(120, lambda: self._set_reader(name, True))

    def _set_reader(self, name: str, there: bool) -> None:
        self.world.reader_there[name] = there
        self.world.inbox.put(model.ReaderState(name, there))

    def do_fault(self) -> None:
        self.world.inbox.put(model.Fault("camera", "no frame"))

    def do_pins(self) -> None:
        self._count("pins dead")
        self._set_pins(True)
        self._later(60, lambda: self._set_pins(False))

    def _set_pins(self, dead: bool) -> None:
        self.world.barrier.pins_dead = dead

    def do_disk(self) -> None:
        mood = self.rng.choices(("slow", "stalled", "full", "dead"), (4, 3, 2, 1))[0]
        self._count(f"disk {mood}")
        self._set_disk(mood)
        self._later(180, lambda: self._set_disk("fast"))

    def _set_disk(self, mood: str) -> None:
        self.world.disk.mood = mood

    def do_broker(self) -> None:
        self._count("broker away")
        self.world.network.lose_broker()
        self._later(self.rng.choice((60, 600, 20_000)), self.world.network.bring_broker_back)

    def do_recorder(self) -> None:
        self._count("recorder away")
        self.world.network.lose_recorder()
        self._later(self.rng.choice((60, 600, 20_000)), self.world.network.bring_recorder_back)

    def do_clock(self) -> None:
        self._count("clock changes")
        world, rng = self.world, self.rng
        match rng.randrange(4):
            case 0:
                world.synced = False
            case 1:
                world.wall_offset += timedelta(seconds=rng.uniform(-DAY_S, DAY_S))
            case 2:
                world.wall_offset = rng.choice(EPOCHS) - SHIFT_START
            case _:
                world.drift = 1 + rng.uniform(-0.0005, 0.0005)
        self._later(600, self._set_clock_right)

    def _set_clock_right(self) -> None:
        self.world.wall_offset, self.world.drift, self.world.synced = timedelta(0), 1.0, True

    def do_crash(self) -> None:
        """At once, or at one of the next places where it hurts."""
        self.world.power_fails = self.rng.random() < 0.5
        if self.rng.random() < 0.3:
            raise Crash
        self.world.crash_in = self.rng.randint(1, 30)

    def do_stop(self) -> None:
        """An orderly stop, and a start."""
        self._count("stops")
        if self.world.disk.mood == "fast":
            self.world.ledger.stop()
        self.world.power_fails = False
        raise Crash
