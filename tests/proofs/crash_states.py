"""Every state that a power cut may leave of the ledger, and of the documents, is recovered by the gate's own code.

    python -m tests.proofs.crash_states --states 200000 --jobs 2     of record
    python -m tests.proofs.crash_states --subject ledger --seed 7    one recorded run

A run is real: a child process works on real files through the shim (`faults.shim`), ends without a stop and starts
again, and the record is played to the model (`faults.power_cut`), which gives states at each operation. Counted are
different states.

    ledger     no state is damaged; each row that was said to be flushed is there with its hash, unless it was pruned
               after the recorder had it; the chain is whole; now and then: it starts, and takes and flushes more
    documents  the set before or the set after is in force, whole; after the import returned, the one after; now and
               then: the next import succeeds
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from gate.errors import DocumentError, StoreError
from gate.ledger import FILE_NAME
from gate.ledger.exit_journal import journal_path

from .faults.power_cut import Disk, State, empty
from .faults.recorded import BrokenError
from .faults.recorded_documents import record_documents
from .faults.recorded_ledger import record_ledger
from .faults.shim import Operation, operations

STATES_A_POINT, STATES_A_POINT_MIN = 14, 5
WHOLE_START_EVERY = 40


def memory() -> str | None:
    """Where states are laid out: in memory, where there is some."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class Result:
    """One recorded run: different states that were recovered, and what was wrong with the first few that broke."""

    subject: str
    seed: int
    states: int
    covered: dict[str, int]
    broken: int
    examples: tuple[str, ...]


RECORDERS: dict[str, Callable[[Path, int, bool], tuple[Path, Any]]] = {
    "ledger": record_ledger, "documents": record_documents,
}


def recover_all(subject: str, seed: int, sabotaged: bool = False, states_max: int = sys.maxsize) -> Result:
    """Record one run, and recover the states that it may leave, at most about so many."""
    with tempfile.TemporaryDirectory(prefix="gate-crash-", dir=memory()) as name:
        folder = Path(name).resolve()
        log, run = RECORDERS[subject](folder, seed, sabotaged)
        place = folder / "cut"
        place.mkdir()
        rng, seen = Random(seed), set[object]()
        broken = 0
        examples: list[str] = []
        record = list(operations(log))
        changes = sum(operation.kind != "K" for operation in record)
        a_point = max(STATES_A_POINT_MIN, min(STATES_A_POINT, states_max // max(1, changes)))
        share = min(1.0, states_max / (a_point * changes))
        for position, state in states(record, Disk(folder / "state"), run, a_point, rng, share):
            key = state.digest(), run.promised
            if key in seen:
                continue
            seen.add(key)
            state.lay_out(place)
            try:
                run.check(place, whole=len(seen) % WHOLE_START_EVERY == 0)
            except (BrokenError, StoreError, DocumentError, OSError, ValueError) as error:
                broken += 1
                if len(examples) < 5:
                    examples.append(f"after operation {position}: {error}")
            empty(place)
        for state_dir in (folder / "state", place):
            journal_path(state_dir / FILE_NAME).unlink(missing_ok=True)
        return Result(subject, seed, len(seen), covered(record), broken, tuple(examples))


def covered(record: Sequence[Operation]) -> dict[str, int]:
    """What kinds of operation a record holds."""
    kinds = Counter(operation.kind for operation in record)
    return {
        "operations": len(record) - kinds["K"], "syncs": kinds["E"],
        "names changed": sum(kinds[kind] for kind in "CMULYR"),
        "WALs begun": sum(each.kind == "W" and each.number == 0 and len(each.data) == 32 for each in record),
    }


def states(
    record: Sequence[Operation], disk: Disk, run: Any, a_point: int, rng: Random, share: float,
) -> Iterator[tuple[int, State]]:
    """States at each point of the record, while `run` hears what was promised by then."""
    for position, operation in enumerate(record, 1):
        if operation.kind == "K":
            if not operation.data.startswith(b"row "):
                run.hear(operation.data.decode())
            changed = True  # more is promised of the same files
        else:
            changed = disk.follow(operation)
        if changed and rng.random() < share:
            for state in disk.states(a_point, rng):
                yield position, state


def run_many(wanted: dict[str, int], first_seed: int, jobs: int) -> int:
    """Record and recover seed after seed until each subject has had its states; 1 when a state broke a promise."""
    began_mono = time.monotonic()
    done = dict.fromkeys(wanted, 0)
    runs = dict.fromkeys(wanted, 0)
    broken, seen = 0, Counter[str]()
    seeds = {subject: count(first_seed) for subject in wanted}
    with ProcessPoolExecutor(jobs) as pool:
        under_way: set[Any] = set()
        while True:
            while len(under_way) < jobs and (open_subjects := [each for each in wanted if done[each] < wanted[each]]):
                subject = min(open_subjects, key=lambda each: (done[each] + 1) * (runs[each] + 1) / wanted[each])
                runs[subject] += 1
                under_way.add(pool.submit(recover_all, subject, next(seeds[subject])))
            if not under_way:
                break
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                result = future.result()
                done[result.subject] += result.states
                broken, seen = broken + result.broken, seen + Counter(result.covered)
                for example in result.examples:
                    print(f"BROKEN: {result.subject}, seed {result.seed}, {example}", flush=True)
    for subject in wanted:
        print(f"{subject}: {done[subject]} states of {runs[subject]} runs")
    print("recorded:", ", ".join(f"{number} {what}" for what, number in seen.items()))
    print(f"{sum(done.values())} states, {broken} broken, {time.monotonic() - began_mono:.0f} s with {jobs} processes")
    return bool(broken)


def main(arguments: Sequence[str] | None = None) -> int:
    """Recover the states of one seed, or as many as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, help="go on from --seed until there were as many; a tenth are documents")
    parser.add_argument("--subject", choices=RECORDERS, default="ledger")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotaged", action="store_true", help="without the syncs that the proof is about")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    if chosen.states:
        return run_many({"ledger": chosen.states * 9 // 10, "documents": chosen.states // 10}, chosen.seed, chosen.jobs)
    result = recover_all(chosen.subject, chosen.seed, chosen.sabotaged)
    print(result)
    return bool(result.broken)


if __name__ == "__main__":
    sys.exit(main())
