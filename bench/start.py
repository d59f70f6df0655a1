"""Start to ready, and resident memory: daemon, camera process, recorder, each against `python -c pass`."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from bench.figure import Figure, Setup, cost, p50
from bench.people import Issuer, roster
from bench.site import make_gate, resident_kib, start_to_ready

EQUIPMENT = {
    "indicators": [{"driver": "lamps", "green_pin": 22, "red_pin": 23, "amber_pin": 24},
                   {"driver": "buzzer", "pin": 25}],
    "contacts": [{"name": "passage", "driver": "gpio", "pin": 5}, {"name": "rex", "driver": "gpio", "pin": 6}],
    "mqtt": {"host": "127.0.0.1", "port": 9},
}
"""What a usual lane has beside scanner and relay; nobody answers at that port, and the gate does not mind."""
DAEMON_MAX_MIB = 48
START_MAX_RATIO = 12
IMPORTS = {
    "camera process": "gate.commands.camera gate.decoder.engines gate.decoder.still gate.drivers.camera_process "
                      "gate.drivers.camera_sources zxingcpp PIL.Image",
    "recorder": "gate.central.recorder_command",
}
"""What each process has loaded when it begins its work; picamera2 and a camera's buffers come on top."""


def run(setup: Setup) -> Iterator[Figure]:
    """Each process is started anew in each round."""
    rounds = setup.runs(25, 1)
    config = make_gate(setup, "start", roster(setup, setup.runs(1_000_000, 1_000)), Issuer(), **EQUIPMENT)
    starts: dict[str, Callable[[], tuple[float, int]]] = {
        "pass": _bare, "daemon": lambda: start_to_ready(config, config.parent)}
    starts |= {name: partial(_import, modules) for name, modules in IMPORTS.items()}
    taken: dict[str, list[tuple[float, int]]] = {name: [] for name in starts}
    for _ in range(rounds):
        for name in random.sample(list(starts), len(starts)):
            taken[name].append(starts[name]())
    start_s = {name: p50([seconds for seconds, _ in each]) for name, each in taken.items()}
    resident_mib = {name: p50([kib for _, kib in each]) / 1024 for name, each in taken.items()}
    for name in starts.keys() - {"pass"}:
        yield cost(f"{name}: start, against python -c pass", 1e3 * start_s[name], 1e3 * start_s["pass"],
                   limit=START_MAX_RATIO if name == "daemon" else None, runs=rounds)
        yield cost(f"{name}: memory, against python -c pass", resident_mib[name], resident_mib["pass"], unit="MiB",
                   runs=rounds)
    yield cost(f"daemon: memory, against {DAEMON_MAX_MIB} MiB", resident_mib["daemon"], DAEMON_MAX_MIB, limit=1,
               unit="MiB", runs=rounds)


def _bare() -> tuple[float, int]:
    """The interpreter alone: what it takes to end, and its memory before that."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    taken_s = time.perf_counter() - began
    return taken_s, _import("")[1]


def _import(modules: str) -> tuple[float, int]:
    """A process that has loaded `modules` and waits: seconds until then, and its resident memory."""
    code = f"import sys\nfor name in {modules.split()!r}: __import__(name)\nprint(flush=True)\nsys.stdin.read()"
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - began, resident_kib(process.pid)
