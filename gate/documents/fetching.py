"""The short-lived process `gate documents fetch`: its road, and its place behind everything else on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gate.config import Config
from gate.documents.broker_road import BrokerRoad
from gate.documents.roads import Road, WebRoad
from gate.errors import UsageError
from gate.lane_settings import clock_of

NICE = 5


def low_priority() -> None:
    """Let whoever stands at the lane go first."""
    with suppress(OSError):  # a sandbox that does not let us: slower for others, not wrong
        os.nice(NICE)


@contextmanager
def road_of(settings: Config) -> Iterator[Road]:
    """The road that the config names, and its end.

    Raises:
        UsageError: it names none.
    """
    documents = settings.documents
    if documents.road == "web" and documents.url is not None:
        yield WebRoad(documents.url, documents.ca)
    elif documents.road == "mqtt" and settings.mqtt is not None:
        site, gate = settings.site.id, settings.gate.id
        road = BrokerRoad(settings.mqtt, site=site, client_id=f"documents-{site}-{gate}",
                          clock=clock_of(settings.clock))
        try:
            yield road
        finally:
            road.close()
    else:
        raise UsageError("documents.road: by-hand; use `gate documents import DIR`, or name another road")
