"""The check of the broker: that it can be reached, knows this gate, and lets it say and hear what it must."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import Random

from gate import wire
from gate.config import Config
from gate.doctor.finding import Finding, Machine
from gate.mqtt_client import Answered, Down, Happening, Link, Up

REACH_MAX_S = 10.0


def check_broker(settings: Config, machine: Machine) -> Iterator[Finding]:
    """Connect beside the daemon, subscribe to what it hears, and clear an alert that nobody raised."""
    if settings.mqtt is None:
        return
    broker, site, gate = settings.mqtt, settings.site.id, settings.gate.id
    link = Link(broker, f"{site}.{gate}.doctor", mono=time.monotonic, rng=Random())  # noqa: S311  (jitter)
    try:
        said = _wait(link, lambda said: isinstance(said, Up | Down))
        if not said or isinstance(said[-1], Down):
            detail = said[-1].detail if said and isinstance(said[-1], Down) else "no answer"
            yield Finding("fault", f"the broker {broker.host}:{broker.port} does not take us: {detail}",
                          "network, name, port, certificate or password", "see docs/mqtt.md; try: "
                          f"nc -vz {broker.host} {broker.port}; the gate decides without it meanwhile")
            return
        heard, told = wire.down(site, gate, "ack"), wire.up(site, gate, "alert/doctor")
        link.subscribe(heard)
        mid = link.publish(told, b"", qos=1, retain=True)
        said = _wait(link, lambda said: isinstance(said, Down) or (isinstance(said, Answered) and said.mid == mid))
        if not said or isinstance(said[-1], Down):
            yield _not_allowed("write", told, said[-1].detail if said and isinstance(said[-1], Down) else "no answer")
        for answer in said:
            if isinstance(answer, Answered) and answer.refused:
                yield _not_allowed(*(("write", told) if answer.mid == mid else ("read", heard)), answer.refused)
    finally:
        link.close()


def _wait(link: Link, last: Callable[[Happening], bool]) -> list[Happening]:
    """All that happens up to the `last` of it; nothing when that does not come within REACH_MAX_S."""
    happened: list[Happening] = []
    until_mono = time.monotonic() + REACH_MAX_S
    while time.monotonic() < until_mono:
        for said in link.turn(0.2):
            happened.append(said)
            if last(said):
                return happened
    return []


def _not_allowed(verb: str, topic: str, why: str) -> Finding:
    return Finding("fault", f"the broker does not let us {verb} {topic}: {why}", "the broker's access list",
                   f"a line of its ACL, under this gate's user: topic {verb} {topic} (docs/mqtt.md)")
