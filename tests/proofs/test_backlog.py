"""The short form of the backlog: all of it arrives once and in order, and everybody is let in meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support_mosquitto import needs_mosquitto

from gate.demo.site import DemoSite
from tests.proofs.backlog import Backlog

EVENTS = 20_000


@needs_mosquitto
@pytest.mark.slow
def test_a_backlog_arrives_once_in_order_while_people_are_let_in(new_site: Callable[[], DemoSite]) -> None:
    story = Backlog(new_site(), EVENTS).deliver()
    assert story.difference is None
    assert story.late == 0
    assert story.events > EVENTS
    assert story.draining_s, "nobody came while it drained"
