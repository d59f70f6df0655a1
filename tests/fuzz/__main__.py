"""Fuzzes every parser with atheris: `make fuzz T=SECONDS`, or, in its environment,

    python -m tests.fuzz --seconds 600 [NAME ...]

The time is shared out over the targets. What the fuzzer finds worth keeping grows in `var/fuzz/corpus/NAME`, beside the
corpus in the repository, which is read first. The first input for each place that breaks a promise is saved in
`var/fuzz/found/`, with its traceback, and the fuzzer goes on. Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.fuzz.table import TARGETS
from tests.fuzz.target import KEPT

EXECUTED = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz each target in a process of its own, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these targets")
    parser.add_argument("--seconds", type=int, default=600, help="in all (default %(default)s)")
    args = parser.parse_args(arguments)
    targets = [target for target in TARGETS if not args.names or target.name in args.names]
    if not targets:
        parser.error(f"no such target; there are {', '.join(target.name for target in TARGETS)}")
    share_s = max(args.seconds // len(targets), 1)
    total = 0
    for target in targets:
        began_s = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "tests.fuzz.one", target.name, str(share_s)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        executed = sum(map(int, EXECUTED.findall(done.stderr)))
        total += executed
        print(f"  {target.name:20} {executed:>10} runs in {time.monotonic() - began_s:.0f} s"
              f"{'' if done.returncode == 0 else f'  ended with {done.returncode}'}", flush=True)
        if done.returncode != 0:
            print(done.stderr.decode(errors="replace")[-4000:], flush=True)
    found = sorted(path for path in (KEPT / "found").glob("*") if path.suffix != ".txt")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{len(targets)} targets, {total} runs, {usage.ru_utime + usage.ru_stime:.0f} s of CPU; found: {len(found)}")
    for path in found:
        print(f"  {path}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
