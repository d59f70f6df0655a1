"""The daemon on a disk whose every flush takes a second: `python -m bench.slow_flush CONFIG`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from gate import app
from gate.config.reading import load
from gate.ledger import Ledger

FLUSH_S = 1.0


def slow_fdatasync(descriptor: int) -> None:
    """A flush that a worn card makes you wait for."""
    time.sleep(FLUSH_S)
    os.fdatasync(descriptor)


if __name__ == "__main__":
    app.Ledger = partial(Ledger, fdatasync=slow_fdatasync)  # type: ignore[attr-defined,assignment]
    with ExitStack() as stack:
        app.Daemon(load(Path(sys.argv[1])), stack, Path(sys.argv[1])).run()
