"""`gate simulate FILE...`: run scenarios; a difference is shown line by line, and makes the answer no."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gate.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER")
    parser.add_argument("--show", action="store_true", help="print the transcript of what happened")
    parser.add_argument("--json", action="store_true", help="one gate.scenario/1 object a line")


def run(args: argparse.Namespace) -> int:
    """Run each file; 0 when all went as they say."""
    from gate.scenario import read_scenario
    from gate.simulate import run_scenario

    files = [file for path in args.paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if missing := [str(file) for file in files if not file.is_file()]:
        raise UsageError(f"no such scenario: {', '.join(missing)}")
    failed = 0
    for file in files:
        outcome = run_scenario(read_scenario(file))
        failed += not outcome.passed
        if args.json:
            print(json.dumps({"schema": "gate.scenario/1", "file": str(file), "title": outcome.title,
                              "passed": outcome.passed, "difference": outcome.difference}, ensure_ascii=False))
            continue
        print(f"{'ok  ' if outcome.passed else 'FAIL'}  {file.stem}: {outcome.title}")
        if args.show:
            print("\n".join(outcome.transcript))
        if not outcome.passed:
            print("\n".join(outcome.difference) or "this scenario is wrong on purpose, and nothing noticed")
    if not args.json:
        print(f"{len(files)} scenarios, {failed} failed")
    return 1 if failed or not files else 0
