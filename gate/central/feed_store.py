"""The recorder's tables: feeds with their events and gaps, alerts, and what each gate last said of itself.

Every method works inside the transaction that `FeedStore.writing` opens, which is alone in the database; what is kept
in memory is only ever a copy, thrown away when a transaction fails, and read anew when another recorder has written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.orm import Session

from gate import wire
from gate.central.db import models as table
from gate.central.db import writing
from gate.central.feed import Arrival, Feed, Placement, Range, Stored
from gate.errors import MalformedError

EPOCHS_MAX = 1_000
"""Feeds that one gate may have; a gate makes a new one only when its ledger is made anew."""
DETAIL_MAX_CHARS = 500


@dataclass(slots=True)
class KeptFeed:
    """A feed with the names it goes by and its row's id."""

    id: int
    site: str
    gate: str
    epoch: str
    feed: Feed
    writes: int
    """The row's `writes` that this copy shows."""


class FeedStore:
    """Reads and writes the feeds of one database; one thread, one transaction at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._feeds: dict[tuple[str, str, str], KeptFeed] = {}
        self._fresh: set[int] = set()
        """Feeds whose copy was compared with the row in this transaction."""
        self._session: Session | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it is in the database when this returns, or none of it."""
        try:
            with writing(self._engine) as session:
                self._session = session
                self._fresh.clear()
                yield
        except BaseException:
            self._feeds.clear()
            raise
        finally:
            self._session = None

    @property
    def _now(self) -> Session:
        if self._session is None:
            raise RuntimeError("outside a transaction")
        return self._session

    def add(self, site: str, gate: str, arrivals: Sequence[Arrival], at: datetime) -> tuple[KeptFeed, Placement]:
        """Place a batch and store what is new of it.

        Raises:
            MalformedError: the gate has had more epochs than a gate can have.
        """
        kept = self._feed(site, gate, arrivals[0].event.epoch, at)
        gaps_before = list(kept.feed.gaps)
        placement = kept.feed.place(arrivals, lambda first, last: self._stored(kept.id, first, last))
        if placement.new:
            self._now.connection().execute(insert(table.Event), [
                {"feed_id": kept.id, "seq": new.seq, "kind": new.event.kind, "time": new.event.time,
                 "received_at": at, "body": new.body, "hash": new.hash} for new in placement.new
            ])
        kept.writes += 1
        self._now.execute(update(table.Feed).where(table.Feed.id == kept.id).values(
            last_seq=kept.feed.last_seq, last_hash=kept.feed.last_hash, last_heard_at=at, writes=kept.writes))
        if kept.feed.gaps != gaps_before:
            self._write_gaps(kept.id, gaps_before, kept.feed.gaps, at)
        for (first, last), kind in placement.explained:
            self._now.execute(update(table.Gap).where(
                table.Gap.feed_id == kept.id, table.Gap.closed_at.is_(None),
                table.Gap.from_seq >= first, table.Gap.to_seq <= last).values(explained=kind))
        if kept.feed.gaps != gaps_before or placement.explained:
            self._mind_gaps(kept, at)
        return kept, placement

    def has(self, site: str, gate: str, epoch: str) -> bool:
        """Whether any event of that epoch has come."""
        ours = select(table.Feed.id).where(
            table.Feed.site == site, table.Feed.gate == gate, table.Feed.epoch == epoch)
        return (site, gate, epoch) in self._feeds or self._now.scalar(ours) is not None

    def hash_at(self, kept: KeptFeed, seq: int) -> bytes:
        """The chain's hash at a seq that is here."""
        if seq == kept.feed.last_seq:
            return kept.feed.last_hash
        return self._stored(kept.id, seq, seq)[seq].hash

    def newest_feeds(self, site: str | None) -> list[KeptFeed]:
        """The latest feed of each gate (of one site, or of all)."""
        newest = select(func.max(table.Feed.id)).group_by(table.Feed.site, table.Feed.gate)
        query = select(table.Feed).where(table.Feed.id.in_(newest))
        if site is not None:
            query = query.where(table.Feed.site == site)
        return [self._load(row) for row in self._now.scalars(query)]

    def alert(self, site: str, gate: str, kind: str, detail: str, *, at: datetime, epoch: str = "") -> None:
        """Raise an alert, or count one more of a kind that stands."""
        alert, detail = table.FeedAlert, detail[:DETAIL_MAX_CHARS]
        standing = self._now.scalars(select(alert).where(
            alert.site == site, alert.gate == gate, alert.epoch == epoch, alert.kind == kind,
            alert.cleared_at.is_(None))).first()
        if standing is None:
            self._now.add(alert(
                site=site, gate=gate, epoch=epoch, kind=kind, detail=detail, raised_at=at, last_at=at))
        else:
            standing.count, standing.detail, standing.last_at = standing.count + 1, detail, at

    def gate_says(self, site: str, gate: str, at: datetime | None, **said: Any) -> None:
        """Keep what a gate said of itself; `at` None leaves `heard_at` alone: a retained message is old news."""
        row = self._gate(site, gate)
        for column, value in said.items():
            setattr(row, column, value)
        if at is not None:
            row.heard_at = at

    def gate_alert(self, site: str, gate: str, id: str, detail: str | None) -> None:
        """Keep an alert that a gate raised, or drop one that it cleared."""
        row = self._gate(site, gate)
        others = {key: value for key, value in row.alerts.items() if key != id}
        row.alerts = others if detail is None else others | {id: detail[:DETAIL_MAX_CHARS]}

    def _gate(self, site: str, gate: str) -> table.GateStatus:
        row = self._now.get(table.GateStatus, (site, gate))
        if row is None:
            row = table.GateStatus(site=site, gate=gate, status="", state={}, info={}, alerts={})
            self._now.add(row)
        return row

    def _feed(self, site: str, gate: str, epoch: str, at: datetime) -> KeptFeed:
        kept = self._feeds.get((site, gate, epoch))
        if kept is not None and self._is_fresh(kept):
            return kept
        ours = select(table.Feed).where(table.Feed.site == site, table.Feed.gate == gate)
        row = self._now.scalars(ours.where(table.Feed.epoch == epoch)).first()
        if row is None:
            others = self._now.scalar(select(func.count()).select_from(ours.subquery())) or 0
            if others >= EPOCHS_MAX:
                raise MalformedError(f"epoch {others + 1} of one gate; at most {EPOCHS_MAX} are kept")
            if others:
                self.alert(site, gate, "new-epoch", "the gate's ledger was made anew", at=at, epoch=epoch)
            row = table.Feed(site=site, gate=gate, epoch=epoch, last_hash=wire.GENESIS,
                             first_heard_at=at, last_heard_at=at)
            self._now.add(row)
            self._now.flush()
        kept = self._feeds[site, gate, epoch] = self._load(row)
        self._fresh.add(kept.id)
        return kept

    def _is_fresh(self, kept: KeptFeed) -> bool:
        """Whether no other recorder has written this feed since it was read: asked once in a transaction."""
        if kept.id not in self._fresh:
            if self._now.scalar(select(table.Feed.writes).where(table.Feed.id == kept.id)) != kept.writes:
                return False
            self._fresh.add(kept.id)
        return True

    def _load(self, row: table.Feed) -> KeptFeed:
        gaps = self._now.execute(
            select(table.Gap.from_seq, table.Gap.to_seq).order_by(table.Gap.from_seq)
            .where(table.Gap.feed_id == row.id, table.Gap.closed_at.is_(None)))
        feed = Feed(row.last_seq or 0, row.last_hash, [(first, last) for first, last in gaps])
        return KeptFeed(row.id, row.site, row.gate, row.epoch, feed, row.writes)

    def _stored(self, feed_id: int, first: int, last: int) -> Mapping[int, Stored]:
        rows = self._now.execute(
            select(table.Event.seq, table.Event.body, table.Event.hash)
            .where(table.Event.feed_id == feed_id, table.Event.seq.between(first, last)))
        return {seq: Stored(bytes.fromhex(wire.read_event(body).prevhash), hash_) for seq, body, hash_ in rows}

    def _mind_gaps(self, kept: KeptFeed, at: datetime) -> None:
        """Raise the alert `gap` while events are missing that the gate has not owned up to; clear it after."""
        missing = self._now.execute(
            select(func.min(table.Gap.from_seq), func.sum(table.Gap.to_seq - table.Gap.from_seq + 1))
            .where(table.Gap.feed_id == kept.id, table.Gap.closed_at.is_(None), table.Gap.explained == "")).one()
        if missing[0] is not None:
            detail = f"{missing[1]} events are missing, the first is {missing[0]}"
            self.alert(kept.site, kept.gate, "gap", detail, at=at, epoch=kept.epoch)
            return
        alert = table.FeedAlert
        self._now.execute(update(alert).where(
            alert.site == kept.site, alert.gate == kept.gate, alert.epoch == kept.epoch, alert.kind == "gap",
            alert.cleared_at.is_(None)).values(cleared_at=at, cleared_note="all of them came, or were explained"))

    def _write_gaps(self, feed_id: int, before: Sequence[Range], after: Sequence[Range], at: datetime) -> None:
        """Bring the rows from `before` to `after`: a gap is closed, shrinks, is split, or is new."""
        gap, fresh = table.Gap, set(after) - set(before)
        for first, last in set(before) - set(after):
            parts = sorted(part for part in fresh if first <= part[0] <= last)
            fresh -= set(parts)
            self._now.execute(
                update(gap).where(gap.feed_id == feed_id, gap.from_seq == first, gap.closed_at.is_(None))
                .values({"from_seq": parts[0][0], "to_seq": parts[0][1]} if parts else {"closed_at": at}))
            fresh |= set(parts[1:])
        self._now.add_all(
            gap(feed_id=feed_id, from_seq=first, to_seq=last, seen_at=at) for first, last in sorted(fresh))
