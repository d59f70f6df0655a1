"""`gate decide CODE [CODE] --config FILE`: what this gate would answer, and why; nothing moves or is kept."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("codes", nargs="+", metavar="code",
                        help="the text of a code, or an image file that shows one; two are shown one after the other")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--direction", choices=("entry", "exit"), default="entry")
    parser.add_argument("--at", type=datetime.fromisoformat, metavar="RFC3339", help="another moment than now")
    parser.add_argument("--mode", choices=("normal", "lockdown", "free"), default="normal")
    parser.add_argument("--explain", action="store_true", help="print each step of admission")
    parser.add_argument("--json", action="store_true", help="one gate.decide/1 object")


def run(args: argparse.Namespace) -> int:
    """Decide and print; 0 granted, 1 denied."""
    from gate.admission import answer, examine
    from gate.config.reading import load
    from gate.documents import load_documents
    from gate.errors import UsageError
    from gate.explanation import explain
    from gate.lane_settings import clock_of, view_of
    from gate.model import Direction, Mode, Scan
    from gate.texts import hint_words, reason_text
    from gate.token_key import read_token_key

    settings = load(args.config)
    documents = load_documents(settings.state_dir, read_token_key(settings.site.token_key_file))
    now = clock_of(settings.clock).now()
    if args.at is not None:
        if args.at.tzinfo is None:
            raise UsageError("--at needs an offset, as in 2026-11-23T06:55:00+07:00")
        now = replace(now, utc=args.at, trusted=True)
    view = view_of(settings.admission, settings.site, frozenset(), settings.health)
    view = replace(view, documents=documents, mode=Mode(args.mode))
    for code in args.codes:
        scan = Scan("decide", Direction(args.direction), _payload(code), now.mono)
        case = examine(scan, view, now)
        decision, view = answer(scan, view, now)
    text = reason_text(decision.reason.name)
    if args.json:
        print(json.dumps({
            "schema": "gate.decide/1", "granted": decision.granted, "reason": decision.reason.name,
            "bacnet": decision.reason.bacnet, "rule": decision.rule, "hint": decision.hint,
            "format": decision.format, "proof": decision.proof.value, "holder": decision.holder,
            "at": now.utc.isoformat(), "clock_trusted": now.trusted, "documents": dict(documents.versions),
            "observed": decision.observed,
            "steps": [{"number": step.number, "name": step.name, "outcome": step.outcome} for step in decision.steps],
            "rules": [{**said._asdict(), "rule": said.rule.strip()} for said in explain(case)],
        }, ensure_ascii=False))
    else:
        print(f"{'✓' if decision.granted else '✗'} {decision.reason.name}: {text.vi} / {text.en}")
        print(f"  {text.next_vi} / {text.next_en}")
        if hint := hint_words(decision.hint):
            print(f"  {hint.vi} / {hint.en}")
        if args.explain:
            versions = ", ".join(f"{name} v{version}" for name, version in sorted(documents.versions.items()))
            print(f"  format {decision.format or '-'}, proof {decision.proof}, holder {decision.holder or '-'}, "
                  f"rule {decision.rule or '-'}")
            print(f"  documents: {versions or 'none imported yet'}")
            for step in decision.steps:
                print(f"  {step.number} {step.name:16} {step.outcome}")
            for said in explain(case):
                print(f"      {said.rule:20} {said.outcome:28} {said.document:26} {said.proof}")
    return 0 if decision.granted else 1


def _payload(code: str) -> bytes:
    """The bytes of a code: read from the image when `code` names a file."""
    from gate.errors import UsageError

    try:
        is_file = Path(code).is_file()
    except OSError:  # longer than a path may be
        is_file = False
    if not is_file:
        return code.encode()
    from gate.drivers.images import read_image

    symbols = read_image(Path(code))
    if not symbols:
        raise UsageError(f"{code}: no QR code found in this image")
    return symbols[0].payload
