"""What the lane tells the ledger, the screen and the operators, word for word; a trouble ends without a trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs
from support_portal import (
    AN,
    AN_DATA,
    BINH,
    DOOR,
    FREE,
    IN,
    LET_OUT,
    LOCKDOWN,
    OUT,
    OUT_DATA,
    PASSAGE,
    SHUT,
    STRANGER,
    Life,
    lives,
)

from gate import portal
from gate.model import (
    Alert,
    Contact,
    Direction,
    Flushed,
    Hold,
    Mode,
    Reason,
    Record,
    Release,
    SetMode,
    Show,
    Signal,
    Tick,
)
from gate.portal import Locked, Moved, NotLocked, NotMoved, NotWritten, Portal, State, Timing, Written
from gate.portal.table import Input

# --- records and screens --------------------------------------------------------------------------------


def test_a_grant_is_told_whole() -> None:
    assert lives([(0, AN)])[1] == [
        Record("AccessGranted", AN_DATA), Release(Direction.ENTRY, 0.6, must_record=True), Show(Signal.GRANTED, AN)]


def test_a_denial_is_told_without_what_is_not_known() -> None:
    assert lives([(0, STRANGER)])[1] == [
        Record("AccessDenied", {"reader": "in", "direction": "entry", "reason": "UNKNOWN_CREDENTIAL", "bacnet": 129,
                                "proof": "none"}),
        Show(Signal.DENIED, STRANGER)]


def test_who_is_refused_after_all_hears_why() -> None:
    _, effects = lives([(0, AN)], Portal(state=State.LOCKED_DOWN, mode=Mode.LOCKDOWN))
    assert effects == [Record("AccessDenied", AN_DATA | {"reason": "LOCKDOWN", "bacnet": 137}),
                       Show(Signal.DENIED, replace(AN, granted=False, reason=Reason.LOCKDOWN))]
    _, effects = lives([(0, AN), (0, Written(7)), (0.5, PASSAGE), (1, Contact("passage", False)), (3, BINH)])
    assert Show(Signal.DENIED, replace(BINH, granted=False, reason=Reason.STORE_SLOW)) in effects


def test_the_first_of_two_codes_is_read_and_not_refused() -> None:
    half = replace(STRANGER, reason=Reason.NEEDS_SECOND_CODE, hint="after-identity")
    assert lives([(0, half)])[1][-1] == Show(Signal.READING, half)


def test_a_code_that_belongs_to_nobody_takes_the_green_from_nobody() -> None:
    wrong = replace(STRANGER, reason=Reason.WRONG_CODE)
    assert Show(Signal.DENIED, wrong) in lives([(0, wrong)])[1]
    _, effects = lives([*IN, (0.3, wrong)])
    assert [type(effect) for effect in effects] == [Record]


def test_who_passed_or_did_not_is_told_by_holder_and_direction() -> None:
    who = {"direction": "entry", "holder": "an"}
    assert Record("AccessTaken", who) in lives([(0, AN), (1, DOOR), (2, SHUT)])[1]
    assert Record("AccessNotTaken", who) in lives([*IN, (5, Tick())])[1]
    assert Record("AccessNotTaken", who | {"cause": "lockdown"}) in lives([(0, AN), (1, LOCKDOWN)])[1]
    assert Record("DoorOpenTooLong", who) in lives([(0, AN), (1, DOOR), (21, Tick())])[1]


def test_who_was_passing_when_the_lane_became_free_is_told_to_have_passed() -> None:
    _, effects = lives([(0, AN), (1, DOOR), (1.5, FREE), (2, SHUT)])
    assert Record("AccessTaken", {"direction": "entry", "holder": "an"}) in effects


def test_who_leaves_by_the_button_is_not_taken_for_the_one_who_did_not_pass() -> None:
    lane, effects = lives([*IN, (5, Contact("rex", True))])
    assert effects[-2:] == [Record("RequestToExit", {"direction": "exit"}), LET_OUT]
    _, effects = lives([(6, DOOR), (7, SHUT)], lane)
    assert Record("AccessTaken", {}) in effects


def test_a_way_out_beside_a_door_held_open_is_told_whole() -> None:
    lane, _ = lives([(0, AN), (1, DOOR), (21, Tick())])
    after, effects = lives([(22, OUT)], lane)
    assert effects == [Record("AccessGranted", OUT_DATA), LET_OUT, Show(Signal.GRANTED, OUT)]
    assert after.state is State.HELD


# --- who waits ------------------------------------------------------------------------------------------


def test_who_waits_is_told_so_once_and_queued_once() -> None:
    lane, effects = lives([(0, AN), (0.1, BINH), (0.2, BINH)])
    assert effects == [Show(Signal.READING, BINH)]
    assert [each.decision for each in lane.pending] == [BINH]


def test_who_scans_again_before_passing_is_told_again_to_go() -> None:
    lane, effects = lives([(0, AN), (0.2, AN)])
    assert effects == [Show(Signal.GRANTED, AN)]
    assert lane.pending == ()


def test_who_scans_again_while_passing_is_not_let_in_twice() -> None:
    lane, effects = lives([(0, AN), (0.2, PASSAGE), (0.4, AN)])
    assert (effects, lane.pending) == ([], ())


def test_who_scans_again_while_leaving_waits_for_another_turn() -> None:
    lane, effects = lives([(0, OUT), (0.2, PASSAGE), (0.4, OUT)])
    assert effects == [Show(Signal.READING, OUT)]
    assert len(lane.pending) == 1


def test_whose_turn_comes_at_the_end_of_waiting_is_let_in() -> None:
    _, effects = lives([*IN, (0.1, BINH), (5.1, Tick())])
    assert Show(Signal.GRANTED, BINH) in effects


def test_two_who_wait_to_leave_behind_a_stuck_sensor_are_both_let_out() -> None:
    other = replace(OUT, holder="binh")
    _, effects = lives([(0, AN), (0.2, PASSAGE), (0.4, OUT), (0.4, other), (5.4, Tick())])
    assert effects == [
        Record("AccessGranted", OUT_DATA), LET_OUT, Show(Signal.GRANTED, OUT),
        Record("AccessGranted", OUT_DATA | {"holder": "binh"}), LET_OUT, Show(Signal.GRANTED, other)]


# --- times ----------------------------------------------------------------------------------------------


def test_once_somebody_is_in_the_lane_nothing_of_the_grant_is_due_any_more() -> None:
    lane, _ = lives([(0, AN), (1, DOOR)])
    assert dict(lane.timers) == {"prealarm_due": 11, "held_due": 21}


def test_a_lane_without_a_sensor_closes_a_pulse_after_the_button() -> None:
    lane, _ = lives([(0, AN), (0.5, Contact("rex", True))], Portal(Timing(sensor=False)))
    assert lives([(1.0, Tick())], lane)[0].state is State.RELEASED
    assert lives([(1.1, Tick())], lane)[0].state is State.CLOSED


def test_the_flush_of_one_grant_does_not_vouch_for_the_next() -> None:
    lane, _ = lives([*IN, (5, Tick()), (5.5, BINH), (5.6, Flushed(7))])
    lane, effects = lives([(7.5, Tick())], lane)
    assert Alert("store-slow", True) in effects
    assert lane.state is State.CLOSED


def test_a_wish_for_what_is_so_moves_nothing() -> None:
    told = {"mode": "normal", "actor": "an", "cause": "habit"}
    assert lives([(0, SetMode(Mode.NORMAL, "an", "habit"))])[1] == [Record("ModeChanged", told)]
    free, _ = lives([(0, FREE)])
    assert not [effect for effect in lives([(0.5, Contact("emergency", True))], free)[1] if isinstance(effect, Hold)]


@pytest.mark.parametrize("state", [state for state in State if state is not State.REST])
@pytest.mark.parametrize("fact", [
    Contact("sensor-4", True), Contact("rex", False), Contact("emergency", False), Contact("door", False), Tick()])
def test_what_does_not_concern_the_lane_changes_nothing(state: State, fact: portal.Fact) -> None:
    before = Portal(state=state, mode=Mode.FREE if state is State.FREE else Mode.NORMAL)
    assert lives([(0, fact)], before) == (before, [])


DUE_IN = {State.RELEASED: {Input.PASSAGE_DUE, Input.FLUSH_DUE}, State.PASSING: {Input.PREALARM_DUE, Input.HELD_DUE},
          State.FREE: {Input.LEASE_DUE}}


@pytest.mark.parametrize(("state", "due"), [
    (state, due) for state in State if state is not State.REST
    for due in Input if due.endswith("_due") and due not in DUE_IN.get(state, ())])
def test_a_timer_of_another_state_changes_nothing(state: State, due: Input) -> None:
    before = Portal(state=state, mode=Mode.FREE if state is State.FREE else Mode.NORMAL)
    assert lives([(1, Tick())], structs.replace(before, timers={due: 0.5})) == (before, [])


@pytest.mark.parametrize("first", ["door", "passage"])
def test_the_lane_counts_as_open_until_both_contacts_say_shut(first: str) -> None:
    last = "door" if first == "passage" else "passage"
    lane, _ = lives([*IN, (1, DOOR), (1, PASSAGE), (2, Contact(first, False))])
    assert lane.state is State.PASSING
    lane, effects = lives([(3, Contact(last, False))], lane)
    assert Record("AccessTaken", {"direction": "entry", "holder": "an"}) in effects
    assert lane.state is State.CLOSED


# --- troubles -------------------------------------------------------------------------------------------


def test_a_barrier_that_does_not_release_is_told_once_and_leaves_no_trace_once_it_does() -> None:
    lane, effects = lives([(0, AN), (0.1, NotMoved("pin 17"))])
    assert [effect for effect in effects if isinstance(effect, Record | Alert)] == [
        Record("OutputFault", {"detail": "pin 17"}), Alert("output-fault", True, "pin 17")]
    assert Show(Signal.CALL_GUARD) in effects
    lane, effects = lives([(1, AN), (1.1, NotMoved("pin 17"))], lane)
    assert not [effect for effect in effects if isinstance(effect, Record | Alert)]
    lane, effects = lives([(2, Moved())], lane)
    assert effects == [Alert("output-fault", False)]
    assert lane == Portal()


def test_a_barrier_that_does_not_lock_is_told_once_and_leaves_no_trace_once_it_does() -> None:
    lane, effects = lives([(0, NotLocked("pin 17"))])
    assert effects == [Record("OutputFault", {"detail": "pin 17"}), Alert("not-locked", True, "pin 17"),
                       Show(Signal.CALL_GUARD)]
    lane, effects = lives([(1, NotLocked("pin 17"))], lane)
    assert effects == []
    assert lives([(2, Locked())], lane) == (Portal(), [Alert("not-locked", False)])


@pytest.mark.parametrize("active", [True, False])
def test_the_emergency_input_is_told_when_it_begins_and_when_it_ends(active: bool) -> None:
    _, effects = lives([(0, Contact("emergency", active))], Portal(emergency=not active))
    assert effects[:2] == [Record("Emergency", {"active": active}), Alert("emergency", active)]


@pytest.mark.parametrize("alert", ["held-open", "forced-open"])
def test_a_door_that_is_shut_again_is_told_and_its_alert_ends(alert: str) -> None:
    opened: Life = [(0, AN), (1, DOOR), (21, Tick())] if alert == "held-open" else [(1, DOOR)]
    lane, effects = lives(opened)
    assert effects[-2:] == [Alert(alert, True), Show(Signal.ALARM)]
    lane, effects = lives([(30, SHUT)], lane)
    assert [each for each in effects if isinstance(each, Alert)] == [Alert(alert, False)]
    assert Record("DoorSecured", {}) in effects
    assert lane == Portal()


def in_and_through(mono: float, seq: int) -> Life:
    return [(mono, AN), (mono, Written(seq)), (mono + 0.2, PASSAGE), (mono + 0.4, Contact("passage", False))]


def test_a_flush_that_catches_up_leaves_no_trace() -> None:
    lane, effects = lives([*in_and_through(0, 7), (3, Tick()), (4, Flushed(7))])
    assert effects == [Alert("store-slow", False)]
    assert lane == Portal()


@pytest.mark.parametrize(("at", "late"), [(2.9, False), (3.0, True), (3.5, True)])
def test_a_flush_is_late_as_long_as_any_grant_waits_for_it_too_long(at: float, late: bool) -> None:
    """Two went in, at 0 and at 1; what is flushed at last is the record of the first."""
    lane, effects = lives([*in_and_through(0, 7), *in_and_through(1, 8), (2.5, Tick()), (at, Flushed(7))])
    assert [each for each in effects if isinstance(each, Alert)] == ([] if late else [Alert("store-slow", False)])
    lane, effects = lives([(at, BINH)], lane)
    assert Show(Signal.DENIED if late else Signal.GRANTED,
                replace(BINH, granted=False, reason=Reason.STORE_SLOW) if late else BINH) in effects


def test_a_ledger_that_does_not_answer_is_not_called_well_by_a_flush_of_older_rows() -> None:
    lane, effects = lives([(0, AN), (0.2, NotWritten())])
    assert Alert("store-slow", True) in effects
    lane, effects = lives([(1, Flushed(6))], lane)
    assert effects == []
    lane, effects = lives([(2, AN), (2, Written(7))], lane)
    assert Alert("store-slow", False) in effects
