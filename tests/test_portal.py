"""The lane's tables: total, and safe in every state, by walking all of them and by random walks."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate import portal
from gate.clock import SHIFT_START
from gate.model import (
    Alert,
    Contact,
    Decision,
    Direction,
    Effect,
    Flushed,
    Hold,
    Mode,
    Now,
    Reason,
    Record,
    Release,
    Secure,
    SetMode,
    Show,
    Tick,
)
from gate.portal import Locked, Moved, NotMoved, NotWritten, Portal, State, Timing, Written
from gate.portal.actions import PERSON_ALERT_S
from gate.portal.table import AT_REST, TRANSITIONS, Action, Input

STATES = [state for state in State if state is not State.REST]


def at(mono: float) -> Now:
    return Now(SHIFT_START, mono)


def decision(direction: Direction = Direction.ENTRY, granted: bool = True, holder: str = "an") -> Decision:
    reason = Reason.GRANTED if granted else Reason.UNKNOWN_CREDENTIAL
    return Decision(granted, reason, direction, "in", holder=holder)


def kinds(effects: list[Effect], kind: type) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, kind)]


def test_the_table_is_total() -> None:
    assert set(TRANSITIONS) == set(STATES)
    for state in STATES:
        assert set(TRANSITIONS[state]) == set(Input), state
    used = {action for rows in TRANSITIONS.values() for row in rows.values() for action in row.actions}
    used |= {action for actions in AT_REST.values() for action in actions}
    assert used == set(Action), "an action that no row uses is dead"


@pytest.mark.parametrize(("state", "happened"), list(product(STATES, Input)))
def test_only_the_grant_of_an_entry_waits_for_its_record_and_every_release_of_one_does(
    state: State, happened: Input,
) -> None:
    row = TRANSITIONS[state][happened]
    if Action.RELEASE in row.actions:
        assert row.actions.index(Action.RECORD_GRANT) < row.actions.index(Action.RELEASE)
        assert happened in (Input.GRANT_ENTRY, Input.GRANT_EXIT)
    if Action.RELEASE_REX in row.actions:
        assert happened is Input.REX, "nothing but the button releases as a request to exit"


FACTS = [
    decision(), decision(Direction.EXIT), decision(granted=False), Tick(), NotWritten(), NotMoved("pin"),
    Written(7), Flushed(7), Contact("rex", True), Contact("passage", True), Contact("passage", False),
    Contact("door", True), Contact("door", False), Contact("rex", False),
    *(Contact(name, active) for name, active in product(
        ("interlock", "override", "tamper", "mains", "lock"), (True, False))),
    *(SetMode(mode, "operator", "test") for mode in Mode),
]


@pytest.mark.parametrize(("state", "mode"), [
    (state, mode) for state, mode in product(STATES, Mode) if (state is State.FREE) == (mode is Mode.FREE)])
@pytest.mark.parametrize(("is_open", "fact"), list(product((False, True), FACTS)))
def test_nothing_relocks_while_the_emergency_input_is_active(
    state: State, mode: Mode, is_open: bool, fact: portal.Fact,
) -> None:
    lane = Portal(mode=mode, state=state, open=frozenset({"door"} if is_open else ()))
    lane, _ = portal.on(lane, Contact("emergency", True), at(0))
    assert lane.state is State.FREE
    lane, effects = portal.on(lane, fact, at(100))
    assert lane.state is State.FREE
    assert not kinds(effects, Secure)


@pytest.mark.parametrize(("mode", "emergency"), list(product(Mode, (False, True))))
def test_a_way_out_is_released_from_every_state_at_rest(mode: Mode, emergency: bool) -> None:
    lane, _ = portal.begin(Portal(mode=mode, emergency=emergency), at(0))
    after, effects = portal.on(lane, decision(Direction.EXIT), at(1))
    if lane.wish is Mode.FREE:
        assert after.state is State.FREE
        return
    (release,) = kinds(effects, Release)
    assert release == Release(Direction.EXIT, 0.6, must_record=False)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("mode", "emergency", "active"), list(product(Mode, (False, True), (False, True))))
def test_a_request_to_exit_never_changes_mode_or_who_may_enter(
    state: State, mode: Mode, emergency: bool, active: bool,
) -> None:
    before = Portal(state=state, mode=mode, emergency=emergency)
    after, effects = portal.on(before, Contact("rex", active), at(1))
    assert (after.mode, after.emergency, after.wish, after.pending, after.refused, after.interlocked) == (
        before.mode, before.emergency, before.wish, before.pending, before.refused, before.interlocked)
    assert all(release.direction is Direction.EXIT for release in kinds(effects, Release))
    assert not kinds(effects, Hold)
    _, effects = portal.on(after, decision(granted=False), at(2))
    assert not kinds(effects, Release), "who is refused stays refused"


def test_a_grant_is_recorded_before_it_releases() -> None:
    _, effects = portal.on(Portal(), decision(), at(0))
    assert [type(effect) for effect in effects] == [Record, Release, Show]


def test_an_unwritten_grant_secures_and_denies() -> None:
    lane, _ = portal.on(Portal(), decision(), at(0))
    lane, effects = portal.on(lane, NotWritten(), at(0.3))
    assert lane.state is State.CLOSED
    assert kinds(effects, Secure)
    assert [effect.data["reason"] for effect in kinds(effects, Record)] == ["STORE_SLOW"]


def test_a_grant_taken_back_keeps_nobody_inside_who_waits_to_leave() -> None:
    lane, _ = portal.on(Portal(), decision(), at(0))
    lane, _ = portal.on(lane, decision(Direction.EXIT, holder="binh"), at(0.1))
    lane, effects = portal.on(lane, NotWritten(), at(0.3))
    (release,) = kinds(effects, Release)
    assert release.direction is Direction.EXIT


def test_a_ledger_that_is_late_for_nobody_refuses_nobody() -> None:
    _, effects = portal.on(Portal(state=State.RELEASED), NotWritten(), at(0))
    assert Alert("store-slow", True) in effects
    assert not kinds(effects, Record)


def test_a_flush_in_time_leaves_the_grant_alone() -> None:
    lane, _ = portal.on(Portal(), decision(), at(0))
    lane, _ = portal.on(lane, Written(7), at(0))
    lane, _ = portal.on(lane, Flushed(7), at(0.1))
    lane, effects = portal.on(lane, Tick(), at(2.5))
    assert lane.state is State.RELEASED
    assert effects == []


def test_who_asks_to_leave_is_not_locked_in_by_the_late_flush_of_anothers_grant() -> None:
    lane, _ = portal.on(Portal(), decision(), at(0))
    lane, _ = portal.on(lane, Written(7), at(0))
    lane, _ = portal.on(lane, Contact("rex", True), at(1.5))
    lane, effects = portal.on(lane, Tick(), at(6.4))
    assert lane.state is State.RELEASED
    assert not kinds(effects, Secure)
    lane, effects = portal.on(lane, Tick(), at(6.5))
    assert kinds(effects, Secure)


def passed_unflushed(after_s: float) -> Portal:
    """Somebody went in, was through at once, and their record is still not flushed `after_s` later."""
    lane, _ = portal.on(Portal(), decision(), at(0))
    for fact, seconds in ((Written(7), 0.0), (Contact("passage", True), 0.5), (Contact("passage", False), 1.0)):
        lane, _ = portal.on(lane, fact, at(seconds))
    lane, effects = portal.on(lane, Tick(), at(after_s))
    assert (Alert("store-slow", True) in effects) == (after_s >= lane.timing.flush_max_s)
    return lane


def test_while_a_flush_is_late_nobody_is_let_in_and_everybody_out() -> None:
    lane = passed_unflushed(2.0)
    _, entry = portal.on(lane, decision(), at(2.5))
    assert [effect.data["reason"] for effect in kinds(entry, Record)] == ["STORE_SLOW"]
    assert not kinds(entry, Release)
    _, leaving = portal.on(lane, decision(Direction.EXIT), at(2.5))
    assert kinds(leaving, Release)


def test_who_waited_while_the_flush_grew_late_is_refused_when_served() -> None:
    lane = passed_unflushed(1.0)
    lane, _ = portal.on(lane, Contact("door", True), at(1.1))
    lane, _ = portal.on(lane, decision(), at(1.2))
    lane, _ = portal.on(lane, Tick(), at(2.0))
    _, effects = portal.on(lane, Contact("door", False), at(2.5))
    assert "STORE_SLOW" in [effect.data.get("reason") for effect in kinds(effects, Record)]
    assert not kinds(effects, Release)


def test_once_the_flush_has_caught_up_people_are_let_in_again() -> None:
    lane, effects = portal.on(passed_unflushed(2.0), Flushed(7), at(3))
    assert Alert("store-slow", False) in effects
    assert lane.deadline is None
    _, effects = portal.on(lane, decision(), at(4))
    assert kinds(effects, Release)


def test_a_flush_of_the_older_of_two_grants_leaves_the_younger_its_time() -> None:
    lane = passed_unflushed(1.0)
    lane, _ = portal.on(lane, decision(), at(1.5))
    lane, _ = portal.on(lane, Written(9), at(1.5))
    lane, _ = portal.on(lane, Flushed(7), at(1.6))
    lane, effects = portal.on(lane, Contact("passage", True), at(1.7))
    lane, effects = portal.on(lane, Tick(), at(3.4))
    assert not kinds(effects, Alert)
    _, effects = portal.on(lane, Tick(), at(3.5))
    assert Alert("store-slow", True) in effects


@pytest.mark.parametrize("fact", [Moved(), Locked()], ids=["moved", "locked"])
@pytest.mark.parametrize("state", STATES)
def test_a_barrier_that_does_as_told_is_no_news(state: State, fact: portal.Fact) -> None:
    before = Portal(state=state, mode=Mode.FREE if state is State.FREE else Mode.NORMAL)
    assert portal.on(before, fact, at(0)) == (before, [])


def test_an_earlier_flush_is_not_mistaken_for_this_grants() -> None:
    lane, _ = portal.on(Portal(), decision(), at(0))
    lane, _ = portal.on(lane, Written(7), at(0))
    lane, _ = portal.on(lane, Flushed(6), at(0.1))
    lane, _ = portal.on(lane, Tick(), at(2.5))
    assert lane.state is State.CLOSED


MOMENTS = st.lists(st.tuples(st.sampled_from([*FACTS, Contact("emergency", True), Contact("emergency", False)]),
                             st.floats(0, 8)), max_size=60)


@settings(max_examples=300, deadline=None)
@given(MOMENTS, st.booleans())
def test_a_random_life_keeps_the_lanes_promises(life: list[tuple[portal.Fact, float]], sensor: bool) -> None:
    lane, _ = portal.begin(Portal(Timing(sensor=sensor)), at(0))
    mono = 0.0
    for fact, wait_s in life:
        mono += wait_s
        before = lane
        lane, effects = portal.on(lane, fact, at(mono))
        assert lane.state is not State.REST
        assert len(lane.pending) <= lane.timing.pending_max
        assert lane.deadline is None or lane.deadline >= mono, "what is due has been done"
        assert (lane.state is State.FREE) == (lane.wish is Mode.FREE)
        for index, effect in enumerate(effects):
            if isinstance(effect, Release) and effect.must_record:
                assert any(isinstance(each, Record) and each.kind == "AccessGranted" for each in effects[:index])
            if isinstance(effect, Release) and effect.direction is Direction.ENTRY:
                assert lane.wish is not Mode.LOCKDOWN or before.wish is not Mode.LOCKDOWN
        if lane.wish is Mode.FREE and before.wish is Mode.FREE:
            assert not kinds(effects, Secure)
        if lane.state is State.FREE and before.state is not State.FREE:
            assert kinds(effects, Hold)


def test_a_portal_is_a_value() -> None:
    lane = Portal()
    portal.on(lane, decision(), at(0))
    assert lane == Portal()
    with pytest.raises(AttributeError):
        lane.state = State.FREE  # type: ignore[misc]


def test_somebody_the_operators_have_to_hear_of_raises_an_alert_that_ends_by_itself() -> None:
    isolated = Decision(False, Reason.HEALTH_RULE, Direction.ENTRY, "in", holder="an", rule="a-pack.1", alerts=True)
    lane, effects = portal.on(Portal(), isolated, at(10.0))
    assert kinds(effects, Alert) == [Alert("denied-person", True, "a-pack.1: holder an, reader in")]
    assert lane.deadline == 10.0 + PERSON_ALERT_S
    lane, effects = portal.on(lane, decision(granted=False, holder="binh"), at(20.0))
    assert kinds(effects, Alert) == []
    lane, effects = portal.on(lane, isolated, at(300.0))
    lane, effects = portal.on(lane, Tick(), at(299.9 + PERSON_ALERT_S))
    assert kinds(effects, Alert) == []
    lane, effects = portal.on(lane, Tick(), at(300.0 + PERSON_ALERT_S))
    assert kinds(effects, Alert) == [Alert("denied-person", False)]
    assert lane.deadline is None


def test_an_event_keeps_the_rules_that_were_only_observed() -> None:
    granted = Decision(True, Reason.GRANTED, Direction.ENTRY, "in", holder="an", observed=("hcm-3328.4",))
    _, effects = portal.on(Portal(), granted, at(0.0))
    assert [record.data["observed"] for record in kinds(effects, Record)] == [["hcm-3328.4"]]
    _, effects = portal.on(Portal(), decision(), at(0.0))
    assert ["observed" in record.data for record in kinds(effects, Record)] == [False]
