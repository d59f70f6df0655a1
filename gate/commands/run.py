"""`gate run --config FILE`: the daemon."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Be this gate until SIGTERM or SIGINT."""
    from gate import app
    from gate.commands.plain import start_log
    from gate.config.reading import load

    start_log("%(levelname)s %(name)s: %(message)s")
    app.run(load(args.config), args.config)
    return 0
