"""Gates to measure: a folder with config and documents, the daemon in it, and the far end of its scanner's line."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench.figure import Setup
from bench.people import AREA, Issuer, token_key_file
from bench.straight import PIN
from gate.documents import ISSUERS, REVOCATIONS, ROSTER, SCHEDULES, SetNote, documents_dir
from gate.errors import GateError
from gate.trust import Revocations, revocations_to_json

PULSE_S = 0.01
PATIENCE_S = 60.0
LAST_BYTE_AFTER_S = 0.004
"""A code's end reaches the gate apart from its rest, as on a real line: what is measured begins with the end."""


def make_gate(setup: Setup, name: str, roster: Path, issuer: Issuer, **sections: Any) -> Path:
    """A gate's folder, made anew, with one scanner at the entry; its config, in which `sections` replace others."""
    folder = setup.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    documents = documents_dir(folder / "state")
    force = documents / "sets" / "1-1"
    force.mkdir(parents=True)
    (force / ROSTER).symlink_to(roster)
    (force / ISSUERS).write_bytes(issuer.document())
    (force / REVOCATIONS).write_bytes(revocations_to_json(Revocations()))
    (force / SCHEDULES).write_bytes(b'{"schema": "gate.schedules/1", "schedules": {}}')
    now = datetime.now(UTC)
    note = SetNote(versions={"roster": 1}, targets={}, published_at=now, expires_at=now + timedelta(days=1))
    (force / "set.json").write_bytes(msgspec.json.encode(note))
    (documents / "current").symlink_to("sets/1-1")
    config = folder / "gate.yaml"
    (folder / "root.json").write_text("{}")
    config.write_text(json.dumps({  # JSON is YAML
        "site": {"id": "bench", "area": AREA, "token_key_file": str(token_key_file(setup))},
        "gate": {"id": name}, "state_dir": str(folder / "state"), "documents": {"root_file": str(folder / "root.json")},
        "clock": {"trust": "always"},
        "pins": {"factory": "mock", "trace": str(folder / "pins.trace")},
        "barrier": {"driver": "relay", "entry_pin": PIN},
        "portal": {"pulse_s": PULSE_S},
        "ledger": {"write_max_ms": 2_000, "flush_max_ms": 10_000},  # a stalled disk is a late pin here, no denial
        "readers": [{"name": "scanner", "direction": "entry", "driver": "serial", "port": str(folder / "scanner"),
                     "idle_gap_ms": 2000, "repeat_s": 0}],
        **sections,
    }))
    return config


class Lane:
    """A process that reads a scanner and moves a pin; the scanner is ours, and the pin leaves a trace."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self._folder, self._command = folder, command
        self._trace = folder / "pins.trace"
        self._read = 0
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        port = folder / "scanner"
        port.unlink(missing_ok=True)
        port.symlink_to(os.ttyname(self._slave))

    def __enter__(self) -> Lane:
        log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        os.close(self.master)
        os.close(self._slave)

    def scan(self, payload: bytes) -> float:
        """Hold a code to the scanner: seconds from the end of its line to the rise of the pin.

        Raises:
            GateError: the pin did not move.
        """
        os.write(self.master, payload)
        time.sleep(LAST_BYTE_AFTER_S)
        ended_mono = time.monotonic()
        os.write(self.master, b"\r\n")
        return self.rise_mono() - ended_mono

    def rise_mono(self) -> float:
        """Wait for the pin's next pulse; the monotonic second of its rise.

        Raises:
            GateError: there is none.
        """
        rise_mono, _fall = self._changes(2)
        return rise_mono

    def wait_ready(self, payload: bytes) -> None:
        """Scan until the pin moves for the first time."""
        until_mono = time.monotonic() + PATIENCE_S
        while not self._trace.exists() or not self._trace.stat().st_size:
            if self._process.poll() is not None or time.monotonic() > until_mono:
                raise GateError(f"{self._folder.name} does not open:\n{(self._folder / 'log').read_text()}")
            os.write(self.master, payload + b"\r\n")
            time.sleep(0.5)
        time.sleep(1.0)  # what was written while it started has been served by now
        self._read = self._trace.stat().st_size

    def _changes(self, count: int) -> list[float]:
        """The moments of the next changes of the pin, in monotonic seconds."""
        until_mono = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_mono:
            with self._trace.open("rb") as trace:
                trace.seek(self._read)
                lines = trace.read().splitlines(keepends=True)
            if len(lines) >= count:
                self._read += sum(map(len, lines[:count]))
                return [float(line.split()[0]) for line in lines[:count]]
            time.sleep(0.001)
        raise GateError(f"{self._folder.name}: the pin did not move:\n{(self._folder / 'log').read_text()}")


def start_to_ready(config: Path, folder: Path) -> tuple[float, int]:
    """Start a daemon: seconds until it says READY=1, and its resident memory then in KiB."""
    address = folder / "notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(address))
        notices.settimeout(PATIENCE_S)
        began = time.perf_counter()
        daemon = subprocess.Popen([sys.executable, "-m", "gate", "run", "--config", str(config)],
                                  env=os.environ | {"NOTIFY_SOCKET": str(address)}, stdin=subprocess.DEVNULL)
        try:
            while notices.recv(4096) != b"READY=1":
                pass
            return time.perf_counter() - began, resident_kib(daemon.pid)
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE_S)


def resident_kib(pid: int) -> int:
    """Resident memory of a process (proc(5), VmRSS)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
