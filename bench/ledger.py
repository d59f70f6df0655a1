"""The ledger: flushed events against a plain file that is appended to and synced; bytes that reach the disk."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bench.figure import Figure, Setup, cost, interleaved, p50, p99, rate
from bench.people import holder
from gate import config, wire
from gate.errors import GateError
from gate.ledger import Ledger
from gate.model import EventKind, Fault, Flushed, Now, Record

SITE, GATE = "bench", "ledger"
BYTES_PER_EVENT_MAX = 10_000
PATIENCE_S = 30.0
BURST_EVENTS = 64


def run(setup: Setup) -> Iterator[Figure]:
    """What a busy gate keeps up with, how long one event takes, and the bytes of each."""
    with open_ledger(setup, "ledger") as ledger, _plain_file(setup) as append:
        def flushed(count: int) -> None:
            ledger.append([record()] * count, moment())
            if not ledger.wait_flushed(ledger.flushed_seq, PATIENCE_S):
                raise GateError("the ledger does not flush")

        rounds, bodies = setup.runs(1_000, 10), _bodies(BURST_EVENTS)
        taken = interleaved({
            "one": lambda: flushed(1), "burst": lambda: flushed(BURST_EVENTS),
            "plain one": lambda: append(bodies[:1]), "plain burst": lambda: append(bodies),
        }, rounds)
        one, burst, plain, plain_burst = (p50(seconds) for seconds in taken.values())
        yield rate(f"flushed in bursts of {BURST_EVENTS}, against append + fdatasync of each, p50",
                   BURST_EVENTS / burst, BURST_EVENTS / plain_burst, limit=1.15, runs=rounds)
        yield cost("one event to flushed, against append + fdatasync, p50", 1e3 * one, 1e3 * plain, runs=rounds)
        yield cost("one event to flushed, against append + fdatasync, p99", 1e3 * p99(taken["one"]),
                   1e3 * p99(taken["plain one"]), runs=rounds)
        yield _bytes(ledger, setup.runs(4_000, 200))


@contextmanager
def open_ledger(setup: Setup, name: str) -> Iterator[Ledger]:
    """A new ledger in a folder of its own."""
    folder = setup.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    ledger = Ledger(folder / "ledger.db", site=SITE, gate=GATE, zone=ZoneInfo("Asia/Ho_Chi_Minh"),
                    settings=config.Ledger(), say=_hear)
    ledger.start()
    try:
        yield ledger
    finally:
        ledger.stop()


def record() -> Record:
    """A grant as the portal records it."""
    return Record(EventKind.ACCESS_GRANTED, {
        "reader": "scanner", "direction": "entry", "reason": "GRANTED", "bacnet": 1, "format": "gp1",
        "proof": "signed", "holder": holder(1),
    })


def moment() -> Now:
    """The moment of an event."""
    return Now(datetime.now(UTC), time.monotonic())


def _bytes(ledger: Ledger, events: int) -> Figure:
    """Bytes that this process caused to be written (proc(5), io), one event and one acknowledgement at a time."""
    before = _write_bytes()
    for _ in range(events):
        ticket = ledger.append([record()], moment())
        if not (ticket.wait(PATIENCE_S) and ledger.flushed(ticket.last_seq, PATIENCE_S)):
            raise GateError("the ledger does not flush")
        ledger.delivered(ledger.epoch, ledger.flushed_seq)
    return cost(f"written to disk for an event, against {BYTES_PER_EVENT_MAX:,} bytes",
                (_write_bytes() - before) / events, BYTES_PER_EVENT_MAX, limit=1, unit="bytes", runs=events)


def _write_bytes() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def _bodies(count: int) -> list[bytes]:
    body, _ = wire.seal(source=wire.source(SITE, GATE), epoch="0" * 16, seq=1, prev=wire.GENESIS,
                        kind=EventKind.ACCESS_GRANTED, time=datetime.now(UTC), synced=True, data=record().data)
    return [body] * count


@contextmanager
def _plain_file(setup: Setup) -> Iterator[Callable[[list[bytes]], None]]:
    """The floor: a file to which each event is written and then synced, by itself."""
    path = setup.folder / "plain.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)

    def append(bodies: list[bytes]) -> None:
        for body in bodies:
            os.write(descriptor, body)
            os.fdatasync(descriptor)

    try:
        yield append
    finally:
        os.close(descriptor)
        path.unlink()


def _hear(said: Flushed | Fault) -> None:
    if isinstance(said, Fault):
        raise GateError(said.detail)
