"""When wall time is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gate.clock import FLOOR_SLACK, SHIFT_START, SystemClock


class Wall:
    """Wall time that a test sets."""

    def __init__(self) -> None:
        self.moment = SHIFT_START

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def wall() -> Wall:
    return Wall()


def test_a_small_step_back_leaves_the_clock_trusted(wall: Wall) -> None:
    system = SystemClock(synchronised=lambda: True, wall=wall)
    system.now()
    wall.moment = SHIFT_START - timedelta(seconds=2)
    assert system.now().trusted
    assert system.floor_at == SHIFT_START, "and the floor stays where it was"


def test_a_clock_that_fell_behind_its_floor_is_not_trusted(wall: Wall) -> None:
    system = SystemClock(synchronised=lambda: True, wall=wall)
    system.now()
    wall.moment = SHIFT_START - FLOOR_SLACK - timedelta(seconds=1)
    assert not system.now().trusted


def test_the_floor_does_not_rise_from_a_clock_that_nobody_vouches_for(wall: Wall) -> None:
    system = SystemClock(synchronised=lambda: False, wall=wall)
    wall.moment = datetime(2038, 1, 19, tzinfo=UTC)
    assert not system.now().trusted
    wall.moment = SHIFT_START
    assert system.floor_at < SHIFT_START


def test_a_kept_floor_holds_after_a_restart(wall: Wall) -> None:
    system = SystemClock(floor_at=SHIFT_START + timedelta(days=1), synchronised=lambda: True, wall=wall)
    assert not system.now().trusted
