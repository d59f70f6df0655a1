"""`gate central issue ...`: keys, people, passes, number codes, withdrawals, and what there is of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

from gate.central import issue_actions as actions
from gate.central import people_csv
from gate.central.db import DEFAULT_URL
from gate.order import Role
from gate.trust import Purpose

HELP = "keys, people, passes, number codes, cards"


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe every sub-command."""
    commands = parser.add_subparsers(required=True, metavar="WHAT")

    def command(name: str, summary: str, serve: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(serve=serve)
        sub.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
        return sub

    key = command("key", "make a signing key and enter its public half in the issuers document", actions.make_key)
    key.add_argument("--out", type=Path, required=True, help="the new private key (PEM, mode 0600)")
    key.add_argument("--issuer", required=True, help="id of who signs: a-z, 0-9, hyphens")
    key.add_argument("--name", default="", help="the issuer's name as people read it, printed on cards")
    key.add_argument("--purpose", choices=get_args(Purpose), default="pass")
    key.add_argument("--role", choices=[role.name.lower() for role in Role],
                     help="with --purpose operator: how far their commands reach")
    key.add_argument("--country", default="VN")
    key.add_argument("--days", type=int, help="end of the key's life; without it there is none")
    _key_options(key)

    people = command("people", "add people, or bring them up to date, from a CSV file", actions.import_csv)
    people.epilog, people.formatter_class = people_csv.__doc__, argparse.RawDescriptionHelpFormatter
    people.add_argument("csv", type=Path, help="one line a person, under the headings below")
    people.add_argument("--skip-bad", action="store_true", help="leave out bad lines instead of importing nothing")
    _database_options(people)

    pass_ = command("pass", "sign passes, as QR and as printed cards", actions.sign_passes)
    pass_.add_argument("--key", type=Path, required=True, help="the issuer's private key")
    pass_.add_argument("--phone", type=Path, metavar="FILE",
                       help="bind the pass to the phone whose page shows this public key (JWK); prints the pass")
    pass_.add_argument("--page", metavar="URL", help="with --phone: print a link that puts the pass on the phone")
    pass_.add_argument("--days", type=int, required=True, help="valid until the end of the day so many days ahead")
    pass_.add_argument("--out", type=Path, help="folder for the files; without it the text is printed")
    pass_.add_argument("--png", action="append_const", const="png", dest="kinds", help="a PNG each (the default)")
    pass_.add_argument("--svg", action="append_const", const="svg", dest="kinds", help="an SVG each")
    pass_.add_argument("--card", action="append_const", const="card", dest="kinds",
                       help="cards.pdf, a card a page, and sheets.pdf, ten on A4")
    _key_options(pass_)
    _choice_options(pass_, "valid pass")
    _database_options(pass_)

    number = command("number", "give random number codes, for SMS and the keypad", actions.give_numbers)
    number.add_argument("--digits", type=int, help="more digits than the number of people asks for")
    _choice_options(number, "number code")
    _database_options(number)

    withdraw = command("revoke", "withdraw a pass, or everything that a person was issued", actions.withdraw)
    which = withdraw.add_mutually_exclusive_group(required=True)
    which.add_argument("--pass", dest="cti", help="the pass number on the card")
    which.add_argument("--person", help="a number of theirs, or their holder id")
    withdraw.add_argument("--reason", required=True, help="kept with the pass, shown to nobody at the lane")
    _database_options(withdraw)

    _database_options(command("list", "show the people", actions.show_people))
    _database_options(command("passes", "show the passes that were issued", actions.show_passes))


def run(args: argparse.Namespace) -> int:
    """Serve one sub-command."""
    return int(args.serve(args))


def _key_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--issuers", type=Path, help="the issuers document (issuers.json beside the key)")
    parser.add_argument("--passphrase-file", type=Path, help="its first line protects the key; - asks for it")


def _choice_options(parser: argparse.ArgumentParser, what: str) -> None:
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--person", action="append", help="a number of theirs, or their holder id; may be repeated")
    who.add_argument("--missing", action="store_true", help=f"everybody who has no {what}")
    who.add_argument("--all", action="store_true", help="everybody")


def _database_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db", default=DEFAULT_URL, help=f"database URL ({DEFAULT_URL})")
    parser.add_argument("--time-zone", type=_zone, default="Asia/Ho_Chi_Minh", help="where days begin and end")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"no time zone {name!r}; write for example Asia/Ho_Chi_Minh") from None
