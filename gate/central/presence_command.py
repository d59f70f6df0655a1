"""`gate central presence`: who is inside now, as a list to read out, as JSON or as CSV."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

import msgspec

from gate.central.db import DEFAULT_URL, open_database, reading
from gate.central.inside import WINDOW_H, Inside, companies, who_is_inside
from gate.central.inside_csv import inside_csv
from gate.central.web_command import add_time_zone, zone_of
from gate.clock import SystemClock
from gate.commands.plain import printable

SCHEMA = "gate.central.presence/1"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gate central presence`."""
    parser.add_argument("--db", default=DEFAULT_URL, metavar="URL", help="the central database (default: %(default)s)")
    parser.add_argument("--site", metavar="SITE", help="only this site (default: all)")
    parser.add_argument("--hours", type=float, default=WINDOW_H, metavar="N",
                        help="read passages received in the last N hours (default: %(default)s)")
    add_time_zone(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help=f"one JSON object ({SCHEMA})")
    form.add_argument("--csv", action="store_true", help="a table for spreadsheets")


def run(args: argparse.Namespace) -> int:
    """Print the list; 0 whoever is inside."""
    zone = zone_of(args.time_zone)
    engine = open_database(args.db)
    with reading(engine) as session:
        people = who_is_inside(session, SystemClock().now().utc, site=args.site, window_h=args.hours)
    if args.json:
        text = _json(people)
    elif args.csv:
        text = inside_csv(people, zone)
    else:
        text = "".join(
            f"{each.since.astimezone(zone):%H:%M}  {printable(each.site)}/{printable(each.place)}  "
            f"{printable(each.name or each.holder)}  {printable(each.company)}\n" for each in people
        ) + f"{len(people)} người bên trong / people inside\n"
    sys.stdout.write(text)
    return 0


def _json(people: list[Inside]) -> str:
    of_companies = [{"site": site, "company": company, "inside": inside}
                    for (site, company), inside in companies(people).items()]
    return msgspec.json.encode({"schema": SCHEMA, "inside": len(people), "companies": of_companies,
                                "people": [asdict(each) for each in people]}).decode() + "\n"
