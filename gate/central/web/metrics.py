"""`/metrics` for Prometheus: each gate as the centre sees it, and what is wrong with its feed.

Read from the database at each scrape, so that a restart loses nothing and two pages say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gate.central.db import reading
from gate.central.db.models import Feed, FeedAlert, Gap, GateStatus
from gate.central.web.views import STALE_AFTER_S

GATE = ("site", "gate")
UP = ("online", "degraded")

Sample = tuple[Sequence[str], Any]
"""Label values, and the value; None is left out."""


class MetricsPage(Collector):
    """Collects anew for each scrape, in a worker thread."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    @property
    def route(self) -> Route:
        """`/metrics`."""
        return Route("/metrics", self.show)

    def show(self, request: Request) -> Response:
        """Everything, in the text format."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def describe(self) -> Sequence[Metric]:
        """Nothing: names are read from what is collected, and the database is not asked before a scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One family after another, from one snapshot."""
        with reading(self._engine) as session:
            yield from self._gates(session)
            yield from _feeds(session)

    def _gates(self, session: Session) -> Iterator[Metric]:
        gates = session.scalars(select(GateStatus).order_by(GateStatus.site, GateStatus.gate)).all()
        fresh_since = self._now() - timedelta(seconds=STALE_AFTER_S)

        def of_each(value: Callable[[GateStatus], Any]) -> list[Sample]:
            return [((row.site, row.gate), value(row)) for row in gates]

        yield _family("gate_up", "1 while the gate is heard and says that it works", GATE, of_each(
            lambda row: row.status in UP and row.heard_at is not None and row.heard_at >= fresh_since))
        yield _family("gate_last_heard_timestamp_seconds", "When the gate last said something of itself", GATE, of_each(
            lambda row: row.heard_at and row.heard_at.timestamp()))
        yield _family("gate_outbox_events", "Events at the gate that no recorder has acknowledged", GATE, of_each(
            lambda row: row.state.get("outbox")))
        yield _family("gate_clock_trusted", "1 while the gate believes its clock", GATE, of_each(
            lambda row: row.state.get("clock_trusted")))
        yield _family("gate_occupancy_people", "People in the gate's area, as the gate knows it", GATE, of_each(
            lambda row: row.state.get("occupancy")))
        yield _family("gate_alerts", "Alerts that the gate has raised and not cleared", GATE, of_each(
            lambda row: len(row.alerts)))


def _feeds(session: Session) -> Iterator[Metric]:
    heard = session.execute(select(Feed.site, Feed.gate, func.max(Feed.last_heard_at)).group_by(Feed.site, Feed.gate))
    yield _family("gate_feed_last_event_timestamp_seconds", "When an event of the gate last came", GATE,
                  [((site, gate), at.timestamp()) for site, gate, at in heard])
    missing = session.execute(
        select(Feed.site, Feed.gate, func.sum(Gap.to_seq - Gap.from_seq + 1)).join(Gap, Gap.feed_id == Feed.id)
        .where(Gap.closed_at.is_(None), Gap.explained == "").group_by(Feed.site, Feed.gate))
    yield _family("gate_feed_missing_events", "Events that are missing and that the gate does not explain", GATE,
                  [((site, gate), int(count)) for site, gate, count in missing])
    alerts = session.execute(
        select(FeedAlert.site, FeedAlert.gate, FeedAlert.kind, func.count())
        .where(FeedAlert.cleared_at.is_(None)).group_by(FeedAlert.site, FeedAlert.gate, FeedAlert.kind))
    yield _family("gate_feed_alerts", "Alerts of the recorder that nobody has cleared", (*GATE, "kind"),
                  [((site, gate, kind), count) for site, gate, kind, count in alerts])


def _family(name: str, what: str, labels: Sequence[str], samples: Sequence[Sample]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=labels)
    for values, value in samples:
        if isinstance(value, (bool, int, float)):
            family.add_metric(values, float(value))
    return family
