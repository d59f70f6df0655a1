"""The short form of the soak: a day leaves the process as big as its first half did."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_a_day_leaves_nothing_behind() -> None:
    soak = subprocess.run([sys.executable, "-m", "tests.proofs.soak", "--days", "1"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert soak.returncode == 0, soak.stdout + soak.stderr
