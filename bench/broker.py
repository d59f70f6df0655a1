"""A mosquitto of our own on loopback, a recorder on it, and bare paho clients to compare with."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gate.demo.parts import free_port, listens, wait_for
from gate.errors import UsageError

PATIENCE_S = 120.0
IN_FLIGHT = 20
"""What a gate keeps under way, and where paho is fastest."""


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """A broker that drops nothing; its port."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise UsageError("mosquitto is not installed: sudo apt install mosquitto")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"user {getpass.getuser()}\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
                      "persistence false\nmax_queued_messages 0\nset_tcp_nodelay true\n")
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_for("the broker", lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def recorder(folder: Path, port: int, key: Ed25519PrivateKey) -> Iterator[None]:
    """A recorder process with a database in `folder`."""
    (folder / "recorder.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with (folder / "recorder.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gate", "central", "recorder", "--broker", "127.0.0.1", "--port", str(port),
             "--key", str(folder / "recorder.pem"), "--db", f"sqlite:///{folder}/central.db"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def connect(port: int, client_id: str = "", session_s: int = 0) -> Client:
    """A bare paho client on a thread of paho's, connected."""
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages = IN_FLIGHT
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_s
    there = threading.Event()
    client.on_connect = lambda *_: there.set()
    client.connect("127.0.0.1", port, clean_start=not session_s, properties=properties)
    client.loop_start()
    if not there.wait(PATIENCE_S):
        raise UsageError("the broker does not answer")
    return client


def publish(client: Client, topic: str, payloads: Sequence[bytes]) -> None:
    """Publish all of it with QoS 1, and return once the broker has confirmed the last."""
    for receipt in [client.publish(topic, payload, qos=1) for payload in payloads]:
        receipt.wait_for_publish(PATIENCE_S)


def part(client: Client) -> None:
    """End a client of `connect`."""
    client.disconnect()
    client.loop_stop()
