"""Who is inside each site, from the passages that its gates have reported; the same rule as at the gates.

Each holder's latest move stands (`gate.presence`), whichever gate reported it and whenever that arrived. Moves of a
shift that its gate has ended are left out, as the gate leaves them out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from gate import wire
from gate.central.db import models as table
from gate.errors import MalformedError
from gate.model import EventKind, Move, Stamp
from gate.presence import AHEAD_MAX_MS, OUTSIDE, Presence

WINDOW_H = 24.0
"""Nobody's shift is longer: what was received before is not read."""
ROWS_AT_ONCE = 1_000

_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class _Passage(msgspec.Struct):
    """What `gate.presence.data_of` puts into the event of a passage."""

    holder: str
    stamp: tuple[_Count, _Count]
    place: str = OUTSIDE
    company: str = ""
    shift: _Count = 0


@dataclass(frozen=True, slots=True)
class Inside:
    """One person inside; `name` is empty where the centre does not know the holder, `since` in UTC."""

    site: str
    place: str
    company: str
    name: str
    holder: str
    gate: str
    since: datetime


def who_is_inside(
    session: Session, now: datetime, *, site: str | None = None, window_h: float = WINDOW_H,
) -> list[Inside]:
    """Everybody inside (one site), by site, place, name and holder."""
    sites: dict[str, Presence] = defaultdict(lambda: Presence(""))
    shifts: dict[str, dict[str, int]] = defaultdict(dict)
    newest_millis = int(now.timestamp() * 1000) + AHEAD_MAX_MS
    for its_site, gate, body in _passages(session, now - timedelta(hours=window_h), site):
        try:
            said = msgspec.convert(wire.read_event(body).data, _Passage)
        except (MalformedError, msgspec.ValidationError):
            continue
        if said.stamp[0] <= newest_millis:
            sites[its_site].merge(Move(said.holder, said.place, said.company, Stamp(*said.stamp, gate)), 0.0)
            shifts[its_site][gate] = max(shifts[its_site].get(gate, 0), said.shift)
    found = [(its_site, move) for its_site, presence in sites.items() for move in presence.everybody()
             if move.place != OUTSIDE and move.stamp.millis >= shifts[its_site][move.stamp.gate]]
    names = _names(session, [move.holder for _, move in found])
    return sorted((Inside(its_site, move.place, move.company, names.get(move.holder, ""), move.holder, move.stamp.gate,
                          datetime.fromtimestamp(move.stamp.millis / 1000, UTC)) for its_site, move in found),
                  key=lambda each: (each.site, each.place, each.name, each.holder))


def companies(people: Sequence[Inside]) -> Counter[tuple[str, str]]:
    """How many of each site and company, the most first."""
    return Counter(dict(Counter((each.site, each.company) for each in people).most_common()))


def _passages(session: Session, since: datetime, site: str | None) -> Iterator[tuple[str, str, bytes]]:
    """Site, gate and body of each passage received since, the newest first: rows are numbered as they came."""
    query = (select(table.Event.received_at, table.Feed.site, table.Feed.gate, table.Event.body).join(table.Feed)
             .where(table.Event.kind == EventKind.ACCESS_TAKEN).order_by(table.Event.id.desc())
             .execution_options(yield_per=ROWS_AT_ONCE))
    if site is not None:
        query = query.where(table.Feed.site == site)
    for received_at, its_site, gate, body in session.execute(query):
        if received_at < since:
            return
        yield its_site, gate, body


def _names(session: Session, holders: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for start in range(0, len(holders), ROWS_AT_ONCE):
        some = holders[start:start + ROWS_AT_ONCE]
        query = select(table.Person.holder, table.Person.full_name).where(table.Person.holder.in_(some))
        names |= {row.holder: row.full_name for row in session.execute(query)}
    return names
