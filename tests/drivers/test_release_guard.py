"""A daemon that dies or hangs in the middle of a release: the guardian, a real process, locks on traced pins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gate import config
from gate.drivers.pin_trace import levels
from gate.drivers.relay import RelayBarrier, RelaySettings
from gate.drivers.release_guard import ReleaseGuard
from gate.model import Direction, Fault

DAEMON = """
import sys, threading
from pathlib import Path
from gate import config
from gate.drivers.pins import open_factory
from gate.drivers.relay import RelayBarrier, RelaySettings
from gate.drivers.release_guard import ReleaseGuard
from gate.model import Direction

pins = config.Pins(factory="mock", trace=Path(sys.argv[1]))
settings = RelaySettings(entry_pin=17, exit_pin=27, active_high=sys.argv[2] == "high", max_on_s=60)
guard = ReleaseGuard(pins, settings, print)
guard.start()
barrier = RelayBarrier(settings, open_factory(pins))
barrier.tell = guard.released_until
barrier.start()
barrier.release(Direction.ENTRY, float(sys.argv[3]))
print("released", flush=True)
sys.stdin.read(1)
barrier.stop()
guard.stop()
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "pins.trace"


@pytest.fixture
def daemon_of(trace):
    """A process with a guarded barrier that releases the entry for so long, and then waits for a word."""
    started = []

    def make(pulse_s: float, active: str = "high") -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", DAEMON, str(trace), active, str(pulse_s)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        while process.stdout.readline() != b"released\n":
            assert process.poll() is None
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate()


def test_kill_in_the_middle_of_a_release_locks_without_any_help_from_systemd(daemon_of, trace, eventually):
    daemon = daemon_of(50.0)
    assert levels(trace)[17]
    daemon.kill()
    eventually(lambda: not levels(trace)[17])


def test_kill_locks_an_active_low_relay_at_its_high_level(daemon_of, trace, eventually):
    daemon = daemon_of(50.0, "low")
    assert not levels(trace)[17]
    daemon.kill()
    eventually(lambda: levels(trace)[17])


def test_hung_daemon_is_killed_and_its_release_ended(daemon_of, trace, eventually):
    daemon = daemon_of(0.2)
    daemon.send_signal(signal.SIGSTOP)
    eventually(lambda: daemon.poll() == -signal.SIGKILL)
    eventually(lambda: not levels(trace)[17])


def test_daemon_that_stops_in_order_is_not_killed_and_leaves_no_guardian_behind(daemon_of, trace):
    daemon = daemon_of(50.0)
    daemon.communicate(b"\n")
    assert daemon.returncode == 0  # it waited for the guardian's end
    assert not levels(trace)[17]


@pytest.fixture
def guard(trace):
    said: list[Fault] = []
    heard = threading.Event()

    def say(fault: Fault) -> None:
        said.append(fault)
        heard.set()

    pins = config.Pins(factory="mock", trace=trace)
    guard = ReleaseGuard(pins, RelaySettings(entry_pin=17), say)
    guard.said = said
    guard.start()
    yield guard
    guard.stop()


def test_guardian_that_dies_is_told_of_and_another_takes_its_place(guard, trace, eventually):
    eventually(lambda: guard.said)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: [fault.detail is None for fault in guard.said] == [True, False, True])


def children() -> list[int]:
    """The processes that this one has started."""
    tasks = Path("/proc/self/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def test_relay_says_before_a_release_until_when_it_lasts_and_zero_once_all_is_locked(pins, eventually):
    said: list[float] = []
    barrier = RelayBarrier(RelaySettings(entry_pin=17, exit_pin=27), pins)
    barrier.tell = lambda until_mono: said.append((until_mono, pins.pin("GPIO17").state))
    barrier.start()
    barrier.release(Direction.ENTRY, 0.01)
    eventually(lambda: not barrier.released())
    barrier.stop()
    (until_mono, released), (locked, high), *_ = said
    assert until_mono > 0 and not released
    assert locked == 0 and not high
