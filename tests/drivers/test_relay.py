from __future__ import annotations

import threading

import pytest
from gpiozero import OutputDevice
from hypothesis import given
from hypothesis import strategies as st

from gate.drivers import fake
from gate.drivers.relay import RelayBarrier, RelaySettings
from gate.drivers.release import Release
from gate.errors import DeviceError
from gate.model import Direction

LONG_S = 50.0
"""Longer than any test: a release of it ends only by what the test is about."""


@pytest.fixture
def barrier_of(pins):
    started = []

    def make(**settings) -> RelayBarrier:
        barrier = RelayBarrier(RelaySettings(entry_pin=17, **settings), pins)
        barrier.start()
        started.append(barrier)
        return barrier

    yield make
    for barrier in started:
        barrier.stop()


def test_pulse_ends_by_itself(barrier_of, levels, eventually):
    barrier_of().release(Direction.ENTRY, 0.01)
    eventually(lambda: levels(17) == [False, True, False])


def test_each_direction_moves_its_own_relay(barrier_of, levels):
    barrier = barrier_of(exit_pin=27)
    barrier.release(Direction.EXIT, LONG_S)
    assert (levels(17), levels(27)) == ([False], [False, True])


def test_one_relay_serves_both_directions(barrier_of, levels):
    barrier = barrier_of()
    barrier.release(Direction.EXIT, LONG_S)
    assert levels(17) == [False, True]


def test_active_low_relay_is_high_from_start_to_stop_but_while_released(barrier_of, pins, levels, eventually):
    barrier = barrier_of(active_high=False)
    barrier.release(Direction.ENTRY, 0.01)
    eventually(lambda: not barrier.released())
    barrier.stop()
    assert levels(17)[1:] == [True, False, True]  # the first is the mock pin before it was an output


def test_fail_safe_lock_is_powered_while_locked_and_unpowered_while_released(barrier_of, levels):
    barrier = barrier_of(lock="fail_safe")
    barrier.release(Direction.ENTRY, LONG_S)
    assert levels(17) == [False, True, False]


def test_release_never_outlasts_the_cut_off_however_often_it_is_triggered(barrier_of, levels, eventually):
    barrier = barrier_of(max_on_s=0.05)

    def cut_off() -> bool:
        barrier.release(Direction.ENTRY, LONG_S)
        return levels(17)[:3] == [False, True, False]

    eventually(cut_off)


def test_hold_is_dropped_when_its_lease_is_not_renewed(barrier_of, levels, eventually):
    barrier = barrier_of(exit_pin=27)
    barrier.hold(0.01)
    eventually(lambda: levels(17) == levels(27) == [False, True, False])


def test_secure_ends_a_release_at_once(barrier_of, levels):
    barrier = barrier_of()
    barrier.hold(LONG_S)
    barrier.secure()
    assert levels(17) == [False, True, False]
    assert not barrier.released()


def test_stop_secures_in_the_middle_of_a_pulse_and_the_barrier_can_start_again(barrier_of, levels):
    barrier = barrier_of()
    barrier.release(Direction.ENTRY, LONG_S)
    barrier.stop()
    assert levels(17) == [False, True, False]
    barrier.start()
    assert not barrier.released()


def test_pin_that_does_not_move_raises_and_leaves_the_barrier_secured(barrier_of, pins, levels):
    barrier = barrier_of(exit_pin=27)
    pins.pin("GPIO17").broken = True
    with pytest.raises(DeviceError, match="barrier entry on BCM 17: the pin does not move"):
        barrier.release(Direction.ENTRY, LONG_S)
    assert not barrier.released()
    barrier.release(Direction.EXIT, LONG_S)
    assert levels(27) == [False, True]


def test_pin_that_does_not_lock_counts_as_released_and_is_retried(barrier_of, pins, levels, eventually):
    barrier = barrier_of()
    barrier.release(Direction.ENTRY, LONG_S)
    pins.pin("GPIO17").broken = False
    with pytest.raises(DeviceError):
        barrier.secure()
    assert barrier.released()
    with pytest.raises(DeviceError):
        barrier.release(Direction.ENTRY, LONG_S)
    pins.pin("GPIO17").broken = None
    eventually(lambda: not barrier.released())
    assert levels(17) == [False, True, False]


def test_pin_in_use_is_refused_with_the_fix_and_nothing_is_kept(pins):
    barrier = RelayBarrier(RelaySettings(entry_pin=17, exit_pin=27), pins)
    with OutputDevice(27, pin_factory=pins), pytest.raises(DeviceError, match="stop the daemon first"):
        barrier.start()
    barrier.start()  # both lines are free again
    barrier.stop()


def test_barrier_that_was_not_started_says_so(pins):
    with pytest.raises(DeviceError, match="not started"):
        RelayBarrier(RelaySettings(entry_pin=17), pins).release(Direction.ENTRY, 1.0)


def test_barrier_is_secured_after_many_threads_have_moved_it(barrier_of, pins, eventually):
    barrier = barrier_of(exit_pin=27)

    def move() -> None:
        for _ in range(200):
            barrier.release(Direction.ENTRY, 0.0005)
            barrier.hold(0.0005, Direction.EXIT)

    threads = [threading.Thread(target=move) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: not barrier.released())
    assert (pins.pin("GPIO17").state, pins.pin("GPIO27").state) == (False, False)


MOVES = st.lists(st.tuples(st.sampled_from(["pulse", "lease", "wait"]), st.floats(0.01, 20.0)), max_size=40)


@given(MOVES)
def test_release_always_ends_within_the_cut_off_of_its_beginning_or_last_lease(moves):
    now, since, release = 100.0, None, Release(max_on_s=5.0)
    for move, seconds in moves:
        if move == "wait":
            now += seconds / 4
        elif move == "pulse":
            since = now if release.until_mono is None else since
            release.pulse(now, seconds)
        else:
            since = now
            release.lease(now, seconds)
        if release.due(now):
            release.end()
        if release.until_mono is not None:
            assert now < release.until_mono <= since + 5.0


@given(MOVES)
def test_fake_barrier_records_releases_and_ends_in_turn(moves):
    now = [100.0]
    barrier = fake.FakeBarrier(lambda: now[0])
    for move, seconds in moves:
        if move == "wait":
            now[0] += seconds / 4
        elif move == "pulse":
            barrier.release(Direction.ENTRY, seconds)
        else:
            barrier.hold(seconds)
    barrier.stop()
    states = [released for _, released in barrier.moves]
    assert states == [index % 2 == 0 for index in range(len(states))]
    assert not barrier.released()
    times = [mono for mono, _ in barrier.moves]
    assert times == sorted(times)


def test_fake_barrier_ends_a_pulse_when_it_was_due_not_when_somebody_looked():
    now = [100.0]
    barrier = fake.FakeBarrier(lambda: now[0])
    barrier.release(Direction.ENTRY, 0.5)
    now[0] = 200.0
    assert barrier.moves == [(100.0, True), (100.5, False)]
