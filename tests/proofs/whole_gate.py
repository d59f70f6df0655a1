"""One whole gate, simulated: one seed is one run, and every run is checked at every step.

    python -m tests.proofs.whole_gate --seed 7 --steps 10000                      one run
    python -m tests.proofs.whole_gate --total 10000000 --jobs 2 --progress FILE   of record; goes on where it ended

Real: controller, effector, admission, portal, policy, trust, inbox, reporter, clock, the whole ledger (queue, writer,
SQLite file, ring, flusher, journal of exits), the uplink with its delivery and acknowledgements, the recorder's
placing of events.
Stood in for: threads (each becomes turns of one agenda), the time that a disk takes, paho, the broker, the recorder's
database, the lock's thread.

A step is one turn: a stimulus through the core, a commit, a flush, a turn of the uplink. Time passes only between
turns, so a run is a function of its seed. A broken promise prints the seed, the step and the last 30 lines, then
which kinds of trouble it needs.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import msgspec

from .simulation.life import TROUBLES, Life
from .simulation.promises import Violation

STEPS_A_RUN = 10_000
SHARED_MEMORY = Path("/dev/shm")
BROKEN_MAX = 5


@dataclass(frozen=True)
class Result:
    """One run: how far it came, and what broke."""

    seed: int
    steps: int
    covered: dict[str, int]
    broken: str = ""
    trace: tuple[str, ...] = ()


def run(seed: int, steps: int = STEPS_A_RUN, without: Sequence[str] = ()) -> Result:
    """One run of one seed, in memory; without what operators would read of a simulated outage."""
    logging.disable()
    try:
        return _run(seed, steps, without)
    finally:
        logging.disable(logging.NOTSET)


def _run(seed: int, steps: int, without: Sequence[str]) -> Result:
    memory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="gate-proof-", dir=memory) as folder:
        life = Life(seed, Path(folder), without)
        world, broken = life.world, ""
        try:
            life.run(steps)
        except Violation as violation:
            broken = str(violation)
        except Exception:
            broken = traceback.format_exc()
        finally:
            world.close()
        trace = tuple(f"{mono:10.3f}  {line}" for mono, line in world.trace)
        return Result(seed, world.steps, dict(world.promises.covered), broken, trace)


def shrink(seed: int, steps: int) -> tuple[str, ...]:
    """The kinds of trouble that this violation needs."""
    without: tuple[str, ...] = ()
    for trouble in TROUBLES:
        if run(seed, steps, (*without, trouble)).broken:
            without = (*without, trouble)
    return tuple(trouble for trouble in TROUBLES if trouble not in without)


def report(result: Result) -> None:
    """Say what broke, and how to see it again."""
    print(f"BROKEN: {result.broken}\n  seed {result.seed}, step {result.steps}; the last {len(result.trace)} lines:")
    print("\n".join(result.trace))
    print("needed for it:", ", ".join(shrink(result.seed, result.steps + STEPS_A_RUN)) or "no trouble at all")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one seed, or as many as it takes for `--total` steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS_A_RUN)
    parser.add_argument("--without", action="append", default=[], choices=TROUBLES)
    parser.add_argument("--total", type=int, help="run seeds from --seed on until this many steps are done")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--progress", type=Path, help="one JSON line for each seed done; they are not run again")
    chosen = parser.parse_args(arguments)
    if chosen.total is None:
        result = run(chosen.seed, chosen.steps, chosen.without)
        print(result.steps, "steps", result.covered)
        if result.broken:
            report(result)
        return bool(result.broken)
    return run_many(chosen.seed, chosen.steps, chosen.total, chosen.jobs, chosen.progress)


def run_many(first_seed: int, steps: int, total: int, jobs: int, progress: Path | None) -> int:
    """Run seeds in parallel until `total` steps are done; 1 when any of them broke a promise."""
    done = read_progress(progress)
    began, broken = time.monotonic(), 0
    seeds = (seed for seed in count(first_seed) if seed not in {each.seed for each in done})
    with ProcessPoolExecutor(jobs) as pool:
        under_way = set()
        while True:
            promised = sum(each.steps for each in done) + steps * len(under_way)
            while len(under_way) < 2 * jobs and promised < total and broken < BROKEN_MAX:
                under_way.add(pool.submit(run, next(seeds), steps))
                promised += steps
            if not under_way:
                break
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for result in (each.result() for each in finished):
                done.append(result)
                if result.broken:
                    broken += 1
                    report(result)
                elif progress is not None:
                    keep_progress(progress, result)
    print(f"{sum(each.steps for each in done)} steps in {len(done)} runs, {broken} violations, "
          f"{time.monotonic() - began:.0f} s with {jobs} processes")
    for name, number in sorted(sum((Counter(each.covered) for each in done), Counter[str]()).items()):
        print(f"  {name}: {number}")
    return bool(broken)


def read_progress(progress: Path | None) -> list[Result]:
    """The runs that were done before."""
    if progress is None or not progress.exists():
        return []
    return [_decode(line) for line in progress.read_bytes().splitlines()]


def keep_progress(progress: Path, result: Result) -> None:
    """One line for a run that broke nothing."""
    progress.parent.mkdir(parents=True, exist_ok=True)
    with progress.open("ab") as file:
        file.write(msgspec.json.encode(replace(result, trace=())) + b"\n")


_decode = msgspec.json.Decoder(Result).decode

if __name__ == "__main__":
    sys.exit(main())
