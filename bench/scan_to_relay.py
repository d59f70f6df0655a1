"""From the end of a scanner's line to the rise of the relay's pin: the daemon against a straight script."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.figure import WARM_UP, Figure, Setup, cost, p50, p99
from bench.people import Issuer, roster
from bench.site import PULSE_S, Lane, make_gate

MILLION, THOUSAND = 1_000_000, 1_000


def run(setup: Setup) -> Iterator[Figure]:
    """Four lanes at once, each served in turn: the peer, a roster of a million, of a thousand, and slow flushes."""
    big, small = (roster(setup, setup.runs(holders, 1_000)) for holders in (MILLION, THOUSAND))
    issuer, rounds = Issuer(), setup.runs(1_000, 40)
    taken: dict[str, list[float]] = {name: [] for name in ("straight", "million", "thousand", "slow-flush")}
    with ExitStack() as stack:
        lanes = {
            "straight": _straight(setup, big, issuer),
            "million": _daemon(setup, "million", big, issuer),
            "thousand": _daemon(setup, "thousand", small, issuer),
            "slow-flush": _daemon(setup, "slow-flush", big, issuer, module="bench.slow_flush"),
        }
        for lane in lanes.values():
            stack.enter_context(lane)
        for lane in lanes.values():
            lane.wait_ready(issuer.issue(0))
        order = list(lanes)
        for number in range(WARM_UP + rounds):
            if number % 100 == 0:
                setup.say(f"  {number} of {rounds} rounds")
            random.shuffle(order)
            for name in order:
                seconds = lanes[name].scan(issuer.issue(random.randrange(THOUSAND if name == "thousand" else setup.runs(
                    MILLION, THOUSAND))))
                if number >= WARM_UP:
                    taken[name].append(1000 * seconds)
    for word, of in (("p50", p50), ("p99", p99)):
        floor, million, thousand, slow = (of(taken[name]) for name in taken)
        yield cost(f"scan to relay, {word}", million, floor, limit=1.5, runs=rounds)
        yield cost(f"scan to relay, {word}, million against thousand", million, thousand, limit=1.1, runs=rounds)
        yield cost(f"scan to relay, {word}, flushes of 1 s", slow, million, limit=1.1 if word == "p99" else None,
                   runs=rounds)


def _daemon(setup: Setup, name: str, listed: Path, issuer: Issuer, module: str = "") -> Lane:
    config = make_gate(setup, name, listed, issuer)
    command = ["-m", module, str(config)] if module else ["-m", "gate", "run", "--config", str(config)]
    return Lane(config.parent, [sys.executable, *command])


def _straight(setup: Setup, listed: Path, issuer: Issuer) -> Lane:
    folder = make_gate(setup, "straight", listed, issuer).parent
    return Lane(folder, [
        sys.executable, "-m", "bench.straight", str(folder / "scanner"), str(listed),
        issuer.private_key.public_key().public_bytes_raw().hex(), str(folder / "events.db"),
        str(folder / "pins.trace"), str(PULSE_S),
    ])
