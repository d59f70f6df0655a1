"""What the roster says of a visitor: whom they come to see, and how often they may enter. Pure.

The fact `visit` of a roster row: {"host": "HOLDER ID", "uses": 3}; either may be left out. The window is the row's
own `valid_from` and `valid_until`.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Annotated

import msgspec
from msgspec import Meta

from gate.errors import DocumentError
from gate.model import Effect, EventKind, Record, RosterEntry

FACT = "visit"
USES_MAX = 100_000


class Visit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A host by their holder id, and the number of entries at this gate; None is unlimited."""

    host: Annotated[str, Meta(max_length=64)] = ""
    uses: Annotated[int, Meta(ge=1, le=USES_MAX)] | None = None


NO_VISIT = Visit()


def visit_of(entry: RosterEntry | None) -> Visit:
    """What a row says of a visit.

    Raises:
        DocumentError: it is not in form.
    """
    return read_visit(entry.facts[FACT]) if entry is not None and FACT in entry.facts else NO_VISIT


def read_visit(fact: object) -> Visit:
    """Read the fact; raises DocumentError where it is not in form."""
    try:
        return msgspec.convert(fact, Visit)
    except msgspec.ValidationError as error:
        raise DocumentError(f"the visit: {error}") from error


def count_uses(uses: MutableMapping[str, int], effects: Iterable[Effect]) -> None:
    """Note how often visitors have entered, by the records of their passages.

    Whoever has the lane already may show the code again, so only the end of it counts here; the ledger counts from the
    grant on, so that a crash in between gives nothing back.
    """
    for effect in effects:
        if isinstance(effect, Record) and effect.kind in (EventKind.ACCESS_TAKEN, EventKind.ACCESS_NOT_TAKEN) and (
                "uses" in effect.data):
            uses[effect.data["holder"]] = effect.data["uses"]
