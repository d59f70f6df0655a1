"""Takes each mechanism out of a copy of the gate, and expects its proof to fail: `python -m tests.sabotage`.

A proof that does not fail proves nothing. The copy lies in a temporary folder; what is installed is not touched.
Exit code 0: every proof holds as the gate is, and fails without its mechanism.

    --write      put the table into docs/guarantees.md
    WORD ...     only the cases in whose mechanism, file or proof such a word stands
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from tests.sabotage.cases import CASES, Case

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
MARK = "<!-- from here on: python -m tests.sabotage --write -->\n"
PARTS = ("gate", "tests", "config", "docs", "systemd", "pyproject.toml")
PROOF_MAX_S = 200.0
FAILED = 1
"""pytest's exit code when tests ran and some failed; any other says that they could not run."""


def copy_project(folder: Path) -> Path:
    """A copy that runs by itself, in `folder`: what is written here meanwhile does not matter."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part)
        else:
            shutil.copy(source, folder / part)
    return folder


def remove(case: Case, project: Path) -> None:
    """Take the mechanism out of a copy."""
    path = project / "gate" / case.file
    source = path.read_text()
    found = source.count(case.text)
    if found != 1:
        raise SystemExit(f"{case.mechanism}: its text stands {found} times in gate/{case.file}, not once; "
                         "bring tests/sabotage/cases.py up to date")
    path.write_text(source.replace(case.text, case.instead))


def run_proofs(project: Path, proofs: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run tests in a copy, whose `gate` is the one that is imported, by children too."""
    command = [sys.executable, "-m", "pytest", "--exitfirst", "--tb=short", *dict.fromkeys(proofs)]
    return subprocess.run(command, cwd=project, env=os.environ | {"PYTHONPATH": str(project)}, timeout=PROOF_MAX_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def turns_red(case: Case, whole: Path) -> bool:
    """Whether the proof fails, rather than breaks, in a copy of `whole` without the mechanism."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gate-sabotage-") as folder:
        project = shutil.copytree(whole, Path(folder, "project"))
        remove(case, project)
        done = run_proofs(project, [case.proof])
    summary = done.stdout.strip().rpartition("\n")[2]
    red = done.returncode == FAILED and re.search(r"\b\d+ failed", summary) is not None and "error" not in summary
    print(f"  {'red ' if red else 'NOT RED'}  {case.mechanism}  ({time.monotonic() - began_s:.0f} s)", flush=True)
    if not red:
        print(done.stdout, flush=True)
    return red


def holds(cases: Sequence[Case], whole: Path) -> bool:
    """Whether every proof passes in an untouched copy."""
    done = run_proofs(whole, [case.proof for case in cases])
    if done.returncode != 0:
        print(done.stdout)
    return done.returncode == 0


def table(cases: Sequence[Case]) -> str:
    """The cases as Markdown; only for those that turned red."""
    rows = [f"| {case.mechanism} | `gate/{case.file}` | `{case.proof}` | yes |" for case in cases]
    return "\n".join([
        f"Of record: {date.today():%d %B %Y}, Python {platform.python_version()}, {platform.machine()}; "  # noqa: DTZ011
        f"{len(cases)} of {len(cases)} red.", "",
        "| mechanism | taken out of | proof | fails without it |", "|---|---|---|---|", *rows, ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases, two at a time."""
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only such cases")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    args = parser.parse_args(arguments)
    cases = [case for case in CASES
             if not args.words or any(word in f"{case.mechanism} {case.file} {case.proof}" for word in args.words)]
    if not cases or (args.write and args.words):
        parser.error("no such case" if not cases else "--write is for all cases")
    with tempfile.TemporaryDirectory(prefix="gate-sabotage-") as folder:
        whole = copy_project(Path(folder))
        if not holds(cases, whole):
            print("a proof fails as the gate is: mend that first")
            return 1
        print(f"  every proof of {len(cases)} mechanisms holds; now each is taken out", flush=True)
        with ThreadPoolExecutor(max_workers=2) as pool:
            red = list(pool.map(lambda case: turns_red(case, whole), cases))
    print(f"{sum(red)} of {len(cases)} mechanisms: the proof fails without it")
    if args.write and all(red):
        head, _, _ = PAGE.read_text().partition(MARK)
        PAGE.write_text(head + MARK + "\n" + table(cases))
    return 0 if all(red) else 1


if __name__ == "__main__":
    sys.exit(main())
