"""`gate events`: read this gate's ledger, prove its chain, or hand it on; a running gate is not held up."""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from gate import wire
from gate.commands.feed_lines import event_text
from gate.errors import UsageError
from gate.ledger import FILE_NAME, LedgerReader, Row
from gate.model import EventKind

HELP = "read, verify or export this gate's ledger"
INTACT, BROKEN = 0, 1
FOLLOW_S = 0.5
"""How often `tail --follow` looks for something new."""
COLUMNS = ("reader", "direction", "reason", "rule", "format", "proof", "holder", "count")
"""The keys of `data` that have a column of their own in CSV; the rest stands in the last one, as JSON."""

_json = msgspec.json.Encoder()


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the three verbs and their options."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="{tail,verify,export}")
    tail = verbs.add_parser("tail", help="the latest events")
    tail.add_argument("-n", "--lines", type=int, default=20, metavar="N", help="how many (20)")
    tail.add_argument("-f", "--follow", action="store_true", help="go on as they come, until Ctrl-C")
    tail.add_argument("--kind", action="append", default=[], choices=[kind.value for kind in EventKind], metavar="KIND",
                      help="only this kind, for example AccessDenied; may be given again")
    verify = verbs.add_parser("verify", help="recompute the hash chain: 0 intact, 1 broken")
    export = verbs.add_parser("export", help="every event, to standard output")
    export.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
    export.add_argument("--after", type=int, default=0, metavar="SEQ", help="only events after this one")
    for verb in (tail, verify, export):
        where = verb.add_mutually_exclusive_group(required=True)
        where.add_argument("--config", type=Path, metavar="FILE", help="the gate's config")
        where.add_argument("--ledger", type=Path, metavar="PATH", help="the ledger itself, or a copy of it")
        verb.add_argument("--json", action="store_true", help="one JSON object a line, with its schema")


def run(args: argparse.Namespace) -> int:
    """Open the ledger read-only and do what was asked."""
    verbs: dict[str, Callable[[LedgerReader, argparse.Namespace], int]] = {
        "tail": _tail, "verify": _verify, "export": _export,
    }
    reader = LedgerReader(_ledger_path(args))
    try:
        return verbs[args.verb](reader, args)
    finally:
        reader.close()


def _ledger_path(args: argparse.Namespace) -> Path:
    if args.ledger is not None:
        return Path(args.ledger)
    from gate.config.reading import load

    return load(args.config, files=False).state_dir / FILE_NAME


def _tail(reader: LedgerReader, args: argparse.Namespace) -> int:
    if args.lines < 0:
        raise UsageError("--lines counts events: 0 or more")
    kinds = tuple(EventKind(kind) for kind in args.kind)
    say = _json_line if args.json else _line
    newest = reader.recent(1)
    latest = reader.recent(args.lines, kinds)
    for row in latest:
        print(say(row))
    seq = max((row.seq for row in [*newest, *latest]), default=0)
    while args.follow:
        for row in _rows(reader, seq):
            seq = row.seq
            if not kinds or wire.read_event(row.body).kind in kinds:
                print(say(row))
        sys.stdout.flush()
        time.sleep(FOLLOW_S)
    return 0


def _verify(reader: LedgerReader, args: argparse.Namespace) -> int:
    proof = reader.prove()
    intact = proof.bad_seq is None
    if args.json:
        print(_json.encode({"schema": "gate.events.verify/1", "intact": intact, "epoch": reader.epoch,
                            **proof._asdict()}).decode())
    elif intact:
        print(f"NGUYÊN VẸN / INTACT: {proof.events} sự kiện / events, epoch {reader.epoch}")
        if proof.lost:
            print(f"  {proof.lost} sự kiện đã mất, có ghi nhận / events lost, which the ledger itself says")
    else:
        print(f"BỊ HỎNG / BROKEN: sự kiện / event {proof.bad_seq}: {proof.problem}")
        print(f"  {proof.events} sự kiện trước đó nguyên vẹn / events before it are intact.")
        print("  Giữ lại tệp này và đối chiếu với trung tâm / Keep this file, and compare it with the recorder.")
    return INTACT if intact else BROKEN


def _export(reader: LedgerReader, args: argparse.Namespace) -> int:
    rows = _rows(reader, args.after)
    if args.format == "jsonl":
        for row in rows:
            print(_json_line(row))
        return 0
    if args.json:
        raise UsageError("--json and --format csv exclude each other")
    table = csv.writer(sys.stdout)
    table.writerow(("seq", "time", "synced", "kind", *COLUMNS, "data"))
    for row in rows:
        event = wire.read_event(row.body)
        rest = {key: value for key, value in event.data.items() if key not in COLUMNS}
        cells = (event.seq, event.time, event.synced, event.kind, *(event.data.get(key, "") for key in COLUMNS))
        table.writerow([*map(_cell, cells), _json.encode(rest).decode() if rest else ""])
    return 0


def _rows(reader: LedgerReader, after_seq: int) -> Iterator[Row]:
    while rows := reader.rows_after(after_seq, wire.BATCH_MAX_EVENTS):
        yield from rows
        after_seq = rows[-1].seq


def _json_line(row: Row) -> str:
    """The stored bytes unchanged, so that whoever has the line can recompute the hash."""
    return _json.encode({
        "schema": "gate.event/1", "seq": row.seq, "hash": row.hash.hex(), "event": msgspec.Raw(row.body),
    }).decode()


def _line(row: Row) -> str:
    event = wire.read_event(row.body)
    moment = event.time.replace("T", " ")
    return f"{moment}{'' if event.synced else '?'}  #{event.seq}  {event_text(event.kind, event.data)}"


def _cell(value: Any) -> Any:
    """What a spreadsheet would take for a formula is made plain text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
