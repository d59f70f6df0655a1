"""What the database holds of each feed, proved again from the bytes: chains, gaps and standing alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gate import wire
from gate.central.db import models as table
from gate.errors import MalformedError

ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class MissingRange:
    """Events that are not here; `explained` names the gate's own event that owns up to it, or is empty."""

    from_seq: int
    to_seq: int
    explained: str
    seen_at: datetime


@dataclass(slots=True)
class FeedReport:
    """One epoch of one gate; `bad_seq` is the first event whose bytes or chain do not hold."""

    site: str
    gate: str
    epoch: str
    events: int = 0
    last_seq: int = 0
    last_heard_at: datetime | None = None
    missing: list[MissingRange] = field(default_factory=list)
    bad_seq: int | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is missing that the gate has not owned up to, and every chain holds."""
        return self.bad_seq is None and all(gap.explained for gap in self.missing)


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """An alert that nobody has cleared."""

    id: int
    site: str
    gate: str
    epoch: str
    kind: str
    detail: str
    count: int
    last_at: datetime


def check_feeds(session: Session, site: str | None = None) -> list[FeedReport]:
    """Read every event of every feed (of one site) and prove it again."""
    query = select(table.Feed).order_by(table.Feed.site, table.Feed.gate, table.Feed.id)
    if site is not None:
        query = query.where(table.Feed.site == site)
    return [_check(session, feed) for feed in session.scalars(query)]


def standing_alerts(session: Session, site: str | None = None) -> list[StandingAlert]:
    """The alerts that somebody has to look at, oldest first."""
    query = select(table.FeedAlert).where(table.FeedAlert.cleared_at.is_(None)).order_by(table.FeedAlert.id)
    if site is not None:
        query = query.where(table.FeedAlert.site == site)
    return [StandingAlert(row.id, row.site, row.gate, row.epoch, row.kind, row.detail, row.count, row.last_at)
            for row in session.scalars(query)]


def clear_alerts(session: Session, ids: Sequence[int], note: str, at: datetime) -> list[int]:
    """Take alerts off the list, with what was found out about them; gives the ids that no standing alert has."""
    alert = table.FeedAlert
    standing = set(session.scalars(select(alert.id).where(alert.id.in_(ids), alert.cleared_at.is_(None))))
    session.execute(update(alert).where(alert.id.in_(standing)).values(cleared_at=at, cleared_note=note))
    return [wanted for wanted in ids if wanted not in standing]


def _check(session: Session, feed: table.Feed) -> FeedReport:
    report = FeedReport(feed.site, feed.gate, feed.epoch, last_heard_at=feed.last_heard_at)
    gaps = session.scalars(select(table.Gap).order_by(table.Gap.from_seq)
                           .where(table.Gap.feed_id == feed.id, table.Gap.closed_at.is_(None)))
    report.missing = [MissingRange(gap.from_seq, gap.to_seq, gap.explained, gap.seen_at) for gap in gaps]
    known = {(gap.from_seq, gap.to_seq) for gap in report.missing}
    rows = session.execute(
        select(table.Event.seq, table.Event.body, table.Event.hash).where(table.Event.feed_id == feed.id)
        .order_by(table.Event.seq).execution_options(yield_per=ROWS_AT_ONCE))
    prev = wire.GENESIS
    for seq, body, hash_ in rows:
        jumped = seq != report.last_seq + 1
        holds = (report.last_seq + 1, seq - 1) in known if jumped else True
        if report.bad_seq is None and not (holds and _holds(feed, seq, body, hash_, None if jumped else prev)):
            report.bad_seq = seq
        report.events, report.last_seq, prev = report.events + 1, seq, hash_
    if report.bad_seq is None and (report.last_seq, prev) != (feed.last_seq, feed.last_hash):
        report.bad_seq = feed.last_seq
    return report


def _holds(feed: table.Feed, seq: int, body: bytes, hash_: bytes, prev: bytes | None) -> bool:
    try:
        event = wire.read_event(body)
    except MalformedError:
        return False
    return (wire.event_hash(body) == hash_ and (event.seq, event.epoch) == (seq, feed.epoch)
            and event.source == wire.source(feed.site, feed.gate) and prev in (None, bytes.fromhex(event.prevhash)))
