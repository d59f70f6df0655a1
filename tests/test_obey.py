"""What the core does with an order: at a stand-in ledger and barrier, in each state of the lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gate import wire
from gate.clock import ManualClock
from gate.controller import Controller
from gate.drivers.fake import FakeBarrier, FakeIndicator
from gate.effector import Effector
from gate.model import Contact, Direction, EventKind, Mode, Move, Now, Record, Stamp, Tick
from gate.obey import COUNTERS, DUTIES, Obedience
from gate.order import Order, Verb
from gate.passages import Passages
from gate.policy.crossing import Crossing
from gate.portal import Portal, State, Timing
from gate.ports import NoFeed, Patience
from gate.presence import Presence
from gate.view import View

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class Diary:
    """A ledger that writes down what it was handed, in order, together with what the barrier did."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.slow = False

    def append(self, records: Sequence[Record], now: Now, *, way_out: bool = False) -> Diary:
        self.lines += records
        return self

    last_seq = 1

    def wait(self, timeout_s: float) -> bool:
        return not self.slow

    def flushed(self, seq: int, timeout_s: float) -> bool:
        return True

    def rehearse(self, records: Sequence[Record], now: Now) -> None:
        """Nothing."""

    def remember(self, key: str, value: bytes) -> None:
        self.lines.append((key, value))

    def events(self, kind: EventKind) -> list[dict[str, Any]]:
        return [line.data for line in self.lines if isinstance(line, Record) and line.kind is kind]


