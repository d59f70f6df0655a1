"""What each state of the lane does about each thing that can happen: the whole answer, in order."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from msgspec import structs
from support_portal import (
    AN,
    AN_DATA,
    DOOR,
    FREE,
    IN,
    LET_OUT,
    LOCKDOWN,
    OUT,
    OUT_DATA,
    SHUT,
    STRANGER,
    lives,
)

from gate.model import Alert, Contact, Decision, Direction, Hold, Mode, Record, Secure, SetMode, Show, Signal, Tick
from gate.portal import NotMoved, NotWritten, State
from gate.portal.table import TRANSITIONS, Input

REX = Contact("rex", True)
NORMAL = SetMode(Mode.NORMAL, "operator", "test")
LANES = {state: lives(life)[0] for state, life in {
    State.CLOSED: [(0, Tick())],
    State.RELEASED: [*IN],
    State.PASSING: [*IN, (1, DOOR)],
    State.HELD: [*IN, (1, DOOR), (21, Tick())],
    State.FORCED: [(1, DOOR)],
    State.LOCKED_DOWN: [(0, LOCKDOWN)],
    State.FREE: [(0, FREE)],
}.items()}
AT_REST = (State.CLOSED, State.LOCKED_DOWN)
BUSY = (State.PASSING, State.HELD, State.FORCED)


def at_of(state: State) -> float:
    """A moment soon after the lane came to that state."""
    return 21.3 if state is State.HELD else 1.3 if state in (State.PASSING, State.FORCED) else 0.3


@pytest.mark.parametrize("state", LANES)
def test_each_state_is_reached(state: State) -> None:
    assert LANES[state].state is state


@pytest.mark.parametrize("state", LANES)
def test_a_refusal_is_recorded_then_shown_and_moves_nothing(state: State) -> None:
    lane, effects = lives([(at_of(state), STRANGER)], LANES[state])
    assert structs.replace(lane, refused=None) == LANES[state], "only the guard's key could tell"
    assert [type(effect) for effect in effects] == ([Record] if state is State.FREE else [Record, Show])
    assert [effect.kind for effect in effects if isinstance(effect, Record)] == ["AccessDenied"]


@pytest.mark.parametrize("state", BUSY)
def test_the_button_lets_out_beside_whatever_goes_on(state: State) -> None:
    asked = [Record("RequestToExit", {"direction": "exit"}), LET_OUT]
    assert lives([(at_of(state), REX)], LANES[state]) == (LANES[state], asked)


@pytest.mark.parametrize("state", AT_REST)
def test_the_button_opens_a_lane_at_rest(state: State) -> None:
    lane, effects = lives([(0.3, REX)], LANES[state])
    assert effects == [Record("RequestToExit", {"direction": "exit"}), LET_OUT]
    assert lane.state is State.RELEASED


def test_the_button_of_a_free_lane_does_nothing() -> None:
    assert lives([(0.3, REX)], LANES[State.FREE]) == (LANES[State.FREE], [])


@pytest.mark.parametrize("state", [*BUSY, State.FREE])
def test_a_barrier_that_does_not_release_calls_the_guard_and_the_lane_stays(state: State) -> None:
    lane, effects = lives([(at_of(state), NotMoved("pin 17"))], LANES[state])
    assert effects == [Record("OutputFault", {"detail": "pin 17"}), Alert("output-fault", True, "pin 17"),
                       Show(Signal.CALL_GUARD)]
    assert lane == structs.replace(LANES[state], unmoved=True)


@pytest.mark.parametrize("state", [state for state in LANES if state is not State.RELEASED])
def test_a_record_that_nobody_waits_for_any_more_changes_nothing(state: State) -> None:
    assert lives([(at_of(state), NotWritten())], LANES[state]) == (LANES[state], [])


@pytest.mark.parametrize(("state", "decision"), [
    (State.PASSING, replace(AN, holder="binh")), (State.PASSING, replace(OUT, holder="binh")),
    (State.HELD, replace(AN, holder="binh")), (State.FORCED, AN),
])
def test_who_comes_while_the_lane_is_not_at_rest_waits_and_disturbs_nobody(state: State, decision: Decision) -> None:
    lane, effects = lives([(at_of(state), decision)], LANES[state])
    assert effects == [Show(Signal.READING, decision)]
    assert [each.decision for each in lane.pending] == [decision]
    assert structs.replace(lane, pending=()) == LANES[state]


@pytest.mark.parametrize("state", [State.HELD, State.FORCED])
def test_a_way_out_goes_beside_an_open_door_at_once(state: State) -> None:
    leaving = [Record("AccessGranted", OUT_DATA), LET_OUT, Show(Signal.GRANTED, OUT)]
    assert lives([(at_of(state), OUT)], LANES[state]) == (LANES[state], leaving)


@pytest.mark.parametrize("decision", [AN, OUT])
def test_a_free_lane_records_who_came_and_releases_nothing_more(decision: Decision) -> None:
    data = AN_DATA if decision.direction is Direction.ENTRY else OUT_DATA
    lane, effects = lives([(0.3, decision)], LANES[State.FREE])
    assert effects == [Record("AccessGranted", data), Show(Signal.GRANTED, decision)]
    assert lane == structs.replace(LANES[State.FREE], passer=decision)


@pytest.mark.parametrize(("state", "alert"), [(State.HELD, "held-open"), (State.FORCED, "forced-open")])
def test_free_access_ends_the_alarm_of_an_open_door(state: State, alert: str) -> None:
    lane, effects = lives([(at_of(state), FREE)], LANES[state])
    assert lane.state is State.FREE
    assert [each for each in effects if isinstance(each, Alert)] == [Alert(alert, False)]
    assert Record("DoorSecured", {}) in effects


@pytest.mark.parametrize("state", AT_REST)
def test_a_door_that_opens_by_itself_is_forced(state: State) -> None:
    lane, effects = lives([(0.3, DOOR)], LANES[state])
    assert effects == [Record("DoorForcedOpen", {}), Alert("forced-open", True), Show(Signal.ALARM)]
    assert lane.state is State.FORCED
    assert lives([(9, SHUT)], lane)[0].state is state


def test_a_door_still_open_when_free_access_ends_is_watched_like_any_passage() -> None:
    lane, _ = lives([(1, DOOR), (2, NORMAL)], LANES[State.FREE])
    assert (lane.state, dict(lane.timers)) == (State.PASSING, {"prealarm_due": 12, "held_due": 22})


@pytest.mark.parametrize(("before", "wished"), [pair for pair in product(Mode, Mode) if pair[0] is not pair[1]])
def test_a_lane_at_rest_goes_where_it_is_wished_and_says_so(before: Mode, wished: Mode) -> None:
    lane, _ = lives([(0, SetMode(before, "operator", "test"))])
    lane, effects = lives([(0.5, SetMode(wished, "operator", "test"))], lane)
    assert effects[1:] == {
        Mode.NORMAL: [Secure(), Show(Signal.IDLE)], Mode.LOCKDOWN: [Secure(), Show(Signal.LOCKDOWN)],
        Mode.FREE: [Hold(), Show(Signal.FREE)],
    }[wished]


TAKES_ALONG = {
    State.CLOSED: {Mode.LOCKDOWN, Mode.FREE, Mode.NORMAL}, State.LOCKED_DOWN: {Mode.NORMAL, Mode.FREE},
    State.FREE: {Mode.NORMAL, Mode.LOCKDOWN}, State.RELEASED: {Mode.FREE}, State.PASSING: {Mode.FREE},
}
"""The wishes that move a lane by themselves; any other waits until the passage is over."""


@pytest.mark.parametrize(("state", "happened"), list(product(LANES, Input)))
def test_what_a_state_ignores_leaves_it_where_it_is(state: State, happened: Input) -> None:
    row = TRANSITIONS[state][happened]
    wished = {f"wish_{mode}" for mode in TAKES_ALONG.get(state, ())}
    assert row.actions or row.next is (State.REST if happened in wished else state)
