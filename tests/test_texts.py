"""What the lane says: every reason, kind and state in both languages, and nothing of a person."""

from __future__ import annotations

from enum import Enum

import pytest

from gate.model import EventKind, Mode, Reason
from gate.order import Refusal
from gate.portal import State
from gate.texts import KINDS, STATES, TEXTS, hint_words, kind_words, reason_text, refusal_words, state_words


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_reason_is_said_in_both_languages_with_the_next_step(reason: Reason) -> None:
    text = TEXTS[reason]
    assert all(text)
    assert text.vi != text.en
    assert reason_text(reason.name) is text
    assert reason_text(reason.value[1]) is text


@pytest.mark.parametrize("key", ["", "NEW_REASON"])
def test_a_reason_of_a_later_release_is_a_plain_refusal(key: str) -> None:
    assert reason_text(key) is TEXTS[Reason.OTHER]


def test_every_kind_of_event_has_words() -> None:
    assert set(KINDS) == set(EventKind)
    assert kind_words("AccessGranted") is KINDS[EventKind.ACCESS_GRANTED]


@pytest.mark.parametrize("states", [Mode, set(State) - {State.REST}], ids=["modes", "portal"])
def test_every_mode_and_state_has_words(states: set[Enum]) -> None:
    assert {state.value for state in states} <= set(STATES)
    assert state_words("lockdown") is STATES["lockdown"]


def test_what_a_later_release_says_is_shown_as_it_stands() -> None:
    assert kind_words("SomethingNew") == ("SomethingNew", "SomethingNew")
    assert state_words("dreaming") == ("dreaming", "dreaming")


def test_a_hint_that_this_release_does_not_know_is_left_unsaid() -> None:
    assert hint_words("after-identity") is not None
    assert hint_words("url") is not None
    assert hint_words("of a later release") is None


def test_every_refusal_of_a_command_is_said_in_both_languages() -> None:
    for refusal in Refusal:
        assert all(refusal_words(refusal.value))
    assert refusal_words("of-a-later-release") == ("of-a-later-release", "of-a-later-release")
