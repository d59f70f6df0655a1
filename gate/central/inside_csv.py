"""The muster list as CSV that spreadsheets open as text: UTF-8 with a byte-order mark, and no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import tzinfo

from gate.central.inside import Inside

HEADING = ("site", "place", "company", "name", "holder", "gate", "since")


def inside_csv(people: Sequence[Inside], zone: tzinfo) -> str:
    """One line a person under `HEADING`; times in `zone`, with its offset."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADING)
    for each in people:
        writer.writerow(map(_cell, (each.site, each.place, each.company, each.name, each.holder, each.gate,
                                    each.since.astimezone(zone).isoformat(timespec="seconds"))))
    return "\ufeff" + text.getvalue()


def _cell(text: str) -> str:
    """A cell that a spreadsheet would calculate begins with an apostrophe (OWASP, CSV injection)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
