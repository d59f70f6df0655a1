"""A backlog that leaves the gate with durable, signed acknowledgements, against paho publishing from memory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.broker import PATIENCE_S, broker, connect, part, publish, recorder
from bench.figure import Figure, Setup, p50, rate
from bench.ledger import GATE, SITE, moment, open_ledger, record
from gate import wire
from gate.clock import SystemClock, always
from gate.config import Mqtt
from gate.demo.parts import wait_for
from gate.ledger import Ledger
from gate.ledger.ledger import RECORDS_MAX
from gate.trust import Key, Keyring, kid_of
from gate.uplink import Uplink


def run(setup: Setup) -> Iterator[Figure]:
    """The same events by both ways, in turn: ours with ledger, chain, recorder and signatures."""
    events, rounds = setup.runs(20_000, 200), setup.runs(5, 1)
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(rounds):
        ours.append(events / _drain(setup, events))
        bare.append(events / _publish(setup, events))
    yield rate("backlog drained and acknowledged, against bare paho", p50(ours), p50(bare), limit=1, runs=rounds)


def _drain(setup: Setup, events: int) -> float:
    """Seconds from the start of the uplink until the gate may forget everything."""
    folder = setup.folder / "drain"
    key = Ed25519PrivateKey.generate()
    public_key = key.public_key()
    keyring = Keyring([Key(kid_of(public_key), public_key, "bench", "recorder")])
    with open_ledger(setup, "drain") as ledger:
        fill(ledger, events)
        with broker(folder) as port, recorder(folder, port, key):
            wait_for("the recorder", lambda: "connected" in (folder / "recorder.log").read_text())
            uplink = Uplink(ledger, Mqtt(host="127.0.0.1", port=port), site=SITE, gate=GATE, keyring=lambda: keyring,
                            clock=SystemClock(synchronised=always), say=lambda fault: setup.say(fault.detail),
                            rng=Random())
            began = time.perf_counter()
            uplink.start()
            wait_for("the last acknowledgement", lambda: ledger.acked_seq >= events, PATIENCE_S)
            taken_s = time.perf_counter() - began
            uplink.stop()
    return taken_s


def fill(ledger: Ledger, events: int) -> None:
    """Let a ledger keep so many events."""
    left = events
    while left:
        count = min(RECORDS_MAX, left)
        if not ledger.append([record()] * count, moment()).wait(PATIENCE_S):
            raise RuntimeError("the ledger is full")
        left -= count
    ledger.flushed(events, PATIENCE_S)


def _publish(setup: Setup, events: int) -> float:
    """Seconds in which paho has a broker confirm as many single events; nobody listens."""
    folder = setup.folder / "drain"
    with broker(folder) as port:
        client = connect(port)
        payload = wire.join_batch([sealed(1)[0]])
        began = time.perf_counter()
        publish(client, wire.up(SITE, GATE, "event"), [payload] * events)
        taken_s = time.perf_counter() - began
        part(client)
    shutil.rmtree(folder)
    return taken_s


def sealed(count: int, epoch: str = "0" * 16) -> list[bytes]:
    """The canonical bytes of a chain of so many events."""
    bodies, prev = [], wire.GENESIS
    for seq in range(1, count + 1):
        said, now = record(), moment()
        body, prev = wire.seal(source=wire.source(SITE, GATE), epoch=epoch, seq=seq, prev=prev, kind=said.kind,
                               time=now.utc, synced=True, data=said.data)
        bodies.append(body)
    return bodies
