"""Watches the database for new events and changed gates, once for all who look at the page.

The newest `KEPT_EVENTS` rows stay in memory: a page that falls further behind goes on with those.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, tzinfo

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from gate.central.db import reading
from gate.central.db.models import Event, Feed, GateStatus
from gate.central.web.views import PASSAGES, EventRow, Tile, event_row, tile

KEPT_EVENTS = 200
READ_MAX_EVENTS = 1_000
"""How many rows one poll reads; a longer backlog is shown by its newest."""

PASSAGES_LOOKED_BACK = 5_000
"""How many rows are searched at start for each gate's last passage."""

log = logging.getLogger(__name__)


class FeedWatcher:
    """Polls the database and wakes every page that waits in `changed`.

    `refresh` runs in a worker thread; what it sets is read on the event loop only after it has returned.
    """

    def __init__(
        self, engine: Engine, *, zone: tzinfo, now: Callable[[], datetime], poll_s: float = 0.5,
    ) -> None:
        self.events: deque[EventRow] = deque(maxlen=KEPT_EVENTS)
        self.tiles: dict[str, Tile] = {}
        self.last_id = 0
        self.healthy: bool | None = None
        """Whether the last poll could read the database; None before the first."""
        self.version = 0
        self._engine = engine
        self._zone = zone
        self._now = now
        self._poll_s = poll_s
        self._passages: dict[tuple[str, str], EventRow] = {}
        self._changed = asyncio.Condition()
        self._closed = asyncio.Event()

    @property
    def closing(self) -> bool:
        return self._closed.is_set()

    async def run(self) -> None:
        """Poll until `close`."""
        while not self.closing:
            await self.poll()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), self._poll_s)

    async def poll(self) -> None:
        """Read once; a database that fails is tried again at the next poll, and `healthy` says so meanwhile."""
        before = self.last_id, self.tiles, self.healthy
        try:
            await asyncio.to_thread(self.refresh)
            self.healthy = True
        except SQLAlchemyError as error:
            if self.healthy is not False:
                log.error("the database cannot be read: %s", error)
            self.healthy = False
        if before != (self.last_id, self.tiles, self.healthy):
            await self._wake()

    async def changed(self, since: int, timeout_s: float) -> None:
        """Wait until `version` has left `since` behind, at most `timeout_s`."""
        async with self._changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait_for(lambda: self.version != since), timeout_s)

    async def close(self) -> None:
        """End `run` and every page's wait."""
        self._closed.set()
        await self._wake()

    def refresh(self) -> None:
        """Read what is new."""
        with reading(self._engine) as session:
            newest = session.scalar(select(func.max(Event.id))) or 0
            if self.last_id == 0:
                after_id = newest - PASSAGES_LOOKED_BACK
            else:
                after_id = max(self.last_id, newest - READ_MAX_EVENTS)
            query = (select(Event.id, Feed.site, Feed.gate, Event.body, Event.received_at)
                     .join(Feed).where(Event.id > after_id).order_by(Event.id))
            for found in session.execute(query):
                row = event_row(*found)
                self.events.append(row)
                self.last_id = row.id
                if row.kind in PASSAGES:
                    self._passages[row.site, row.gate] = row
            statuses = session.scalars(select(GateStatus).order_by(GateStatus.site, GateStatus.gate)).all()
            self.tiles = {made.key: made for made in (
                tile(found.site, found.gate, status=found.status, state=found.state, alerts=found.alerts,
                     heard_at=found.heard_at, passage=self._passages.get((found.site, found.gate)),
                     now=self._now(), zone=self._zone)
                for found in statuses
            )}

    async def _wake(self) -> None:
        async with self._changed:
            self.version += 1
            self._changed.notify_all()
