from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from gate.drivers import buzzer, lamps
from gate.drivers.lamps import Lamps, LampsSettings
from gate.drivers.pattern import at
from gate.errors import DeviceError
from gate.model import Signal

GREEN, RED, AMBER = 22, 23, 24
FITTED = [{"green", "red", "amber"}, {"green", "red"}]


@pytest.fixture
def lamps_of(pins):
    started = []

    def make(**settings) -> Lamps:
        made = Lamps(LampsSettings(green_pin=GREEN, red_pin=RED, amber_pin=AMBER, **settings), pins)
        made.start()
        started.append(made)
        return made

    yield make
    for made in started:
        made.stop()


@pytest.fixture
def lit(pins):
    names = {GREEN: "green", RED: "red", AMBER: "amber"}
    return lambda: {name for number, name in names.items() if pins.pin(f"GPIO{number}").state}


@pytest.mark.parametrize("fitted", FITTED, ids=lambda fitted: "+".join(sorted(fitted)))
def test_every_signal_differs_from_every_other_by_lamps_alone(fitted):
    seen = {signal: (tuple((step.on & fitted, step.lasts_s) for step in pattern.steps), pattern.repeat)
            for signal, pattern in lamps.PATTERNS.items()}
    assert all(seen[one] != seen[other] for one, other in itertools.combinations(Signal, 2))


def test_who_cannot_tell_red_from_green_sees_a_grant_by_its_steadiness():
    assert len(lamps.PATTERNS[Signal.GRANTED].steps) == 1
    assert all(len(lamps.PATTERNS[signal].steps) > 1 for signal in (Signal.DENIED, Signal.CALL_GUARD, Signal.ALARM))


@pytest.mark.parametrize("pattern", lamps.PATTERNS.values(), ids=lamps.PATTERNS)
def test_no_lamp_flashes_more_than_three_times_a_second(pattern):
    if len(pattern.steps) > 1:
        assert sum(step.lasts_s for step in pattern.steps) >= 1 / 3


@pytest.mark.parametrize("driver", [lamps, buzzer])
def test_every_signal_has_a_pattern_and_words_for_it(driver):
    assert set(driver.PATTERNS) == set(driver.LOOKS) == set(Signal)


def test_pattern_repeats_from_its_beginning():
    blink = lamps.PATTERNS[Signal.DENIED]
    assert at(blink, 0.1)[0] == at(blink, 4.1)[0] == {"red"}
    assert at(blink, 0.3)[0] == at(blink, 4.3)[0] == set()


def test_granted_is_green_and_gives_way_to_red(lamps_of, lit, levels, eventually):
    made = lamps_of(result_s=0.02)
    eventually(lambda: lit() == {"red"})
    made.show(Signal.GRANTED)
    eventually(lambda: levels(GREEN) == [False, True, False] and lit() == {"red"})


def test_denied_in_lockdown_gives_way_to_lockdown(lamps_of, lit, eventually):
    made = lamps_of(result_s=0.02)
    made.show(Signal.LOCKDOWN)
    made.show(Signal.DENIED)
    eventually(lambda: lit() == {"red", "amber"})


def test_stop_leaves_every_lamp_dark(lamps_of, lit, eventually):
    made = lamps_of()
    eventually(lambda: lit() == {"red"})
    made.stop()
    assert lit() == set()


def test_broken_lamp_is_told_until_it_works_and_the_others_go_on(lamps_of, pins, lit, eventually):
    made = lamps_of()
    eventually(lambda: lit() == {"red"})
    pins.pin(f"GPIO{GREEN}").broken = True
    pins.pin(f"GPIO{RED}").broken = False
    raised: list[DeviceError] = []

    def told() -> bool:
        try:
            made.show(Signal.GRANTED)
        except DeviceError as error:
            raised.append(error)
        return bool(raised)

    eventually(told)
    assert "lamps" in str(raised[0])
    with pytest.raises(DeviceError):
        made.show(Signal.READING)
    eventually(lambda: "amber" in lit())
    pins.pin(f"GPIO{GREEN}").broken = pins.pin(f"GPIO{RED}").broken = None

    def works() -> bool:
        with suppress(DeviceError):
            made.show(Signal.READING)
            return True
        return False

    eventually(works)
