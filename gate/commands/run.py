"""`gate run --config FILE`: the daemon."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Be this gate until SIGTERM or SIGINT."""
    import logging

    from gate import app
    from gate.config.reading import load

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    app.run(load(args.config))
    return 0
