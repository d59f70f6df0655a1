"""`/metrics`: what Prometheus's own parser reads of gates and feeds."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families
from test_web import HOSTILE, NOW, add_events, engine, served, set_status  # noqa: F401

from gate.central.db import writing
from gate.central.db.models import FeedAlert, Gap
from gate.model import EventKind


def scrape(engine) -> dict[tuple[str, ...], float]:  # noqa: F811
    """(name, site, gate, and the kind where there is one) -> value."""
    with served(engine) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    names = ("site", "gate", "kind")
    return {(sample.name, *(sample.labels[name] for name in names if name in sample.labels)): sample.value
            for family in text_string_to_metric_families(answer.text) for sample in family.samples}


def test_gate_is_told_as_it_last_spoke(engine):  # noqa: F811
    set_status(engine, state={"outbox": 7, "clock_trusted": False, "occupancy": 12}, alerts={"store-slow": "disk"})
    set_status(engine, gate="gate-2", heard_at=NOW - timedelta(minutes=5))
    values = scrape(engine)
    assert values["gate_up", "demo", "gate-1"] == 1
    assert values["gate_up", "demo", "gate-2"] == 0, "silent, whatever it said last"
    assert values["gate_last_heard_timestamp_seconds", "demo", "gate-1"] == NOW.timestamp()
    assert values["gate_outbox_events", "demo", "gate-1"] == 7
    assert values["gate_clock_trusted", "demo", "gate-1"] == 0
    assert values["gate_occupancy_people", "demo", "gate-1"] == 12
    assert ("gate_occupancy_people", "demo", "gate-2") not in values
    assert values["gate_alerts", "demo", "gate-1"] == 1


def test_feed_that_lacks_events_shows(engine):  # noqa: F811
    add_events(engine, (EventKind.GATE_STARTED, {}))
    with writing(engine) as session:
        session.add_all([
            Gap(feed_id=1, from_seq=5, to_seq=9, seen_at=NOW),
            Gap(feed_id=1, from_seq=20, to_seq=29, seen_at=NOW, explained="EventsLost"),
            FeedAlert(site="demo", gate="gate-1", kind="fork", raised_at=NOW, last_at=NOW),
            FeedAlert(site="demo", gate="gate-1", kind="chain", raised_at=NOW, last_at=NOW, cleared_at=NOW)])
    values = scrape(engine)
    assert values["gate_feed_missing_events", "demo", "gate-1"] == 5
    assert values["gate_feed_alerts", "demo", "gate-1", "fork"] == 1
    assert ("gate_feed_alerts", "demo", "gate-1", "chain") not in values
    assert values["gate_feed_last_event_timestamp_seconds", "demo", "gate-1"] == NOW.timestamp()


def test_hostile_names_stay_label_values(engine):  # noqa: F811
    set_status(engine, gate='x"} 1\ngate_up{site="forged",gate="y' + HOSTILE)
    assert [name for name in scrape(engine) if name[1] == "forged"] == []
