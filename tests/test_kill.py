"""Law 1 on a real daemon: killed at any moment, every pulse of the relay has its record, and nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from random import Random

import pytest
from support_gate import (
    PATIENCE_S,
    RED_PIN,
    Centre,
    Gate,
    amend,
    assert_every_pulse_has_its_record,
    assert_kept_once_and_in_order,
    readers_of,
)
from support_mosquitto import needs_mosquitto

from gate.demo.parts import wait_for
from gate.demo.site import ENTRY_PIN, EXIT_PIN, DemoSite
from gate.model import EventKind

KILLS = 100
SEED = 20211001
PULSE_S = 0.02
"""So short that one run sees several pulses."""
START_MAX_S = 0.4
"""Longer than a start takes, so that some kills fall into it."""
LINGER_MAX_S = 0.03
SCANS = (("scanner-in", "an-pass"), ("scanner-in", "binh-cccd"), ("keypad-in", "binh-so"), ("scanner-in", "chi-cccd"),
         ("scanner-out", "chi-cccd"), ("scanner-out", "dung-cccd"), ("scanner-out", "an-qr"))


@pytest.fixture
def gate(site: DemoSite, gate_of: Callable[[DemoSite], Gate]) -> Gate:
    """A gate with two scanners and a keypad."""
    amend(site, readers=readers_of(site, "serial", "keypad"), portal={"pulse_s": PULSE_S})
    return gate_of(site)


def until(seen: Callable[[], bool]) -> None:
    """Wait without a pause, so that what follows comes within microseconds."""
    until_mono = time.monotonic() + PATIENCE_S
    while not seen():
        assert time.monotonic() < until_mono, "waited in vain"


def linger(seconds: float) -> None:
    """Let a little time pass, to the microsecond."""
    until_mono = time.monotonic() + seconds
    while time.monotonic() < until_mono:
        os.sched_yield()


def scan_and_kill(gate: Gate, rng: Random) -> None:
    """Hold up one to three codes, and kill the gate as it reads, opens, writes, or shortly after."""
    for reader, code in rng.sample(SCANS, rng.randint(1, 3)):
        moved, seq = gate.trace.stat().st_size, gate.last_seq()
        gate.scan(reader, code)
        sign = rng.choice([
            lambda reader=reader: gate.lines[reader].unread() == 0,
            lambda moved=moved: gate.trace.stat().st_size > moved,
            lambda seq=seq: gate.last_seq() > seq,
        ])
        until(sign)
    linger(rng.choice([0.0, rng.uniform(0, LINGER_MAX_S)]))
    gate.kill()


@needs_mosquitto
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_a_hundred_times_every_pulse_has_its_record_and_every_event_arrives_once(
    gate: Gate, centre: Centre,
) -> None:
    rng = Random(SEED)
    known_seq = known_pulses = 0
    for _ in range(KILLS):
        if rng.random() < 0.1:
            gate.launch()
            linger(rng.uniform(0, START_MAX_S))
            gate.kill()
        gate.start()
        assert_every_pulse_has_its_record(gate.pulses()[known_pulses:], gate.events(after_seq=known_seq))
        known_seq, known_pulses = gate.last_seq(), len(gate.pulses())
        scan_and_kill(gate, rng)
    gate.start()
    assert_every_pulse_has_its_record(gate.pulses()[known_pulses:], gate.events(after_seq=known_seq))
    centre.wait_all_of(gate)
    assert_kept_once_and_in_order(gate, centre)
    assert min(len(gate.pulses(ENTRY_PIN)), len(gate.pulses(EXIT_PIN))) >= KILLS / 4, "too few to prove anything"


def test_while_the_ledger_is_stuck_nobody_is_let_in_and_a_way_out_survives_the_kill(gate: Gate) -> None:
    amend(gate.site, mqtt=None)
    gate.start()
    with closing(sqlite3.connect(gate.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # whoever writes has to wait, for as long as this lasts
        red = len(gate.pulses(RED_PIN))
        gate.scan("scanner-in", "binh-cccd")
        wait_for("the answer", lambda: len(gate.pulses(RED_PIN)) > red or gate.pulses(ENTRY_PIN), PATIENCE_S)
        assert gate.pulses(ENTRY_PIN) == []
        gate.scan("scanner-out", "chi-cccd")
        gate.wait_pulses(EXIT_PIN, 1)
        gate.kill()
    gate.start()
    assert_every_pulse_has_its_record(gate.pulses(), gate.events())


def test_gate_that_was_killed_says_so_and_one_that_was_stopped_does_not(gate: Gate) -> None:
    amend(gate.site, mqtt=None)
    gate.start()
    gate.kill()
    gate.start()
    assert gate.stop() == 0
    gate.start()
    assert [event.data["unclean"] for event in gate.events(EventKind.GATE_STARTED)] == [False, True, False]

