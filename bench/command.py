"""From a signed command to the rise of the relay's pin, over a broker on loopback, while scans flood the gate."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage

from bench.broker import broker, connect, part
from bench.figure import WARM_UP, Figure, Setup, cost, p50, p99
from bench.people import Issuer, roster
from bench.site import Lane, make_gate
from gate import wire
from gate.command_desk import sign_command
from gate.demo.parts import wait_for
from gate.documents import ISSUERS, documents_dir
from gate.ledger import FILE_NAME, LedgerReader
from gate.order import Role
from gate.trust import Key, Keyring, keyring_to_json

SITE, GATE = "bench", "commanded"
BUDGET_MS = 200.0
SCANS_PER_S = 1_000
BURST_S = 0.01
HOLDERS = 1_000


def run(setup: Setup) -> Iterator[Figure]:
    """The same commands at a quiet gate and at one whose scanner never stops; the budget is the floor."""
    runs, issuer = setup.runs(300, 5), Issuer()
    operator = Issuer()
    listed = roster(setup, HOLDERS)
    folder = setup.folder / GATE
    folder.mkdir(exist_ok=True)
    with broker(folder) as port:
        config = make_gate(setup, GATE, listed, issuer, mqtt={"host": "127.0.0.1", "port": port, "ack": "broker"})
        key = Key(operator.kid, operator.private_key.public_key(), "bench-operator", "operator", role=Role.OPERATOR)
        (documents_dir(folder / "state") / "sets" / "1-1" / ISSUERS).write_bytes(
            keyring_to_json(Keyring([*issuer.keyring.keys, key])))
        with Lane(folder, [sys.executable, "-m", "gate", "run", "--config", str(config)]) as lane:
            lane.wait_ready(issuer.issue(0))
            commander = Commander(connect(port), operator)
            wait_for("a nonce", lambda: commander.nonce)
            for name, scans_per_s in (("a quiet gate", 0), (f"{SCANS_PER_S:,} scans/s", SCANS_PER_S)):
                began_mono, began_seq = time.monotonic(), last_seq(folder / "state" / FILE_NAME)
                with flood(lane, scans_per_s):
                    taken = [1000 * commander.open(lane) for _ in range(WARM_UP + runs)][WARM_UP:]
                events = last_seq(folder / "state" / FILE_NAME) - began_seq
                setup.say(f"  {name}: {runs} commands, {events / (time.monotonic() - began_mono):.0f} events/s")
                for word, of in (("p50", p50), ("p99", p99)):
                    yield cost(f"command to pin, {name}, {word}", of(taken), BUDGET_MS, limit=1, runs=runs)
            part(commander.client)


def last_seq(ledger: Path) -> int:
    """The last event that a gate has written."""
    reader = LedgerReader(ledger)
    try:
        return max((row.seq for row in reader.recent(1)), default=0)
    finally:
        reader.close()


class Commander:
    """An operator at the broker, who commands under the newest nonce."""

    def __init__(self, client: Client, operator: Issuer) -> None:
        self.client, self._operator = client, operator
        self.nonce = ""
        self._counter = time.time_ns() // 1_000_000
        client.on_message = self._hear
        client.subscribe(wire.up(SITE, GATE, "state"), 1)

    def open(self, lane: Lane) -> float:
        """Seconds from the command to the pin."""
        time.sleep(random.uniform(0.05, 0.25))  # in step with nothing
        self._counter += 1
        command = wire.Command(site=SITE, gate=GATE, verb="open", actor="bench-operator", reason="bench",
                               nonce=self.nonce, counter=self._counter)
        began_mono = time.monotonic()
        payload = sign_command(command, self._operator.private_key, self._operator.kid, client="bench",
                               id=f"b{self._counter}", time=datetime.now(UTC))
        self.client.publish(wire.down(SITE, GATE, "command", "open"), payload, qos=1)
        return lane.rise_mono() - began_mono

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.nonce = wire.read_message(message.payload, "state", wire.State).nonce


@contextmanager
def flood(lane: Lane, scans_per_s: int) -> Iterator[None]:
    """Hold that many codes of strangers a second to the scanner, each another one."""
    stopping = threading.Event()

    def write() -> None:
        number, due_mono = 0, time.monotonic()
        while scans_per_s and not stopping.wait(max(0.0, due_mono - time.monotonic())):
            due_mono += BURST_S
            burst = round(scans_per_s * BURST_S)
            codes = (f"{10**11 + number + each}||NGUOI LA|01011990|Nam|Quan 7|15102021\r\n" for each in range(burst))
            os.write(lane.master, "".join(codes).encode())
            number += burst

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
