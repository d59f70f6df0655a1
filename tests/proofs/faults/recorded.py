"""What the recorded runs of the crash proof share: how one is played, and what breaks a state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .shim import environment


class BrokenError(Exception):
    """A state from which the gate does not come back as it promises."""


def play(root: Path, log: Path, module: str, *arguments: object) -> None:
    """Run one recorded process, whose operations below `root` are added to `log`."""
    subprocess.run([sys.executable, "-m", f"tests.proofs.faults.{module}", *map(str, arguments)], check=True,
                   env=environment(root, log), cwd=Path(__file__).parents[3])
