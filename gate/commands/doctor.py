"""`gate doctor --config FILE`: what is wrong with this gate's machine, each with its cause and its fix."""

from __future__ import annotations

import argparse
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import Any

GOOD, BAD = 0, 1
SCHEMA = "gate.doctor/1"
LEVELS = {"good": "tốt / good", "doubt": "nên xem / doubt", "fault": "LỖI / FAULT"}
LOG_LINES = 2000


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--user", default="gate", metavar="NAME", help="the user that the daemon runs as (gate)")
    parser.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")
    parser.add_argument("--bundle", type=Path, metavar="FILE",
                        help="also put report, config and log into a tar.gz, without a key, an event or a person")


def run(args: argparse.Namespace) -> int:
    """Look at everything; 0 when nothing is wrong, 1 when there is a fault."""
    from gate.config.reading import load
    from gate.doctor import examine

    settings = load(args.config)
    report: list[dict[str, Any]] = []
    for verdict in examine(settings, user=args.user):
        report.append({"check": verdict.check, "level": verdict.level,
                       "findings": [finding._asdict() for finding in verdict.findings]})
        if not args.json:
            print(f"{LEVELS[verdict.level]:16}  {verdict.check}", flush=True)
            for finding in verdict.findings:
                print(f"    {finding.seen}\n        vì / cause: {finding.cause}\n        sửa / fix: {finding.fix}")
    whole = {"schema": SCHEMA, "gate": settings.gate.id, "checks": report}
    if args.json:
        print(json.dumps(whole, ensure_ascii=False))
    if args.bundle is not None:
        _bundle(args.bundle, whole, args.config)
        print(args.bundle)
    return BAD if any(verdict["level"] == "fault" for verdict in report) else GOOD


def _bundle(file: Path, report: dict[str, Any], config: Path) -> None:
    """What helps from afar. The config names keys and holds none; ledger, documents and credentials stay here."""
    import gate

    machine = {"gate": gate.__version__, "python": platform.python_version(), "kernel": platform.release(),
               "machine": platform.machine()}
    log = ("journalctl", "--no-pager", f"--lines={LOG_LINES}", "--output=short-iso", "--unit=gate*")
    contents = {
        "doctor.json": json.dumps(report, ensure_ascii=False, indent=2).encode(),
        "machine.json": json.dumps(machine, indent=2).encode(),
        "gate.yaml": config.read_bytes(),
        "journal.txt": _said(*log),
        "units.txt": _said("systemctl", "--no-pager", "status", "gate*"),
    }
    with tarfile.open(file, "x:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))


def _said(*command: str) -> bytes:
    """What a tool prints, or why it did not."""
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error).encode()
