"""`gate central recorder`: records until it is told to stop, or checks what is recorded (`--check`)."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from random import SystemRandom

import msgspec

from gate import wire
from gate.central.db import DEFAULT_URL, open_database, reading
from gate.central.feed_check import FeedReport, StandingAlert, check_feeds, standing_alerts
from gate.central.recorder import Recorder
from gate.clock import SystemClock
from gate.commands.broker_options import add_broker_options, broker_of
from gate.commands.plain import printable, start_log
from gate.errors import UsageError
from gate.private_key import load_private_key

HELP = "MQTT in, database out; acknowledges what it keeps"
CHECK_SCHEMA = "gate.recorder.check/1"
FINE, FOUND = 0, 1
DOUBTS = ("chain", "fork", "gaps")
"""Alerts after which the record of a gate is in doubt; the others only want somebody's attention."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate central recorder`."""
    add_broker_options(parser, required=False)
    parser.add_argument("--db", default=DEFAULT_URL, metavar="URL", help="the central database (default: %(default)s)")
    parser.add_argument("--key", type=Path, metavar="FILE",
                        help="the recorder's private key; gates know its public half from their issuers document")
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="the key's passphrase, if it has one")
    parser.add_argument("--site", metavar="SITE", help="only this site (default: every site of the broker)")
    parser.add_argument("--client-id", default="recorder", metavar="ID",
                        help="the broker keeps messages for this id while the recorder is away (default: %(default)s)")
    parser.add_argument("--check", action="store_true",
                        help="no recording: prove every chain again and report gaps; 0 whole, 1 not")
    parser.add_argument("--json", action="store_true", help=f"with --check: one JSON object ({CHECK_SCHEMA})")


def run(args: argparse.Namespace) -> int:
    """Record until SIGINT or SIGTERM, or check."""
    if args.site == "+":
        args.site = None
    if args.site is not None and not wire.is_id(args.site):
        raise UsageError("--site: a name is made of a-z, 0-9 and hyphens")
    return _check(args) if args.check else _record(args)


def _record(args: argparse.Namespace) -> int:
    for option in ("broker", "key"):
        if getattr(args, option) is None:
            raise UsageError(f"--{option} is needed to record (or --check to look at what is recorded)")
    passphrase = args.passphrase_file.read_bytes().strip() if args.passphrase_file else None
    start_log("%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    recorder = Recorder(
        open_database(args.db), broker_of(args), key=load_private_key(args.key, passphrase), clock=SystemClock(),
        rng=SystemRandom(), site=args.site, client_id=args.client_id,
    )
    told: list[int] = []

    def stop(number: int, _frame: object) -> None:
        told.append(number)
        recorder.wake()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    recorder.run(lambda: bool(told))
    return FINE


def _check(args: argparse.Namespace) -> int:
    with reading(open_database(args.db)) as session:
        feeds, alerts = check_feeds(session, args.site), standing_alerts(session, args.site)
    whole = all(feed.whole for feed in feeds) and not any(alert.kind in DOUBTS for alert in alerts)
    lines = [_json(whole, feeds, alerts)] if args.json else [*_lines(feeds, alerts)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return FINE if whole else FOUND


def _json(whole: bool, feeds: list[FeedReport], alerts: list[StandingAlert]) -> str:
    return msgspec.json.encode({
        "schema": CHECK_SCHEMA, "whole": whole,
        "feeds": [asdict(feed) | {"whole": feed.whole} for feed in feeds],
        "alerts": [asdict(alert) for alert in alerts],
    }).decode()


def _lines(feeds: list[FeedReport], alerts: list[StandingAlert]) -> list[str]:
    lines = []
    for feed in feeds:
        verdict = "ĐẦY ĐỦ / WHOLE" if feed.whole else "KHÔNG ĐẦY ĐỦ / NOT WHOLE"
        lines.append(f"{feed.site}/{feed.gate}  {printable(feed.epoch)}  {feed.events} sự kiện / events, "
                     f"đến / up to #{feed.last_seq}: {verdict}")
        if feed.bad_seq is not None:
            lines.append(f"  chuỗi bị hỏng tại / chain broken at #{feed.bad_seq}")
        for gap in feed.missing:
            why = f"cổng đã báo mất / the gate says so: {gap.explained}" if gap.explained else "chưa rõ / unexplained"
            lines.append(f"  thiếu / missing #{gap.from_seq}..#{gap.to_seq} ({gap.to_seq - gap.from_seq + 1}): {why}")
    lines += [f"cảnh báo / alert {alert.site}/{alert.gate} {alert.kind} x{alert.count}: {printable(alert.detail)}"
              for alert in alerts]
    return lines or ["chưa có sự kiện nào / nothing recorded yet"]
