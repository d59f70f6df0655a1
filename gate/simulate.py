"""A gate with stand-ins at its edges: plays a scenario through the real controller, clock in hand.

Ledger, barrier, lamps and feed are one object here, which writes down in order what the core asked of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gate import config, model, wire
from gate.clock import ManualClock
from gate.controller import Controller
from gate.effector import Effector
from gate.errors import DeviceError, UsageError
from gate.lane_settings import crossing_of, lane_of, view_of
from gate.model import Direction, Now, Record, RosterEntry, Signal
from gate.obey import Obedience
from gate.order import Order, Verb
from gate.pack_files import read_pack
from gate.passages import Passages
from gate.policy.health.pack import pack_from_json
from gate.policy.health.record import FACT
from gate.policy.permits import permits_from_json
from gate.policy.quotas import quotas_from_json
from gate.policy.schedule import schedules_from_json
from gate.policy.visits import FACT as VISIT
from gate.ports import Patience
from gate.presence import Presence
from gate.scenario import Outcome, Person, Scenario, read_timeline
from gate.simulated_codes import Wallets, citizen_number, number, pass_id
from gate.trust import Keyring, Revocations
from gate.view import DocumentSet

HERE = "here"
READERS = {"in": Direction.ENTRY, "in-2": Direction.ENTRY, "out": Direction.EXIT, "keys": Direction.ENTRY}
"""The readers of every scenario; codes can be guessed at `keys`."""


def run_scenario(scenario: Scenario) -> Outcome:
    """Play a scenario and compare what happened with what it says.

    Raises:
        UsageError: a timeline that cannot be played, or settings that no config may have.
    """
    timeline = read_timeline(scenario.timeline)
    try:
        simulation = Simulation(scenario)
    except msgspec.ValidationError as error:
        raise UsageError(f"{scenario.title}: {error}") from error
    for at_s, action in timeline.actions:
        simulation.play(at_s, action)
    simulation.finish()
    difference = timeline.difference(simulation.lines)
    passed = bool(difference) == scenario.must_fail
    return Outcome(scenario.title, passed, tuple(simulation.lines), tuple(difference))


class Simulation:
    """One gate; also its own barrier, lamp, ledger, roster and feed."""

    def __init__(self, scenario: Scenario) -> None:
        self.lines: list[str] = []
        self.clock = ManualClock(scenario.start)
        self.began_mono = self.clock.mono
        self.scenario = scenario
        self.people = {**scenario.people, **{f"p{n}": Person() for n in range(1, scenario.crowd + 1)}}
        self.wallets = Wallets(scenario, frozenset(self.people))
        self.numbers = {name: number(name) for name in self.people}
        self.entries = {name: _entry(name, person) for name, person in self.people.items()}
        self.seq = 0
        self.flushed_seq = 0
        self.broken: set[str] = set()
        self.waiting: list[model.Stimulus] = []
        portal_settings = msgspec.convert(scenario.portal, config.Portal)
        admission = msgspec.convert(scenario.admission, config.Admission)
        site = config.Site(id="simulation", area=scenario.area, kind=scenario.kind, token_key_file=Path("none"))
        self.health = msgspec.convert(scenario.health, config.Health)
        view = view_of(admission, site, guessable=frozenset({"keys"}), health=self.health)
        self.controller = Controller(
            clock=self.clock, view=replace(view, documents=self.documents(scenario.revoked)),
            lane=lane_of(portal_settings, flush_max_s=2.0, sensor=bool(scenario.contacts)),
            hands=Effector(self, self, (self,), self, Patience()), passages=self.passages(view.zone),
            obey=Obedience(self.reply),
        )

    def passages(self, zone: ZoneInfo) -> Passages | None:
        """Who is inside, where the scenario counts them: this gate's name is `here`."""
        if self.scenario.presence is None:
            return None
        crossing = crossing_of(msgspec.convert(self.scenario.presence, config.Presence), HERE)
        return Passages(Presence(HERE), crossing, site="simulation", area=self.scenario.area, zone=zone,
                        keep=lambda moves: None)

    # --- the timeline ---

    def play(self, at_s: float, action: str) -> None:
        """Let time run to `at_s`, timers and all, then do one action."""
        self.run_until(at_s)
        self.lines.append(f"{at_s:.2f}  {action}")
        word, *rest = action.split()
        try:
            stimuli = getattr(self, f"do_{word}", self.do_unknown)(*rest)
        except (TypeError, ValueError, LookupError) as error:
            raise UsageError(f"the timeline's {at_s:.2f}  {action}: {error}") from error
        for stimulus in stimuli:
            self.turn(stimulus)

    def run_until(self, at_s: float) -> None:
        """Turn the loop at each of the lane's own deadlines up to `at_s`."""
        target = self.began_mono + at_s
        while (due := self.controller.lane.deadline) is not None and due < target - 1e-9:
            self.clock.advance(max(0.0, due - self.clock.mono))
            before = len(self.lines)
            self.lines.append(f"{self.clock.mono - self.began_mono:.2f}  time")
            self.turn(model.Tick())
            if self.lines[before + 1:] in ([], ["    > hold"]):
                del self.lines[before:]  # a renewed lease is not news
        self.clock.advance(target - self.clock.mono)

    def finish(self) -> None:
        """Let every timer run out, so that a transcript ends with a lane at rest; leases would go on for ever."""
        for _ in range(20):
            due = self.controller.lane.deadline
            if due is None or self.controller.lane.wish is model.Mode.FREE:
                return
            self.run_until(due - self.began_mono + 0.001)

    def turn(self, stimulus: model.Stimulus) -> None:
        self.waiting.append(stimulus)
        while self.waiting:
            self.controller.turn(self.waiting.pop(0), self.clock.now())

    def do_scan(self, reader: str, *codes: str) -> list[model.Stimulus]:
        second = self.clock.mono - self.began_mono
        return [model.Scan(reader, READERS[reader], self.wallets.payload(code, second), self.clock.mono,
                           len(codes) - place)
                for place, code in enumerate(codes)]

    def do_contact(self, name: str, level: str) -> list[model.Stimulus]:
        return [model.Contact(name, level == "on")]

    def do_passage(self, level: str) -> list[model.Stimulus]:
        return self.do_contact("passage", level)

    def do_door(self, level: str) -> list[model.Stimulus]:
        return self.do_contact("door", level)

    def do_emergency(self, level: str) -> list[model.Stimulus]:
        return self.do_contact("emergency", level)

    def do_rex(self) -> list[model.Stimulus]:
        return [model.Contact("rex", True), model.Contact("rex", False)]

    def do_command(self, verb: str, what: str = "") -> list[model.Stimulus]:
        """`command open [exit]`, `command open-for MINUTES`, `command override NAME`, ...: believed already."""
        minutes = float(what) if verb == Verb.OPEN_FOR else 0.0
        holder = what if verb in (Verb.OVERRIDE, Verb.RESET_PASSBACK) else ""
        return [Order(Verb(verb), "operator", "scenario", 60 * minutes, exit=what == "exit", holder=holder)]

    def reply(self, _client: str, reply: wire.Reply) -> None:
        """What the operator hears."""
        self.lines.append(f"    > reply {reply.refusal or 'done'}")

    def do_mode(self, mode: str) -> list[model.Stimulus]:
        return [model.SetMode(model.Mode(mode), "operator", "scenario")]

    def do_peer(self, holder: str, place: str) -> list[model.Stimulus]:
        """The gate `there` says that somebody went to an area, or to the `street`."""
        stamp = model.Stamp(int(self.clock.now().utc.timestamp() * 1000), 0, "there")
        move = model.Move(holder, "" if place == "street" else place, self.people[holder].company, stamp)
        return [model.PeerMoves("there", (move,))]

    def do_break(self, part: str) -> list[model.Stimulus]:
        """Break `disk` (not written), `flush` (never flushed), `barrier` (pins fail) or `lock` (stays released)."""
        self.broken.add(part)
        return []

    def do_mend(self, part: str) -> list[model.Stimulus]:
        self.broken.discard(part)
        return [model.Flushed(self.seq)] if part == "flush" else []

    def do_clock(self, word: str) -> list[model.Stimulus]:
        """`trusted`, `untrusted`, or a jump of wall time in seconds."""
        if word in ("trusted", "untrusted"):
            self.clock.trusted = word == "trusted"
        else:
            self.clock.utc += timedelta(seconds=float(word))
        return []

    def do_reader(self, name: str, word: str) -> list[model.Stimulus]:
        return [model.ReaderState(name, word == "back")]

    def do_revoke(self, *words: str) -> list[model.Stimulus]:
        """Publish a set in which these are revoked."""
        return [model.Documents(self.documents(words), {"revocations": 2})]

    def do_refuse(self, *words: str) -> list[model.Stimulus]:
        """A set of documents came that cannot be trusted."""
        return [model.Documents(None, {}, " ".join(words))]

    def do_nothing(self) -> list[model.Stimulus]:
        return [model.Tick()]

    def do_unknown(self, *words: str) -> list[model.Stimulus]:
        raise UsageError(f"unknown action in the timeline: {self.lines[-1].strip()}")

    # --- what is published ---

    def documents(self, revoked: Sequence[str]) -> DocumentSet:
        scenario = self.scenario
        passes = {pass_id(name) for name in revoked if name in scenario.codes}
        schedules = {"schema": "gate.schedules/1", "schedules": scenario.schedules, "holidays": scenario.holidays}
        return DocumentSet(
            keyring=Keyring(self.wallets.keys), roster=self,
            revocations=Revocations(passes=frozenset(passes), holders=frozenset(revoked)),
            schedules=schedules_from_json(msgspec.json.encode(schedules)),
            packs={name: pack_from_json(read_pack(name)) for name in self.health.packs},
            quotas=None if scenario.quotas is None else quotas_from_json(msgspec.json.encode(
                {"schema": "gate.quotas/1", **scenario.quotas})),
            permits=None if scenario.permits is None else permits_from_json(msgspec.json.encode(
                {"schema": "gate.permits/1", **scenario.permits})),
            versions={"roster": 1}, published_at=scenario.published or scenario.start,
        )

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        for name in self.people:
            if {f"cccd:{citizen_number(name)}", f"number:{self.numbers[name]}"} & set(identifiers):
                return self.entries[name]
        return None

    def holder(self, holder: str) -> RosterEntry | None:
        return self.entries.get(holder)

    # --- the edges: what the core asked for ---

    def say(self, text: str) -> None:
        self.lines.append(f"    > {text}")

    def append(self, records: Sequence[Record], now: Now, *, way_out: bool = False) -> Simulation:
        for record in records:
            self.seq += 1
            reason = record.data.get("reason", "") if record.kind is model.EventKind.ACCESS_DENIED else ""
            presumed = "presumed" if record.data.get("presumed") else ""
            actor = record.data.get("actor") if "reason" in record.data else ""
            words = (record.kind.value, reason, record.data.get("holder"), actor, presumed)
            self.say(" ".join(word for word in words if word))
        if "flush" not in self.broken and "disk" not in self.broken:
            self.flushed_seq = self.seq
            self.waiting.append(model.Flushed(self.seq))
        return self

    @property
    def last_seq(self) -> int:
        return self.seq

    def wait(self, timeout_s: float) -> bool:
        return "disk" not in self.broken

    def flushed(self, seq: int, timeout_s: float) -> bool:
        return self.flushed_seq >= seq

    def rehearse(self, records: Sequence[Record], now: Now) -> None:
        pass

    def remember(self, key: str, value: bytes) -> None:
        pass

    def release(self, direction: Direction, pulse_s: float) -> None:
        self.must_work()
        self.say(f"release {direction.value}")

    def hold(self, lease_s: float, direction: Direction | None = None) -> None:
        self.must_work()
        self.say("hold")

    def secure(self) -> None:
        if "lock" in self.broken:
            raise DeviceError("the barrier does not lock")
        self.say("secure")

    def must_work(self) -> None:
        if "barrier" in self.broken:
            raise DeviceError("the pin cannot be set")

    def show(self, signal: Signal, decision: model.Decision | None = None) -> None:
        self.say(f"show {signal.value}")

    def live(self, kind: str, event: dict[str, Any]) -> None:
        pass

    def alert(self, id: str, detail: str | None) -> None:
        self.say(f"clear {id}" if detail is None else f"alert {id}")

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def released(self) -> bool:
        return "lock" in self.broken


def _entry(name: str, person: Person) -> RosterEntry:
    return RosterEntry(name, frozenset(person.areas), frozenset(person.roles), person.schedule, person.from_,
                       person.until, person.company, {FACT: person.health, VISIT: person.visit})
