from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.alarms import CALM_S, INPUTS, LOCK, LOCK_SETTLE_S, NOT_TAKEN_MAX, TAILGATING_S, WATCHED, Alarms
from gate.clock import SHIFT_START
from gate.model import ALERTS, Alert, Contact, Effect, EventKind, Now, Record

TAKEN, NOT_TAKEN = Record(EventKind.ACCESS_TAKEN), Record(EventKind.ACCESS_NOT_TAKEN)
FORCED, SECURED = Record(EventKind.DOOR_FORCED_OPEN), Alert("forced-open", False)


def at(mono: float) -> Now:
    return Now(SHIFT_START, mono)


def told(effects: list[Effect]) -> list[tuple[str, bool]]:
    return [(effect.id, effect.active) for effect in effects if isinstance(effect, Alert)]


@pytest.mark.parametrize("name", INPUTS)
def test_input_is_an_alarm_until_it_has_been_calm(name):
    alarms = Alarms()
    assert told(alarms.hear(Contact(name, True), at(0))) == [(name, True)]
    assert alarms.hear(Contact(name, False), at(5)) == []
    assert alarms.watch(True, at(5 + CALM_S - 0.1)) == []
    ended = alarms.watch(True, at(5 + CALM_S))
    assert ended[0] == Record(INPUTS[name], {"active": False, "cause": name, "times": 1})
    assert told(ended) == [(name, False)]


def test_input_at_rest_when_the_gate_starts_is_no_alarm():
    assert Alarms().hear(Contact("tamper", False), at(0)) == []


def test_input_that_flutters_is_one_alarm_with_a_count():
    alarms, effects = Alarms(), []
    for change in range(2_000):
        effects += alarms.hear(Contact("tamper", change % 2 == 0), at(change * 0.05))
        effects += alarms.watch(True, at(change * 0.05))
    effects += alarms.watch(True, at(100 + CALM_S))
    assert [effect.data.get("times") for effect in effects if isinstance(effect, Record)] == [None, 1_000]
    assert told(effects) == [("tamper", True), ("tamper", False)]


def test_passage_without_a_grant_close_behind_one_is_tailgating():
    alarms = Alarms()
    assert alarms.heed([TAKEN], at(0)) == []
    assert told(alarms.heed([FORCED], at(TAILGATING_S))) == [("tailgating", True)]
    alarms.heed([SECURED], at(4))
    assert told(alarms.watch(True, at(4 + CALM_S))) == [("tailgating", False)]


def test_door_forced_later_is_no_tailgating():
    alarms = Alarms()
    alarms.heed([TAKEN], at(0))
    assert alarms.heed([FORCED], at(TAILGATING_S + 0.1)) == []


def test_grants_that_nobody_takes_tell_of_a_sensor_and_a_passage_ends_it():
    alarms = Alarms()
    for lapsed in range(NOT_TAKEN_MAX - 1):
        assert alarms.heed([NOT_TAKEN], at(lapsed)) == []
    assert told(alarms.heed([NOT_TAKEN], at(9))) == [("no-passage", True)]
    alarms.heed([TAKEN], at(20))
    assert told(alarms.watch(True, at(20 + CALM_S))) == [("no-passage", False)]


def test_grants_withdrawn_by_a_lockdown_or_presumed_taken_say_nothing_of_the_sensor():
    alarms = Alarms()
    for each in range(3 * NOT_TAKEN_MAX):
        assert alarms.heed([Record(EventKind.ACCESS_NOT_TAKEN, {"cause": "lockdown"})], at(each)) == []
        assert alarms.heed([Record(EventKind.ACCESS_TAKEN, {"presumed": True})], at(each)) == []


def test_bolt_that_does_not_follow_a_locked_lane_is_told_and_cleared():
    alarms = Alarms()
    alarms.hear(Contact(LOCK, False), at(0))
    assert alarms.watch(False, at(100)) == [], "the lane is released"
    assert alarms.watch(True, at(101)) == []
    assert told(alarms.watch(True, at(101 + LOCK_SETTLE_S))) == [("lock-open", True)]
    alarms.hear(Contact(LOCK, True), at(110))
    alarms.watch(True, at(110))
    assert told(alarms.watch(True, at(110 + CALM_S))) == [("lock-open", False)]


def test_lane_without_lock_feedback_raises_nothing():
    assert all(Alarms().watch(True, at(mono)) == [] for mono in range(100))


HAPPENINGS = st.one_of(
    st.builds(Contact, st.sampled_from(sorted(WATCHED)), st.booleans()),
    st.sampled_from([TAKEN, NOT_TAKEN, FORCED, SECURED]), st.booleans(),
)


@given(st.lists(st.tuples(HAPPENINGS, st.floats(0, 12)), max_size=80))
def test_whatever_happens_alarms_alternate_and_move_nothing(happenings):
    alarms, mono, effects = Alarms(), 0.0, []
    for happened, pause_s in happenings:
        mono += pause_s
        if isinstance(happened, Contact):
            effects += alarms.hear(happened, at(mono))
        elif isinstance(happened, bool):
            effects += alarms.watch(happened, at(mono))
        else:
            effects += alarms.heed([happened], at(mono))
    assert all(isinstance(effect, Record | Alert) for effect in effects), "an alarm never moves the barrier"
    alerts = told(effects)
    assert {name for name, _ in alerts} <= ALERTS
    for name in {name for name, _ in alerts}:
        states = [active for each, active in alerts if each == name]
        assert states[0]
        assert all(before != after for before, after in pairwise(states))
