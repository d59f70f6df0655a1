"""`gate check`: every fault of a config with its line and its fix, or the schema and the keys of all configs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "check a config: every fault with its line and its fix"
VALID, NOT_VALID = 0, 2
SCHEMA = "gate.check/1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate check`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, metavar="FILE", help="the config to check")
    what.add_argument("--schema", action="store_true", help="print the JSON Schema that editors complete by")
    what.add_argument("--keys", action="store_true", help="print every key with its default and purpose (Markdown)")
    parser.add_argument("--elsewhere", action="store_true",
                        help="the config is meant for another machine: do not look for the files it names")
    parser.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; 0 when the config is valid (warnings allowed), 2 when it is not."""
    if args.config is not None:
        return _check(args.config, files=not args.elsewhere, as_json=args.json)
    from gate.config import schema as config_schema

    if args.schema:
        print(json.dumps(config_schema.schema(), indent=2, ensure_ascii=False))
    else:
        print(config_schema.key_table())
    return VALID


def _check(file: Path, *, files: bool, as_json: bool) -> int:
    from gate.config.reading import check

    report = check(file, files=files)
    errors, warnings = report.lines(warnings=False), report.lines(warnings=True)
    if as_json:
        print(json.dumps({
            "schema": SCHEMA,
            "file": str(file),
            "valid": report.config is not None,
            "findings": [
                {"level": "warning" if found.warning else "error", "line": found.place.line,
                 "column": found.place.column, "key": found.key, "text": found.text}
                for found in report.sorted()
            ],
        }, ensure_ascii=False))
        return NOT_VALID if errors else VALID
    for found in report.sorted():
        level = "cảnh báo / warning" if found.warning else "lỗi / error"
        print(f"{level}: {file}:{found}")
    if errors:
        print(f"KHÔNG HỢP LỆ / NOT VALID: {_count(errors, 'error')}, {_count(warnings, 'warning')} in {file}")
    else:
        print(f"HỢP LỆ / VALID: {file}, {_count(warnings, 'warning')}")
    return NOT_VALID if errors else VALID


def _count(lines: list[str], word: str) -> str:
    return f"{len(lines)} {word}{'' if len(lines) == 1 else 's'}"