class Bench:
    """A gate without edges, and the answers that it gave."""

    def __init__(self, *, reread: Any = None, presence: bool = False) -> None:
        self.clock, self.diary = ManualClock(), Diary()
        self.barrier = FakeBarrier(lambda: self.clock.now().mono)
        self.lamps, self.replies = FakeIndicator(), []
        moves = [Move(holder=holder, place=place, company="", stamp=Stamp(1, 0, "there"))
                 for holder, place in (("an", "xuong-a"), ("binh", "kho-b"), ("chi", ""))]
        self.kept: list[Move] = []
        passages = Passages(
            Presence("g", moves), Crossing("g"), site="s", area="xuong-a", zone=ZONE, keep=self.kept.extend,
        ) if presence else None
        self.core = Controller(
            clock=self.clock, view=View(area="xuong-a", zone=ZONE), lane=Portal(Timing()), passages=passages,
            hands=Effector(self.diary, self.barrier, [self.lamps], NoFeed(), Patience()),
            obey=Obedience(lambda client, reply: self.replies.append((client, reply)), reread))
        self.core.begin(self.clock.now())

    def order(self, verb: Verb, **of: Any) -> wire.Reply:
        self.core.turn(Order(verb, "an-guard", "khách", client="c1", number="m1", kept=b"{}", **of), self.clock.now())
        client, reply = self.replies[-1]
        assert (client, reply.command, reply.verb) == ("c1", "m1", verb.value)
        return reply

    def tick(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.core.turn(Tick(), self.clock.now())


@pytest.mark.parametrize("verb", Verb)
def test_an_order_is_kept_before_anything_is_done(verb):
    bench = Bench(presence=True)
    before = len(bench.diary.lines)
    bench.order(verb, open_s=60.0)
    assert bench.diary.lines[before] == (COUNTERS, b"{}")
    assert bench.diary.events(EventKind.COMMAND)[-1]["actor"] == "an-guard"
    assert set(DUTIES) == set(Verb)


def test_open_releases_in_the_wanted_direction_and_records_who_asked_and_why():
    bench = Bench()
    assert bench.order(Verb.OPEN).done
    assert bench.core.lane.state is State.RELEASED
    assert bench.diary.events(EventKind.ACCESS_GRANTED)[-1]["cause"] == "khách"
    bench.tick(6.0)
    assert bench.order(Verb.OPEN, exit=True).done
    assert bench.core.lane.passer.direction is Direction.EXIT


def test_open_waits_for_whoever_is_passing_and_is_refused_when_the_ledger_is_stuck_or_in_lockdown():
    bench = Bench()
    bench.order(Verb.OPEN)
    assert bench.order(Verb.OPEN).detail
    bench.core.turn(Contact("passage", True), bench.clock.now())
    bench.core.turn(Contact("passage", False), bench.clock.now())
    assert bench.core.lane.state is State.RELEASED
    bench.tick(6.0)
    bench.diary.slow = True
    reply = bench.order(Verb.OPEN)
    assert (reply.done, reply.refusal) == (False, "lane")
    bench.order(Verb.LOCKDOWN)
    assert bench.order(Verb.OPEN).refusal == "lockdown"
    assert bench.order(Verb.OPEN_FOR, open_s=60.0).refusal == "lockdown"
    assert bench.order(Verb.OPEN, exit=True).done


def test_a_timed_opening_ends_by_itself_and_is_not_remembered():
    bench = Bench()
    assert bench.order(Verb.OPEN_FOR, open_s=300.0).done
    for _ in range(299):
        bench.tick(1.0)
        assert bench.core.lane.state is State.FREE
    bench.tick(1.0)
    assert bench.core.lane.state is State.CLOSED
    assert bench.core.lane.deadline is None
    assert [data.get("cause") for data in bench.diary.events(EventKind.MODE_CHANGED)] == ["khách", "time-over"]
    assert not [line for line in bench.diary.lines if isinstance(line, tuple) and line[0] == "mode"]


def test_an_emergency_outlasts_a_timed_opening_and_normal_ends_neither_early_nor_late():
    bench = Bench()
    bench.order(Verb.OPEN_FOR, open_s=10.0)
    bench.core.turn(Contact("emergency", True), bench.clock.now())
    bench.tick(11.0)
    assert bench.core.lane.state is State.FREE
    bench.core.turn(Contact("emergency", False), bench.clock.now())
    assert bench.core.lane.state is State.CLOSED
    bench.order(Verb.OPEN_FOR, open_s=10.0)
    bench.order(Verb.NORMAL)
    assert bench.core.lane.state is State.CLOSED


def test_modes_are_remembered():
    bench = Bench()
    for verb, mode in ((Verb.LOCKDOWN, Mode.LOCKDOWN), (Verb.EVACUATE, Mode.FREE), (Verb.NORMAL, Mode.NORMAL)):
        assert bench.order(verb).done
        assert bench.core.lane.wish is mode
        assert ("mode", mode.value.encode()) in bench.diary.lines


@pytest.mark.parametrize(("of", "outside"), [
    ({"holder": "an"}, {"an", "chi"}), ({"area": "kho-b"}, {"binh", "chi"}), ({}, {"an", "binh", "chi"}),
    ({"holder": "never-seen"}, {"never-seen", "chi"}),
], ids=["a person", "an area", "everybody", "a stranger"])
def test_anti_passback_is_reset_for_a_person_an_area_or_all_and_peers_would_hear(of, outside):
    bench = Bench(presence=True)
    assert bench.order(Verb.RESET_PASSBACK, **of).done
    presence = bench.core.passages.presence
    assert {move.holder for move in presence.everybody() if move.place == ""} == outside
    assert {move.holder for move in bench.kept} == outside - {"chi"}
    assert all(move.stamp.gate == "g" for move in bench.kept)
    assert not presence.net.total()


def test_what_this_gate_cannot_do_is_refused_by_name():
    looked = []
    assert Bench().order(Verb.RESET_PASSBACK).refusal == "no-presence"
    assert Bench().order(Verb.DOCUMENTS).refusal == "by-hand"
    assert Bench(reread=lambda: looked.append(1)).order(Verb.DOCUMENTS).done
    assert looked


def test_a_restart_ends_the_loop_in_peace():
    bench = Bench()
    assert bench.order(Verb.RESTART).done
    assert bench.core.stopping


def test_every_answer_is_a_message_that_the_wire_carries():
    bench = Bench()
    assert msgspec.json.decode(msgspec.json.encode(bench.order(Verb.IDENTIFY)), type=wire.Reply).done
