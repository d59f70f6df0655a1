"""`gate backup --config FILE --out FILE`: this gate in one file, made while it runs."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = "gate.backed-up/1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file; it holds the site's keys")
    parser.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")


def run(args: argparse.Namespace) -> int:
    """Make it, and say what is in it."""
    from gate.backup import back_up
    from gate.config.reading import load

    manifest = back_up(load(args.config), args.config, args.out, datetime.now(UTC))
    size_bytes = args.out.stat().st_size
    if args.json:
        print(json.dumps({"schema": SCHEMA, "file": str(args.out), "bytes": size_bytes, "gate": manifest.gate,
                          "files": [kept.path for kept in manifest.files], "ledger": manifest.ledger}))
    else:
        print(f"{args.out}: {manifest.site}/{manifest.gate}, {size_bytes} bytes")
        print("Tệp này chứa khóa bí mật của khu: cất như cất chìa khóa. / "
              "It holds the site's keys: keep it as you keep them.")
    return 0
