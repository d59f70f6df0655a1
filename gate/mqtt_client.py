"""One MQTT connection over paho, driven by its owner's thread: nothing happens outside `Link.turn`.

paho's callbacks only append to a list, which `turn` hands over as happenings, so that no exception of ours can
ever end a thread of paho's. A fresh client serves each attempt: paho's queue in memory never outlives a
connection, and whoever publishes decides what to send again.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gate.config import Mqtt

BACKOFF_MIN_S = 0.5
STABLE_S = 10.0
"""A connection that lasted this long was no failure: the next back-off starts afresh."""
SESSION_S = 7 * 86_400
"""How long a broker is asked to keep a session whose client is away."""
READS_MAX = 16
"""Packets taken in one turn, so that its owner gets a say while the network is busy."""


@dataclass(frozen=True, slots=True)
class Up:
    """The broker accepted us; subscriptions have to be made anew."""


@dataclass(frozen=True, slots=True)
class Down:
    """Not connected any more, or not at all; what is unconfirmed is forgotten here, and the next try follows."""

    detail: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message; one of QoS 1 that was taken by hand has to be answered by `Link.confirm`."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    mid: int
    connection: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker answered the publish or the subscription `mid`; `refused` is its reason, empty when it agreed."""

    mid: int
    refused: str = ""


Happening = Up | Down | Arrived | Answered
Will = Callable[[], tuple[str, bytes]]
"""Makes topic and payload of the last will, anew for each connection."""


