"""`gate wiring --config FILE`: which wire goes where, as a table, a picture, the firmware's lines."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

SCHEMA = "gate.wiring/1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--svg", type=Path, metavar="FILE", help="draw the header with its wires into this file")
    form.add_argument("--firmware", action="store_true", help="print lines for config.txt")
    form.add_argument("--json", action="store_true", help=f"print one JSON object ({SCHEMA})")


def run(args: argparse.Namespace) -> int:
    """Print or draw what was asked for."""
    from gate import wiring
    from gate.config.reading import load

    settings = load(args.config, files=False)
    if args.svg is not None:
        args.svg.write_text(wiring.svg(settings), encoding="utf-8")
        print(args.svg)
    elif args.firmware:
        print(f"# {args.config}: gate wiring --firmware", *wiring.firmware_lines(wiring.wires(settings)), sep="\n")
    elif args.json:
        rows = [{"pin": wire.place, "bcm": wire.bcm, "device": wire.device, "use": wire.use, "output": wire.output,
                 "rest": wire.rest} for wire in wiring.wires(settings)]
        print(json.dumps({"schema": SCHEMA, "wires": rows, "firmware": wiring.firmware_lines(wiring.wires(settings)),
                          "devices": dict(wiring.devices(settings))}))
    else:
        print("\n".join(wiring.table(settings)))
    return 0
