"""`gate central alerts`: what the recorder found wrong with feeds, and clearing it with a note."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

import msgspec

from gate.central.db import DEFAULT_URL, open_database, reading, writing
from gate.central.feed_check import StandingAlert, clear_alerts, standing_alerts
from gate.clock import SystemClock
from gate.commands.plain import printable
from gate.errors import UsageError

SCHEMA = "gate.central.alerts/1"
FINE, FOUND = 0, 1
NOTE_MAX_CHARS = 500


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate central alerts`."""
    parser.add_argument("--db", default=DEFAULT_URL, metavar="URL", help="the central database (default: %(default)s)")
    parser.add_argument("--site", metavar="SITE", help="only this site (default: all)")
    parser.add_argument("--clear", type=int, nargs="+", metavar="ID", default=[], help="take these off the list")
    parser.add_argument("--note", default="", metavar="TEXT", help="with --clear: who looked into it, and what it was")
    parser.add_argument("--json", action="store_true", help=f"one JSON object ({SCHEMA})")


def run(args: argparse.Namespace) -> int:
    """List what stands, after clearing what was named; 0 when nothing stands, 1 otherwise."""
    engine = open_database(args.db)
    if args.clear:
        note = args.note.strip()
        if not 1 <= len(note) <= NOTE_MAX_CHARS:
            raise UsageError(f"--note: ghi ai đã xem và nguyên nhân / say who looked and what it was; "
                             f"1 to {NOTE_MAX_CHARS} characters")
        with writing(engine) as session:
            unknown = clear_alerts(session, args.clear, note, SystemClock().now().utc)
            if unknown:
                raise UsageError(f"--clear: không có cảnh báo / no such standing alert: {unknown}; nothing was cleared")
    with reading(engine) as session:
        alerts = standing_alerts(session, args.site)
    text = _json(alerts) if args.json else "".join(f"{_line(alert)}\n" for alert in alerts)
    sys.stdout.write(text or "không có cảnh báo / no alerts\n")
    return FOUND if alerts else FINE


def _json(alerts: list[StandingAlert]) -> str:
    return msgspec.json.encode({"schema": SCHEMA, "alerts": [asdict(alert) for alert in alerts]}).decode() + "\n"


def _line(alert: StandingAlert) -> str:
    return (f"{alert.id}  {alert.last_at:%Y-%m-%d %H:%M:%SZ}  {printable(alert.site)}/{printable(alert.gate)}  "
            f"{printable(alert.kind)} x{alert.count}: {printable(alert.detail)}")
