from __future__ import annotations

import itertools

import pytest

from gate.drivers.buzzer import PATTERNS, BuzzerIndicator, BuzzerSettings
from gate.model import Signal

PIN = 25


@pytest.fixture
def buzzer(pins):
    made = BuzzerIndicator(BuzzerSettings(pin=PIN, result_s=30.0), pins)
    made.start()
    yield made
    made.stop()


def beeps(signal: Signal) -> list[float]:
    return [step.lasts_s for step in PATTERNS[signal].steps if step.on]


def test_every_signal_differs_from_every_other_by_sound_alone():
    assert all(PATTERNS[one] != PATTERNS[other] for one, other in itertools.combinations(Signal, 2))


def test_grant_is_one_short_beep_and_denial_three():
    assert len(beeps(Signal.GRANTED)) == 1
    assert max(beeps(Signal.GRANTED)) < 0.5
    assert len(beeps(Signal.DENIED)) == 3


@pytest.mark.parametrize("signal", [s for s in Signal if s not in (Signal.ALARM, Signal.PREALARM)])
def test_every_signal_but_the_alarms_falls_silent(signal):
    pattern = PATTERNS[signal]
    assert not pattern.steps[-1].on
    assert not pattern.repeat or len(pattern.steps) == 1


def test_denial_sounds_three_times_and_falls_silent(buzzer, levels, eventually):
    buzzer.show(Signal.DENIED)
    eventually(lambda: levels(PIN) == [False, True, False, True, False, True, False])


def test_alarm_sounds_until_the_next_signal(buzzer, levels, eventually):
    buzzer.show(Signal.ALARM)
    eventually(lambda: levels(PIN) == [False, True])
    buzzer.show(Signal.IDLE)
    eventually(lambda: levels(PIN) == [False, True, False])


def test_stop_silences_an_alarm(buzzer, pins, levels, eventually):
    buzzer.show(Signal.ALARM)
    eventually(lambda: levels(PIN) == [False, True])
    buzzer.stop()
    assert pins.pin(f"GPIO{PIN}").state is False
