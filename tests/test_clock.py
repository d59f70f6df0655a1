"""When wall time is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gate import clock
from gate.clock import FLOOR_SLACK, SHIFT_START, SystemClock


class Wall(datetime):
    """Wall time that a test sets."""

    moment = SHIFT_START

    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return cls.moment


@pytest.fixture(autouse=True)
def wall(monkeypatch: pytest.MonkeyPatch) -> type[Wall]:
    Wall.moment = SHIFT_START
    monkeypatch.setattr(clock, "datetime", Wall)
    return Wall


def test_a_small_step_back_leaves_the_clock_trusted(wall: type[Wall]) -> None:
    system = SystemClock(synchronised=lambda: True)
    system.now()
    wall.moment = SHIFT_START - timedelta(seconds=2)
    assert system.now().trusted
    assert system.floor_at == SHIFT_START, "and the floor stays where it was"


def test_a_clock_that_fell_behind_its_floor_is_not_trusted(wall: type[Wall]) -> None:
    system = SystemClock(synchronised=lambda: True)
    system.now()
    wall.moment = SHIFT_START - FLOOR_SLACK - timedelta(seconds=1)
    assert not system.now().trusted


def test_the_floor_does_not_rise_from_a_clock_that_nobody_vouches_for(wall: type[Wall]) -> None:
    system = SystemClock(synchronised=lambda: False)
    wall.moment = datetime(2038, 1, 19, tzinfo=UTC)
    assert not system.now().trusted
    wall.moment = SHIFT_START
    assert system.floor_at < SHIFT_START


def test_a_kept_floor_holds_after_a_restart(wall: type[Wall]) -> None:
    system = SystemClock(floor_at=SHIFT_START + timedelta(days=1), synchronised=lambda: True)
    assert not system.now().trusted
