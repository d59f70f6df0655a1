"""Law 2 on a real daemon: 20,000 events without a broker; the gate decides all the while, then all of them arrive."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import pytest
from support_gate import PATIENCE_S, Centre, Gate, amend, assert_kept_once_and_in_order, readers_of
from support_mosquitto import needs_mosquitto

from gate.demo.parts import wait_for
from gate.demo.site import ENTRY_PIN, DemoSite
from gate.inbox import SCANS_MAX
from gate.model import EventKind

EVENTS = 20_000
GRANT_EVERY = 100
AT_ONCE = SCANS_MAX // 2
"""So many scans are under way at most: the inbox drops what a person could never show so fast."""


def refuse(gate: Gate, first: int, last: int) -> None:
    """Have the scanner read a wrong code of its own for each number, and wait until all of them are recorded."""
    for begin in range(first, last, AT_ONCE):
        seq, end = gate.last_seq(), min(begin + AT_ONCE, last)
        for number in range(begin, end):
            gate.send("scanner-in", f"rác {number}".encode())
        wait_for("the refusals", lambda seq=seq, many=end - begin: gate.last_seq() >= seq + many, PATIENCE_S)


@needs_mosquitto
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_after_an_outage_of_20_000_events_all_arrive_once_in_order_and_every_grant_had_opened(
    site: DemoSite, centre: Centre, gate_of: Callable[[DemoSite], Gate],
) -> None:
    readers = [reader | {"repeat_s": 0} for reader in readers_of(site, "serial")]
    amend(site, readers=readers, portal={"pulse_s": 0.02}, mqtt={"backoff_max_s": 1})
    gate = gate_of(site).start()
    centre.wait_event(EventKind.GATE_STARTED)
    centre.stop()
    people = cycle(("an-qr", "binh-cccd"))
    grants = 0
    for done in range(0, EVENTS, GRANT_EVERY):
        gate.scan("scanner-in", next(people))
        grants += 1
        gate.wait_pulses(ENTRY_PIN, grants)
        refuse(gate, done, done + GRANT_EVERY - 1)
    before_return = gate.last_seq()
    assert before_return >= EVENTS
    assert centre.count() < grants, "the broker was not away"
    centre.start()
    centre.wait_all_of(gate)
    assert_kept_once_and_in_order(gate, centre)
    kinds = [event.kind for event in centre.events()]
    assert kinds.count(EventKind.ACCESS_GRANTED) == len(gate.pulses(ENTRY_PIN)) == grants
    assert kinds.count(EventKind.ACCESS_DENIED) == EVENTS - grants
