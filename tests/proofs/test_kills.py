"""The short form of the kills: each release ends before the gate is started again, and then it decides again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from gate.demo.site import DemoSite
from tests.proofs.kills import Lane, stop_post

LEFT_ON = ("locks left released", "other outputs left on")


@pytest.mark.slow
def test_a_killed_gate_leaves_no_lock_released_and_decides_again(new_site: Callable[[], DemoSite]) -> None:
    site = new_site()
    tally = Lane(site, Random(1), stop_post(site.config)).kill_often(20)
    assert {name: tally.counts[name] for name in LEFT_ON} == dict.fromkeys(LEFT_ON, 0)
    assert len(tally.guarded_s) > 5
    assert len(tally.decides_s) == 21 - tally.counts["kills while it started"] > 10


def test_the_guardian_alone_locks_after_each_kill(new_site: Callable[[], DemoSite]) -> None:
    tally = Lane(new_site(), Random(1), after_death=(), unguarded=0).kill_often(4)
    assert tally.counts["locks left released"] == 0
    assert tally.guarded_s


def test_the_command_after_its_death_alone_locks_after_each_kill(new_site: Callable[[], DemoSite]) -> None:
    site = new_site()
    tally = Lane(site, Random(1), stop_post(site.config), unguarded=1).kill_often(4)
    assert tally.counts["locks left released"] == 0
    assert tally.secured_s


def test_with_neither_a_lock_stays_released(new_site: Callable[[], DemoSite]) -> None:
    tally = Lane(new_site(), Random(1), after_death=(), unguarded=1).kill_often(4)
    assert tally.counts["locks left released"]
