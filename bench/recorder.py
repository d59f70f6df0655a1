"""The recorder: from a broker's queue into a durable database, against a subscriber that throws messages away."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.broker import PATIENCE_S, broker, connect, part, publish, recorder
from bench.drain import sealed
from bench.figure import Figure, Setup, p50, rate
from bench.ledger import GATE, SITE, moment
from gate import wire
from gate.demo.parts import wait_for

TOPIC = wire.up(SITE, GATE, "event")


def run(setup: Setup) -> Iterator[Figure]:
    """Everything waits at the broker, so that no publisher is the limit: in full batches, then event by event."""
    batched, single = setup.runs(128_000, 640), setup.runs(10_000, 100)
    bodies = sealed(batched)
    batches = [wire.join_batch(bodies[first:first + wire.BATCH_MAX_EVENTS])
               for first in range(0, batched, wire.BATCH_MAX_EVENTS)]
    singles = [wire.join_batch([body]) for body in bodies[:single]]
    taken: dict[str, list[float]] = {"batches": [], "singles": [], "thrown away": []}
    rounds = setup.runs(5, 1)
    for _ in range(rounds):
        taken["batches"].append(batched / _record(setup, batches, batched))
        taken["singles"].append(single / _record(setup, singles, single))
        taken["thrown away"].append(single / _throw_away(setup, singles))
    floor = p50(taken["thrown away"])
    yield rate("recorded in batches, against single events thrown away", p50(taken["batches"]), floor, limit=1.25,
               runs=rounds)
    yield rate("recorded one by one, against single events thrown away", p50(taken["singles"]), floor, runs=rounds)


def _record(setup: Setup, payloads: Sequence[bytes], events: int) -> float:
    """Seconds from the recorder's connection until every event is in its database."""
    folder, key = _fresh(setup), Ed25519PrivateKey.generate()
    log, database = folder / "recorder.log", folder / "central.db"
    with broker(folder) as port:
        with recorder(folder, port, key):  # once, so that the broker keeps what comes for it
            wait_for("the recorder", lambda: "connected" in log.read_text())
            wait_for("its subscription", lambda: _is_heard(port, database))
        _publish(port, payloads)
        with recorder(folder, port, key):
            wait_for("the recorder again", lambda: log.read_text().count("connected") == 2)
            began = time.perf_counter()
            wait_for("the last event in the database", lambda: _one(database, "max(last_seq) FROM feed") >= events,
                     PATIENCE_S)
            return time.perf_counter() - began


def _is_heard(port: int, database: Path) -> bool:
    """Say something to the recorder; whether it has noted anything of the kind."""
    client = connect(port)
    status = wire.message("status", wire.source(SITE, GATE), "1", moment().utc, wire.Status("online"))
    publish(client, wire.up(SITE, GATE, "status"), [status])
    part(client)
    return _one(database, "count(*) FROM gate_status") > 0


def _one(database: Path, what: str) -> int:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return int(db.execute(f"SELECT {what}").fetchone()[0] or 0)
    return 0


def _throw_away(setup: Setup, payloads: Sequence[bytes]) -> float:
    """Seconds from the first message to the last."""
    with broker(_fresh(setup)) as port:
        listener = [sys.executable, "-m", "bench.listener", str(port), TOPIC, "listener"]
        subprocess.run([*listener, "0"], check=True)
        _publish(port, payloads)
        done = subprocess.run([*listener, str(len(payloads))], check=True, capture_output=True, text=True,
                              timeout=PATIENCE_S)
    return float(done.stdout)


def _fresh(setup: Setup) -> Path:
    folder = setup.folder / "recorder"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _publish(port: int, payloads: Sequence[bytes]) -> None:
    client = connect(port)
    publish(client, TOPIC, payloads)
    part(client)
