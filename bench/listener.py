"""The floor of a recorder: a paho subscriber that throws every message away and says how fast they came.

    python -m bench.listener PORT TOPIC CLIENT_ID MESSAGES
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def main(port: int, topic: str, client_id: str, messages: int) -> None:
    """With 0 messages: subscribe and leave, so that the broker keeps what comes; else take so many."""
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3600
    came_at: list[float] = []
    done = threading.Event()

    def take(*_: Any) -> None:
        came_at.append(time.perf_counter())
        if len(came_at) == messages:
            done.set()

    client.on_message = take
    if not messages:
        client.on_subscribe = lambda *_: done.set()

    def subscribe(*_: Any) -> None:
        client.subscribe(topic, 1)

    client.on_connect = subscribe
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_start()
    done.wait()
    client.disconnect()
    client.loop_stop()
    if messages:
        print(came_at[-1] - came_at[0])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
