"""The whole core with small stand-ins at its edges: what fails there ends nothing, locks nobody in, opens nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.clock import ManualClock
from gate.controller import Controller
from gate.drivers.fake import FakeBarrier, FakeIndicator
from gate.effector import Effector
from gate.errors import DeviceError, PartError, UsageError
from gate.model import (
    ALERTS,
    CodeBegun,
    Contact,
    Direction,
    Documents,
    EventKind,
    Fault,
    Flushed,
    Mode,
    Now,
    ReaderState,
    Record,
    RosterEntry,
    Scan,
    SetMode,
    Signal,
    Stimulus,
    Tick,
)
from gate.portal import Portal, State, Timing
from gate.ports import Patience
from gate.view import DocumentSet, View

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
DATA_MAX_CHARS = 6000


class Everybody:
    """A roster that lists the bearer of every citizen ID card."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return self.holder(identifiers[0].rpartition(":")[2]) if identifiers else None

    def holder(self, holder: str) -> RosterEntry | None:
        return RosterEntry(holder, frozenset({"xuong-a"}))


class StandInLedger:
    """A ledger that is slow, stalled in its flush or refuses a record, as it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.written: list[Record] = []
        self.rehearsed: list[Record] = []
        self.slow = self.unflushed = False
        self.refuses = lambda record: len(str(record.data)) > DATA_MAX_CHARS
        self.waits = 0

    def append(self, records: Sequence[Record], now: Now, *, way_out: bool = False) -> StandInLedger:
        if any(self.refuses(record) for record in records):
            raise UsageError("its data is too long")
        self.records += records
        if not self.slow:
            self.written = list(self.records)
        return self

    @property
    def last_seq(self) -> int:
        return len(self.records)

    def wait(self, timeout_s: float) -> bool:
        self.waits += 1
        return not self.slow

    def flushed(self, seq: int, timeout_s: float) -> bool:
        return not self.unflushed

    def rehearse(self, records: Sequence[Record], now: Now) -> None:
        self.rehearsed += records

    def remember(self, key: str, value: bytes) -> None:
        pass


class StandInFeed:
    """Holds the alerts that stand."""

    def __init__(self) -> None:
        self.alerts: dict[str, str] = {}

    def live(self, kind: str, event: dict[str, Any]) -> None:
        pass

    def alert(self, id: str, detail: str | None) -> None:
        if detail is None:
            self.alerts.pop(id, None)
        else:
            self.alerts[id] = detail


class Barrier(FakeBarrier):
    """Keeps each release it was asked for, and may be stuck: then it does not lock, and says so."""

    def __init__(self, mono: Callable[[], float]) -> None:
        super().__init__(mono, max_on_s=60)
        self.asked: list[Direction] = []
        self.on_release: Callable[[Direction], None] = lambda direction: None
        self.on_hold: Callable[[], None] = lambda: None
        self.stuck = False

    def release(self, direction: Direction, pulse_s: float) -> None:
        self.asked.append(direction)
        super().release(direction, pulse_s)
        self.on_release(direction)

    def hold(self, lease_s: float, direction: Direction | None = None) -> None:
        super().hold(lease_s, direction)
        self.on_hold()

    def secure(self) -> None:
        if self.stuck:
            raise DeviceError("the pin cannot be set")
        super().secure()

    def released(self) -> bool:
        return self.stuck or super().released()


class Rig:
    """A controller and its edges."""

    def __init__(
        self, timing: Timing | None = None, patience: Patience | None = None, mode: Mode = Mode.NORMAL,
    ) -> None:
        self.clock = ManualClock()
        self.ledger, self.feed = StandInLedger(), StandInFeed()
        self.barrier = Barrier(lambda: self.clock.mono)
        self.lamps = FakeIndicator()
        self.controller = Controller(
            clock=self.clock, lane=Portal(timing or Timing(), mode=mode),
            view=View("xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), DocumentSet(roster=Everybody()), mode),
            hands=Effector(self.ledger, self.barrier, (self.lamps,), self.feed, patience or Patience()),
        )
        self.controller.begin(self.clock.now())

    @property
    def lane(self) -> Portal:
        return self.controller.lane

    @property
    def kinds(self) -> list[EventKind]:
        return [record.kind for record in self.ledger.records]

    def turn(self, *stimuli: Stimulus, after_s: float = 0.0) -> None:
        self.clock.advance(after_s)
        for stimulus in stimuli:
            self.controller.turn(stimulus, self.clock.now())

    def scan(self, direction: Direction, person: int = 1) -> Scan:
        card = f"001090{person:06d}||NGUYEN VAN A|01011990|Nam|Ha Noi|15102021"
        return Scan("in" if direction is ENTRY else "out", direction, card.encode(), self.clock.mono)


# --- a way out is never refused -------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", ["passage", "door"])
def test_a_sensor_that_sticks_keeps_nobody_inside(sensor: str) -> None:
    rig = Rig()
    rig.turn(Contact(sensor, True))
    assert rig.lane.state is State.FORCED
    rig.turn(rig.scan(EXIT))
    assert rig.barrier.asked == [EXIT]


def test_a_door_held_open_keeps_nobody_inside() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Contact("door", True))
    rig.turn(Tick(), after_s=30)
    assert rig.lane.state is State.HELD
    rig.turn(rig.scan(EXIT, 2))
    assert rig.barrier.asked == [ENTRY, EXIT]
    assert rig.ledger.records[-1].data["holder"] == "001090000002"


def test_who_leaves_and_has_waited_long_enough_is_let_out_instead_of_refused() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Contact("door", True), rig.scan(EXIT, 2))
    assert rig.barrier.asked == [ENTRY]
    rig.turn(Tick(), after_s=6)
    assert rig.barrier.asked == [ENTRY, EXIT]
    assert EventKind.ACCESS_DENIED not in rig.kinds


def test_a_full_queue_refuses_nobody_who_leaves() -> None:
    rig = Rig(Timing(pending_max=1))
    rig.turn(rig.scan(ENTRY), rig.scan(ENTRY, 2), rig.scan(EXIT, 3))
    assert rig.barrier.asked == [ENTRY, EXIT]


def test_a_slow_ledger_does_not_take_a_request_to_exit_down_with_a_grant() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Flushed(1))
    rig.turn(rig.scan(ENTRY, 2), after_s=1)
    rig.ledger.slow = True
    rig.turn(Contact("rex", True), after_s=4)  # in the very moment in which the second person is served
    assert rig.barrier.asked == [ENTRY, EXIT]
    assert rig.barrier.released()


def test_a_request_to_exit_is_not_cut_short_by_the_end_of_somebody_elses_time() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Flushed(1))
    rig.turn(Contact("rex", True), after_s=4.9)
    rig.turn(Tick(), after_s=0.2)
    assert rig.barrier.released()


def test_a_late_flush_does_not_lock_who_is_leaving() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY))
    rig.turn(Contact("rex", True), after_s=1.9)
    rig.turn(Tick(), after_s=0.2)
    assert rig.barrier.released()


def test_a_record_that_the_ledger_refuses_keeps_nobody_inside_and_lets_nobody_in() -> None:
    rig = Rig()
    rig.ledger.refuses = lambda record: True
    rig.turn(rig.scan(ENTRY))
    assert rig.barrier.asked == []
    rig.turn(rig.scan(EXIT, 2), after_s=10)
    assert rig.barrier.asked == [EXIT]
    assert "too long" in rig.feed.alerts["fault-record"]


def test_a_barrier_that_does_not_lock_still_lets_the_next_person_out() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Contact("door", True), rig.scan(EXIT, 2))
    rig.barrier.stuck = True
    rig.turn(Contact("door", False), after_s=1)
    assert rig.barrier.asked == [ENTRY, EXIT]
    assert rig.lane.state is State.RELEASED
    assert EventKind.ACCESS_TAKEN in rig.kinds


# --- an emergency ---------------------------------------------------------------------------------------


def test_a_dead_ledger_ends_the_process_but_not_while_the_emergency_lasts() -> None:
    rig = Rig()
    rig.turn(Contact("emergency", True))
    rig.turn(Fault("ledger", "fsync failed", fatal=True))
    assert rig.feed.alerts["fault-ledger"] == "fsync failed"
    assert rig.barrier.released()
    with pytest.raises(PartError, match="fsync failed"):
        rig.turn(Contact("emergency", False))


def test_a_dead_ledger_ends_the_process_at_once_otherwise() -> None:
    with pytest.raises(PartError, match="fsync failed"):
        Rig().turn(Fault("ledger", "fsync failed", fatal=True))


def test_an_emergency_in_the_moment_of_an_unwritten_grant_frees_the_lane_at_once() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Flushed(1))
    rig.turn(rig.scan(ENTRY, 2), after_s=1)
    rig.ledger.slow = True
    rig.turn(Contact("emergency", True), after_s=4)
    assert rig.barrier.released()
    assert EventKind.EMERGENCY in rig.kinds
    assert "emergency" in rig.feed.alerts
    assert rig.lamps.shown[-1][0] is Signal.FREE


@pytest.mark.parametrize(("stimulus", "cause"), [
    (Contact("emergency", True), EventKind.EMERGENCY),
    (SetMode(Mode.FREE, "operator", "drill"), EventKind.MODE_CHANGED),
])
def test_free_access_is_noted_before_the_lock_moves(stimulus: Stimulus, cause: EventKind) -> None:
    rig = Rig()
    noted: list[EventKind] = []
    rig.barrier.on_hold = lambda: noted.extend(rig.kinds)
    rig.turn(stimulus)
    assert noted == [cause]


def test_in_an_emergency_nobody_waits_for_the_roster() -> None:
    asked: list[str] = []

    class Asked(Everybody):
        def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
            asked.append("found")
            return super().find(identifiers)

    rig = Rig()
    rig.controller.view = replace(rig.controller.view, documents=DocumentSet(roster=Asked()))
    rig.turn(Contact("emergency", True))
    rig.turn(rig.scan(ENTRY), rig.scan(EXIT))
    assert not asked
    assert rig.kinds[-1] is EventKind.ACCESS_GRANTED, "who leaves is on record"
    rig.turn(Contact("emergency", False), rig.scan(ENTRY))
    assert asked


def test_an_output_that_fails_in_an_emergency_is_recorded_once_and_tried_until_it_works() -> None:
    rig = Rig()
    rig.barrier.fault = "the pin cannot be set"
    rig.turn(Contact("emergency", True))
    for _ in range(5):
        rig.turn(Tick(), after_s=1)
    assert rig.kinds == [EventKind.EMERGENCY, EventKind.OUTPUT_FAULT]
    assert rig.feed.alerts["output-fault"] == "the pin cannot be set"
    rig.barrier.fault = None
    rig.turn(Tick(), after_s=1)
    assert rig.barrier.released()
    assert "output-fault" not in rig.feed.alerts


# --- outputs that fail ----------------------------------------------------------------------------------


def test_a_dead_relay_is_reported_though_it_cannot_be_secured_either() -> None:
    rig = Rig()
    rig.barrier.fault, rig.barrier.stuck = "no such line", True
    rig.turn(rig.scan(ENTRY))
    assert "output-fault" in rig.feed.alerts
    assert EventKind.OUTPUT_FAULT in rig.kinds
    assert rig.lamps.shown[-1][0] is Signal.CALL_GUARD
    assert Signal.GRANTED not in [signal for signal, _ in rig.lamps.shown]


@pytest.mark.parametrize("mode", [Mode.NORMAL, Mode.LOCKDOWN])
def test_a_barrier_that_does_not_lock_is_reported_once_and_cleared_once_it_does(mode: Mode) -> None:
    rig = Rig(mode=mode)
    rig.turn(rig.scan(EXIT))
    rig.barrier.stuck = True
    for _ in range(10):
        rig.turn(Tick(), after_s=1)
    assert rig.kinds.count(EventKind.OUTPUT_FAULT) == 1
    assert "not-locked" in rig.feed.alerts
    assert rig.lamps.shown[-1][0] is Signal.CALL_GUARD
    rig.barrier.stuck = False
    rig.barrier.secure()
    rig.turn(Tick())
    assert "not-locked" not in rig.feed.alerts


def test_what_happened_is_recorded_before_the_fault_that_followed() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Contact("door", True))
    rig.barrier.stuck = True
    rig.turn(Contact("door", False), after_s=1)
    assert rig.kinds == [EventKind.ACCESS_GRANTED, EventKind.ACCESS_TAKEN, EventKind.OUTPUT_FAULT]


def test_a_dead_lamp_opens_and_locks_like_any_other_day() -> None:
    rig = Rig()
    rig.lamps.fault = "lamp red: no such line"
    rig.turn(rig.scan(ENTRY))
    rig.turn(Contact("passage", True), Contact("passage", False))
    assert rig.kinds[0] is EventKind.ACCESS_GRANTED
    assert rig.kinds[-1] is EventKind.ACCESS_TAKEN
    assert rig.kinds.count(EventKind.OUTPUT_FAULT) == 1
    assert rig.feed.alerts["fault-indicator"] == "lamp red: no such line"
    rig.lamps.fault = None
    rig.turn(rig.scan(ENTRY))
    assert "fault-indicator" not in rig.feed.alerts


# --- the ledger -----------------------------------------------------------------------------------------


def test_a_grant_that_waited_for_its_flush_is_not_taken_back_for_that_wait() -> None:
    rig = Rig(Timing(flush_max_s=2.0), Patience(0.25, 2.0))
    rig.turn(rig.scan(ENTRY))
    rig.turn(Tick(), after_s=2.1)  # the wait itself lasted that long
    assert rig.lane.state is State.RELEASED


def test_a_slow_ledger_is_waited_for_once_however_many_stand_in_the_queue() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Flushed(1))
    rig.turn(*(rig.scan(ENTRY, person) for person in range(2, 6)), after_s=1)
    rig.ledger.slow, rig.ledger.waits = True, 0
    rig.turn(Tick(), after_s=4)
    assert rig.ledger.waits == 1
    assert rig.lane.state is State.CLOSED
    assert [record.data["reason"] for record in rig.ledger.records[-4:]] == ["STORE_SLOW"] * 4


def test_a_fault_of_the_ledger_is_over_when_it_flushes_again() -> None:
    rig = Rig()
    rig.turn(Fault("ledger", "the disk is full"))
    assert rig.feed.alerts["fault-ledger"] == "the disk is full"
    rig.turn(Flushed(1))
    assert rig.feed.alerts == {}


def test_a_report_of_any_length_is_recorded_and_ends_nothing() -> None:
    rig = Rig()
    rig.turn(Documents(None, {}, "x" * 20_000), ReaderState("in", False, "\udcff" * 20_000),
             Fault("uplink", "y" * 20_000))
    assert rig.kinds == [EventKind.DOCUMENTS_REFUSED, EventKind.READER_LOST]
    assert all(len(text.encode()) < 1000 for text in rig.feed.alerts.values())


# --- the queue ------------------------------------------------------------------------------------------


def test_who_waits_and_scans_again_is_told_to_wait() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), rig.scan(ENTRY, 2), rig.scan(ENTRY, 2))
    assert [signal for signal, _ in rig.lamps.shown[-2:]] == [Signal.READING, Signal.READING]
    assert len(rig.lane.pending) == 1


def test_who_waits_is_served_when_the_lane_comes_to_rest_in_the_last_moment() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY), Flushed(1))
    rig.turn(rig.scan(ENTRY, 2), after_s=0.1)
    rig.turn(Tick(), after_s=5.2)  # both times are up: the lane's and the waiting person's
    assert rig.barrier.asked == [ENTRY, ENTRY]


# --- any life -------------------------------------------------------------------------------------------


BREAKS = ["slow", "unflushed", "refusing", "dead", "stuck", "dark"]
STEPS = st.one_of(
    st.tuples(st.just("scan"), st.sampled_from(Direction), st.integers(1, 6)),
    st.tuples(st.just("contact"), st.sampled_from(["passage", "door", "rex", "emergency"]), st.booleans()),
    st.tuples(st.just("mode"), st.sampled_from(Mode), st.none()),
    st.tuples(st.just("break"), st.sampled_from(BREAKS), st.booleans()),
    st.tuples(st.just("say"), st.sampled_from([
        Tick(), Flushed(1), Flushed(1000), Documents(None, {}, "x" * 9000), Fault("ledger", "full"),
        ReaderState("in", False, "gone"), Scan("in", ENTRY, b"\xff", 0.0), Scan("out", EXIT, b"?", 0.0),
    ]), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 1.0, 2.0, 5.0, 20.0]), st.none()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=60), st.booleans(), st.booleans())
def test_in_any_life_nobody_enters_unrecorded_and_everybody_gets_out(
    life: list[tuple[str, Any, Any]], sensor: bool, after_flush: bool,
) -> None:
    rig = Rig(Timing(sensor=sensor), Patience(0.25, 2.0 if after_flush else None))
    ledger, barrier, lane = rig.ledger, rig.barrier, lambda: rig.controller.lane

    def on_release(direction: Direction) -> None:
        if direction is ENTRY:
            grants = [record for record in ledger.written if record.kind is EventKind.ACCESS_GRANTED]
            assert not ledger.slow, "no entry without a written record"
            assert grants, "no entry without a grant"
            assert grants[-1].data["holder"] == lane().passer.holder, "the record is this person's"
            assert lane().wish is not Mode.LOCKDOWN

    barrier.on_release = on_release
    for what, first, second in life:
        asked, was_free, waiting = len(barrier.asked), lane().state is State.FREE, lane().pending
        match what:
            case "scan":
                rig.turn(rig.scan(first, second))
                leaving = [each for each in lane().pending if each.decision.direction is EXIT]
                if first is EXIT and not leaving and lane().state is not State.FREE:
                    served = lane().state is State.RELEASED and lane().passer is not None
                    assert len(barrier.asked) > asked or served or barrier.fault, "let out, or green already"
            case "contact":
                rig.turn(Contact(first, second))
                if (first, second) == ("rex", True) and not was_free:
                    assert EXIT in barrier.asked[asked:]
            case "mode":
                rig.turn(SetMode(first, "operator", "test"))
            case "say":
                rig.turn(first)
            case "wait":
                rig.turn(Tick(), after_s=first)
            case "break":
                ledger.slow = second if first == "slow" else ledger.slow
                ledger.unflushed = second if first == "unflushed" else ledger.unflushed
                if first == "refusing":
                    ledger.refuses = lambda record, refuses=second: refuses
                barrier.fault = ("dead" if second else None) if first == "dead" else barrier.fault
                barrier.stuck = second if first == "stuck" else barrier.stuck
                rig.lamps.fault = ("dark" if second else None) if first == "dark" else rig.lamps.fault
        refused = [record.data for record in ledger.records if record.kind is EventKind.ACCESS_DENIED]
        assert not [data for data in refused if data["direction"] == "exit" and data["reason"] != "UNKNOWN_FORMAT"]
        gone = [each for each in waiting if each.decision.direction is EXIT and each not in lane().pending]
        if gone and not barrier.fault and lane().state is not State.FREE:
            assert EXIT in barrier.asked[asked:], "who waited to leave was let out"
        if lane().wish is Mode.FREE and barrier.fault is None:
            rig.turn(Tick(), after_s=1)
            assert barrier.released(), "a free lane stands open"
        assert set(rig.feed.alerts) <= ALERTS | {"reader-in"}, "a new run clears each of them"
        assert lane().deadline is None or lane().deadline >= rig.clock.mono


# --- a rehearsal has no effect --------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [ENTRY, EXIT])
def test_a_code_that_has_begun_changes_nothing_opens_nothing_and_leaves_no_record(direction: Direction) -> None:
    rig = Rig()
    rig.turn(rig.scan(direction), Flushed(1))
    rig.turn(Tick(), after_s=60)
    before = (rig.lane, rig.controller.view, rig.kinds, rig.barrier.asked, list(rig.lamps.shown), rig.feed.alerts)
    for reader in ("in", "out"):
        rig.turn(CodeBegun(reader), after_s=60)
    assert before == (
        rig.lane, rig.controller.view, rig.kinds, rig.barrier.asked, list(rig.lamps.shown), rig.feed.alerts)
    assert not rig.barrier.released()
    assert [record.kind for record in rig.ledger.rehearsed] == [EventKind.ACCESS_GRANTED] * 2


def test_who_is_passing_is_not_disturbed_by_a_rehearsal() -> None:
    rig = Rig()
    rig.turn(rig.scan(ENTRY))
    assert rig.barrier.released()
    rig.turn(CodeBegun("in"), after_s=0.1)
    assert rig.barrier.released()
    assert rig.ledger.rehearsed == []


def test_a_code_that_has_begun_before_anybody_came_is_no_matter() -> None:
    rig = Rig()
    rig.turn(CodeBegun("in"))
    assert rig.kinds == []
