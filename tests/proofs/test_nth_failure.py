"""The short form of the Nth failure: some calls of each kind fail or stall, in a process with the shim before it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support_mosquitto import needs_mosquitto

from tests.proofs.faults.shim import missing

pytestmark = [pytest.mark.skipif(bool(missing()), reason=missing()), pytest.mark.timeout(300), needs_mosquitto]


def strike(*options: str) -> str:
    """Run the proof; what it said, if it held."""
    done = subprocess.run([sys.executable, "-m", "tests.proofs.nth_failure", *options], cwd=Path(__file__).parents[2],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_whatever_call_fails_or_stalls_nobody_gets_in_unrecorded_and_nobody_is_held_in() -> None:
    assert " 0 broken" in strike("--every", "23")


def test_whatever_sync_failed_the_next_start_loses_nothing_flushed() -> None:
    assert " 0 broken" in strike("--call", "fdatasync", "--every", "3")


def test_without_its_mechanisms_the_proof_fails() -> None:
    assert "none broke" not in strike("--controls")
