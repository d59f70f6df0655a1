"""`gate central ...`: the central side, one sub-command a module of `gate.central`."""

from __future__ import annotations

import argparse
from importlib import import_module

NOUNS = {
    "recorder": ("gate.central.recorder_command", "MQTT in, database out; acknowledges what it keeps"),
    "issue": ("gate.central.issue_command", "keys, people, passes, number codes, cards"),
    "documents": ("gate.central.documents_command", "publish signed documents for the gates"),
    "alerts": ("gate.central.alerts_command", "what is wrong with a feed; clear it with a note"),
    "presence": ("gate.central.presence_command", "who is inside now: list, JSON, CSV"),
    "web": ("gate.central.web_command", "the live page and the list of who is inside"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the sub-commands; each loads its module only when it is the one called."""
    parser.add_argument("central_noun", choices=tuple(NOUNS), metavar="{" + ",".join(NOUNS) + "}",
                        help="; ".join(f"{noun}: {text}" for noun, (_, text) in NOUNS.items()))
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="options of that command (try --help)")


def run(args: argparse.Namespace) -> int:
    """Hand the rest of the line to the sub-command."""
    name, summary = NOUNS[args.central_noun]
    module = import_module(name)
    parser = argparse.ArgumentParser(prog=f"gate central {args.central_noun}", description=summary)
    module.configure(parser)
    return int(module.run(parser.parse_args(args.rest)))