class Link:
    """A connection that keeps itself up: back-off with jitter, TLS, last will, TCP_NODELAY.

    `session` asks the broker to keep subscriptions and messages while we are away; `confirm_by_hand` leaves the
    answer to messages of QoS 1 to the owner. Only `wake` may be called from another thread.
    """

    def __init__(
        self, broker: Mqtt, client_id: str, *, mono: Callable[[], float], rng: Random, will: Will | None = None,
        session: bool = False, confirm_by_hand: bool = False,
    ) -> None:
        self.up = False
        self._broker = broker
        self._client_id = client_id
        self._mono = mono
        self._rng = rng
        self._will = will
        self._session = session
        self._by_hand = confirm_by_hand
        self._client: Client | None = None
        self._connection = 0
        self._happened: list[Happening] = []
        self._unconfirmed: set[int] = set()
        self._unconfirmed_max = broker.in_flight
        self._failures = 0
        self._up_mono = 0.0
        self._retry_mono = float("-inf")
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)

    @property
    def room(self) -> bool:
        """Whether one more message of QoS 1 may be under way (the config's limit and the broker's)."""
        return self.up and len(self._unconfirmed) < self._unconfirmed_max

    @property
    def idle(self) -> bool:
        """Whether the broker has answered everything."""
        return not self._unconfirmed

    def turn(self, timeout_s: float) -> list[Happening]:
        """Connect if it is time to, wait for the network or `wake`, and say what happened."""
        if self._client is None:
            pause_s = self._retry_mono - self._mono()
            if pause_s > 0:
                self._wait(None, min(timeout_s, pause_s))
            else:
                self._connect()
        else:
            self._serve(self._client, timeout_s)
        happened, self._happened = self._happened, []
        return happened

    def listen(self, timeout_s: float) -> list[Happening]:
        """Like `turn` on a connection that is there, but woken by the network alone; without one, only wait."""
        if self._client is None:
            time.sleep(timeout_s)
            return []
        sock: Any = self._client.socket()
        if sock is None:
            return self.turn(0)
        if not _readable(sock, timeout_s):
            return []
        return self.turn(0)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int | None:
        """Hand a message to the network; the `mid` that its answer will carry, or None without a connection."""
        if self._client is None or not self.up:
            return None
        mid = self._client.publish(topic, payload, qos, retain).mid
        if qos:
            self._unconfirmed.add(mid)
        return mid

    def subscribe(self, *topics: str) -> None:
        """Ask for topics at QoS 1; a refusal comes as `Answered`."""
        if self._client is not None and topics:
            self._client.subscribe([(topic, 1) for topic in topics])

    def confirm(self, message: Arrived) -> None:
        """Tell the broker that a message is safe with us; one of an earlier connection will come again instead."""
        if self._client is not None and message.qos and message.connection == self._connection:
            self._client.ack(message.mid, message.qos)

    def wake(self) -> None:
        """End the wait of a `turn`, from any thread."""
        with suppress(OSError):  # full: it is awake already; closed: nobody sleeps any more
            self._rope.send(b"!")

    def drop(self, detail: str) -> None:
        """Give the connection up and begin again after a pause; the last will is published."""
        self._lost(detail)

    def close(self) -> None:
        """Part from the broker in peace: the last will is not published."""
        if self._client is not None:
            self._client.disconnect()
            self._client = None
        self.up = False
        self._bell.close()
        self._rope.close()

    def _connect(self) -> None:
        self._connection += 1
        try:
            client = self._new_client()
            self._client = client
            if self._broker.version == "5":
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = SESSION_S if self._session else 0
                client.connect(self._broker.host, self._broker.port, self._broker.keepalive_s,
                               clean_start=not self._session, properties=properties)
            else:
                client.connect(self._broker.host, self._broker.port, self._broker.keepalive_s)
        except (OSError, ValueError) as error:  # no route, no such file, a certificate that does not fit, ...
            self._lost(f"{self._broker.host}:{self._broker.port}: {error}")

    def _new_client(self) -> Client:
        broker = self._broker
        five = broker.version == "5"
        client = Client(
            CallbackAPIVersion.VERSION2, self._client_id, clean_session=None if five else not self._session,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False, manual_ack=self._by_hand,
        )
        client.max_inflight_messages = 0  # `room` is the limit
        if broker.username is not None:
            password = broker.password_file.read_text().strip() if broker.password_file else None
            client.username_pw_set(broker.username, password)
        if broker.tls is not None:
            context = ssl.create_default_context(cafile=broker.tls.ca)
            if broker.tls.certificate is not None:
                context.load_cert_chain(broker.tls.certificate, broker.tls.key)
            client.tls_set_context(context)
        if self._will is not None:
            topic, payload = self._will()
            client.will_set(topic, payload, qos=1, retain=True)
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _serve(self, client: Client, timeout_s: float) -> None:
        sock: Any = client.socket()
        if sock is not None:
            self._wait(client, timeout_s)
            for _ in range(READS_MAX):
                if client.socket() is None or not _readable(sock):
                    break
                client.loop_read()
            client.loop_write()
            client.loop_misc()
        if client.socket() is None:
            self._lost("the connection ended")

    def _wait(self, client: Client | None, timeout_s: float) -> None:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if client is not None:
            sock: Any = client.socket()
            if _pending(sock) or self._happened:
                timeout_s = 0.0
            poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        poll.poll(timeout_s * 1000)
        with suppress(BlockingIOError):
            self._bell.recv(4096)

    def _lost(self, detail: str) -> None:
        now = self._mono()
        if self.up and now - self._up_mono >= STABLE_S:
            self._failures = 0
        ceiling_s = min(self._broker.backoff_max_s, BACKOFF_MIN_S * 2 ** min(self._failures, 16))
        self._retry_mono = now + self._rng.uniform(ceiling_s / 2, ceiling_s)
        self._failures += 1
        if self._client is not None:
            self._client.on_disconnect = None
            sock: Any = self._client.socket()
            if sock is not None:
                sock.close()
        self._client = None
        self.up = False
        self._unconfirmed.clear()
        self._say_down(detail)

    def _say_down(self, detail: str) -> None:
        """Once for each connection: who knows the reason best speaks first."""
        if not (self._happened and isinstance(self._happened[-1], Down)):
            self._happened.append(Down(detail))

    # paho calls these inside `turn`, or inside `publish`; they only note what happened.

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._happened.append(Down(f"the broker refused: {reason}"))  # paho closes by itself
            return
        self.up = True
        self._up_mono = self._mono()
        self._unconfirmed_max = min(self._broker.in_flight, getattr(properties, "ReceiveMaximum", 65_535))
        self._happened.append(Up())

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._say_down(str(reason))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._happened.append(Arrived(topic, bytes(message.payload), message.retain, message.qos, message.mid,
                                      self._connection))

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        if mid in self._unconfirmed:  # QoS 0 is reported too, when it is written
            self._unconfirmed.discard(mid)
            self._happened.append(Answered(mid, str(reason) if reason.is_failure else ""))

    def _on_subscribe(self, _client: Client, _data: Any, mid: int, reasons: Any, _properties: Any) -> None:
        for reason in reasons:
            if reason.is_failure:
                self._happened.append(Answered(mid, f"subscription: {reason}"))


def _no_delay(_client: Client, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _pending(sock: Any) -> bool:
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _readable(sock: Any, timeout_s: float = 0.0) -> bool:
    if _pending(sock):
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
