"""What a process can no longer do once it meets pixels: tried out, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gate.drivers.confinement import DATA_MAX_BYTES

ATTEMPTS = {
    "a network": "socket.socket(socket.AF_INET)",
    "another network": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "the kernel's messages": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "another program": "os.execv('/bin/true', ['true'])",
    "a signal to its daemon": "os.kill(os.getppid(), 0)",
    "its daemon's limits": "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (9, 9))",
    "more memory than its limit": f"bytearray({DATA_MAX_BYTES})",
    "a limit lifted again": f"resource.setrlimit(resource.RLIMIT_DATA, ({2 * DATA_MAX_BYTES},) * 2)",
}
SCRIPT = """
import os, resource, socket, sys, threading
from gate.drivers.confinement import confine
go, answers = threading.Event(), []
def attempt():
    go.wait()
    try:
        {attempt}
        answers.append("done")
    except (PermissionError, MemoryError, ValueError) as error:
        answers.append("refused")
thread = threading.Thread(target=attempt)
thread.start()
{confine}
go.set()
thread.join()
print(*answers)
"""


def answer(attempt: str, confine: str = "confine()") -> str:
    """What a thread hears that was there before its process gave up what it may do."""
    return subprocess.run([sys.executable, "-c", SCRIPT.format(attempt=attempt, confine=confine)],
                          capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_confined_process_is_refused(attempt: str) -> None:
    assert answer(ATTEMPTS[attempt]) == "refused"


@pytest.mark.parametrize("still", ["socket.socket(socket.AF_UNIX)", "bytearray(2**20)", "open(os.devnull).close()",
                                   "threading.Thread(target=print).start()"])
def test_a_confined_process_can_still_do_its_work(still: str) -> None:
    assert answer(still).endswith("done")


def test_unconfined_it_could_reach_its_daemon() -> None:
    assert answer(ATTEMPTS["a signal to its daemon"], confine="") == "done"
