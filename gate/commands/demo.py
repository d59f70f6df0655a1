"""`gate demo`: a whole gate on this machine; `--once` checks it and ends, `gate demo scan CODE` tries a code."""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gate.demo.checks import Check
    from gate.demo.parts import Parts
    from gate.demo.site import DemoSite

FOLDER = Path("var/demo")


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything is made (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="walk through every check, print a table, end")
    parser.add_argument("--json", action="store_true", help="with --once: one gate.demo/1 object")
    commands = parser.add_subparsers(dest="what", metavar="scan")
    scan = commands.add_parser("scan", help="hold a code to a reader of the demo that runs")
    scan.add_argument("code", help="the name of a demo code, an image file, or any text")
    scan.add_argument("--reader", default="camera-in", help="camera-in, scanner-in, scanner-out or keypad-in")


def run(args: argparse.Namespace) -> int:
    """Run the demo; with --once, 0 when all happened as it should."""
    from gate.demo.lane import Lane, ask
    from gate.demo.parts import WEB_PORT, Parts, free_port
    from gate.demo.site import make_site

    if args.what == "scan":
        ask(args.folder, args.reader, args.code)
        print(f"{args.code} → {args.reader}")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a parent had them ignored
        signal.signal(number, signal.default_int_handler)
    quiet = args.once and args.json
    site = make_site(args.folder, free_port(), (lambda text: None) if quiet else _say)
    with Lane(site) as lane, Parts(site, free_port(WEB_PORT)) as parts:
        for name, start in (("broker", parts.start_broker), ("recorder and live page", parts.start_central),
                            ("gate", parts.start_gate)):
            if not quiet:
                _say(name)
            start()
        if args.once:
            from gate.demo.checks import Walk

            return _report(list(Walk(site, parts, lane).run()), args.json, site)
        _welcome(site, parts)
        return _watch(site, parts)


def _say(text: str) -> None:
    print(f"  · {text}", flush=True)


def _report(checks: list[Check], as_json: bool, site: DemoSite) -> int:
    from gate.demo.checks import table

    failed = [check for check in checks if not check.passed]
    if as_json:
        print(json.dumps({"schema": "gate.demo/1", "passed": not failed, "checks": [
            {"what": check.what, "expected": check.expected, "happened": check.happened} for check in checks
        ]}, ensure_ascii=False))
    else:
        print(table(checks))
        if failed:
            print(f"what each process printed: {site.folder}/log/")
    return 1 if failed else 0


def _welcome(site: DemoSite, parts: Parts) -> None:
    """What a visitor can do now, with a code to try at once."""
    import segno

    from gate.demo.site import GATE, OPERATOR, SITE

    print("\nThẻ của An: đưa lên camera bất kỳ, hoặc dùng lệnh dưới đây · An's pass:\n")
    segno.make_qr(site.codes["an-pass"], error="m").terminal(compact=True)
    print(f"""
  Trang trực tiếp · live page   {parts.page}
  Mã để thử · codes to try      {site.folder}/codes/*.png, {site.folder}/passes/
  Đưa mã vào · try a code       gate demo scan an-pass
                                gate demo scan PHOTO.jpg
                                gate demo scan binh-cccd --reader scanner-in
                                gate demo scan {site.codes['binh-so']} --reader keypad-in
                                gate demo scan chi-cccd --reader scanner-out
  Ra lệnh · command             gate command open --site {SITE} --gate {GATE} --actor {OPERATOR} --reason "thử" \\
                                  --key {site.folder}/operator.pem --broker 127.0.0.1 --port {site.broker_port} \\
                                  --username operator --password-file {site.folder}/operator.password
  Có tên · names                {', '.join(site.codes)}
  Dừng · stop                   Ctrl-C
""", flush=True)


def _watch(site: DemoSite, parts: Parts) -> int:
    """Print the broker's feed until Ctrl-C, or until a process falls."""
    import subprocess
    import sys

    feed = subprocess.Popen([
        sys.executable, "-m", "gate", "watch", "--broker", "127.0.0.1", "--port", str(site.broker_port),
        "--username", "operator", "--password-file", str(site.folder / "operator.password"),
    ])
    try:
        while not (fallen := parts.fallen()) and feed.poll() is None:
            try:
                feed.wait(1.0)
            except subprocess.TimeoutExpired:
                continue
        if fallen:
            print(f"{', '.join(fallen)} ended by itself: see {site.folder}/log/")
        return 3
    except KeyboardInterrupt:
        print("\n  · stopping", flush=True)
        return 0
    finally:
        feed.terminate()
        feed.wait(10)
