"""Fuzzes every parser with atheris: `make fuzz T=SECONDS`, or, in its environment,

    python -m tests.fuzz --seconds 600 [NAME ...]

The time is shared out over the targets. What the fuzzer finds worth keeping grows in `var/fuzz/corpus/NAME`, beside the
corpus in the repository, which is read first. The first input for each place that breaks a promise is saved in
`var/fuzz/found/`, with its traceback, and the fuzzer goes on. Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gate", "tuf", "stdnum"]):
    from tests.fuzz.table import TARGETS
    from tests.fuzz.target import CORPUS, Target

KEPT = Path("var/fuzz")
UNIT_MAX_S, MEMORY_MAX_MIB = 5, 2048
EXECUTED = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")


class Watch:
    """Feeds a target, and saves the first input of each kind that breaks a promise."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._seen: set[object] = set()

    def __call__(self, data: bytes) -> None:
        try:
            self._target.feed(data)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            kind = (type(error), last.filename, last.lineno)
            if kind not in self._seen:
                self._seen.add(kind)
                name = f"{self._target.name}-{hashlib.sha256(data).hexdigest()[:12]}"
                (self._folder / name).write_bytes(data)
                (self._folder / f"{name}.txt").write_text("".join(traceback.format_exception(error)))


def escaped(word: bytes) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def fuzz_one(target: Target, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    kept, found = KEPT / "corpus" / target.name, KEPT / "found"
    for folder in (kept, found):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}", f"-max_len={target.max_bytes}", f"-timeout={UNIT_MAX_S}",
        f"-rss_limit_mb={MEMORY_MAX_MIB}", f"-artifact_prefix={found}/{target.name}-", "-print_final_stats=1",
        "-verbosity=0",
    ]
    if target.words:
        dictionary = KEPT / f"{target.name}.dict"
        dictionary.write_text("".join(f'"{escaped(word)}"\n' for word in target.words))
        options.append(f"-dict={dictionary}")
    folders = [str(folder) for folder in (kept, CORPUS / target.name) if folder.is_dir()]
    atheris.Setup([sys.argv[0], *options, *folders], Watch(target, found))
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz each target in a process of its own, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these targets")
    parser.add_argument("--seconds", type=int, default=600, help="in all (default %(default)s)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    targets = [target for target in TARGETS if not args.names or target.name in args.names]
    if not targets:
        parser.error(f"no such target; there are {', '.join(target.name for target in TARGETS)}")
    if args.one:
        fuzz_one(targets[0], args.seconds)
    share_s = max(args.seconds // len(targets), 1)
    total = 0
    for target in targets:
        began_s = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "tests.fuzz", "--one", "--seconds", str(share_s), target.name],
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
