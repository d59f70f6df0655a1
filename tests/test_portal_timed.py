"""A lane that was opened for some minutes: free until they are over, whatever ends or outlasts them."""

from __future__ import annotations

from support_portal import LOCKDOWN, lives

from gate.model import Contact, EventKind, Hold, Mode, Record, Secure, SetMode, Tick

FOR_A_MINUTE = SetMode(Mode.FREE, "operator", "delivery", for_s=60.0)



def test_it_is_held_open_and_its_end_is_a_deadline_of_the_lane():
    lane, effects = lives([(0, FOR_A_MINUTE)])
    assert lane.wish is Mode.FREE and Hold() in effects
    assert lane.open_until_mono == 60.0
    assert Record(EventKind.MODE_CHANGED, {
        "mode": "free", "actor": "operator", "cause": "delivery", "for_s": 60.0}) in effects


def test_it_locks_when_the_minutes_are_over_and_says_so():
    lane, effects = lives([(0, FOR_A_MINUTE), (60.0, Tick())])
    assert lane.wish is Mode.NORMAL and lane.open_until_mono is None
    lane, effects = lives([(0, FOR_A_MINUTE), (59.9, Tick())])
    assert lane.wish is Mode.FREE and Secure() not in effects


def test_a_lasting_mode_ends_it_at_once():
    lane, effects = lives([(0, FOR_A_MINUTE), (1, LOCKDOWN)])
    assert lane.wish is Mode.LOCKDOWN and lane.open_until_mono is None and Secure() in effects


def test_an_emergency_outlasts_it():
    lane, effects = lives([(0, FOR_A_MINUTE), (1, Contact("emergency", True)), (60.0, Tick())])
    assert lane.wish is Mode.FREE and Secure() not in effects
