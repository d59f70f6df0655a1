"""A real mosquitto on a free loopback port, and a small client that watches and speaks on it."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gate.config import Mqtt

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
TIMEOUT_S = 30.0


def free_port() -> int:
    """A loopback port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker that can be stopped, killed and started again on the same port.

    `users` (name -> password) switches anonymous access off; `acl` is the text of mosquitto's acl_file; `lines` are
    added to its configuration.
    """

    def __init__(
        self, folder: Path, *, users: Mapping[str, str] | None = None, acl: str = "", lines: str = "",
    ) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None
        self._probes: list[Probe] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "mosquitto.conf"
        # Started by root it would otherwise become a user who cannot read the test's folder.
        text = f"user {getpass.getuser()}\nlistener {self.port} 127.0.0.1\nlog_dest stderr\n{lines}\n"
        if "persistence" not in lines:
            text += "persistence false\n"
        if users is None:
            text += "allow_anonymous true\n"
        else:
            passwords = folder / "passwords"
            passwords.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
            passwords.chmod(0o600)
            text += f"allow_anonymous false\npassword_file {passwords}\n"
        if acl:
            (folder / "acl").write_text(acl)
            text += f"acl_file {folder / 'acl'}\n"
        self._config.write_text(text)

    def start(self) -> Mosquitto:
        """Start, and return once it listens."""
        assert PROGRAM is not None
        self._process = subprocess.Popen([PROGRAM, "-c", str(self._config)], stderr=subprocess.PIPE, text=True)
        lines: list[str] = []
        assert self._process.stderr is not None
        for line in self._process.stderr:
            lines.append(line)
            if " running" in line:
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return self
        raise AssertionError("mosquitto did not start:\n" + "".join(lines))

    def stop(self, kill: bool = False) -> None:
        """End it, in peace or by SIGKILL; its probes end with it."""
        while self._probes:
            self._probes.pop().close()
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(TIMEOUT_S)
            self._process = None

    def settings(self, **changes: Any) -> Mqtt:
        """How a gate's config names this broker."""
        return Mqtt(**{"host": "127.0.0.1", "port": self.port, "backoff_max_s": 0.5, **changes})

    def probe(self, *topics: str, username: str | None = None, password: str | None = None) -> Probe:
        """A client that has subscribed to `topics`."""
        self._probes.append(Probe(self.port, topics, username, password))
        return self._probes[-1]


class Probe:
    """Collects what comes on its topics, and publishes."""

    def __init__(self, port: int, topics: tuple[str, ...], username: str | None, password: str | None) -> None:
        self.messages: list[MQTTMessage] = []
        self._news = threading.Condition()
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: ready.set()
        wanted = [(topic, 1) for topic in topics]
        self._client.on_connect = lambda *_: self._client.subscribe(wanted) if wanted else ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(TIMEOUT_S), "the probe could not subscribe"

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self._news:
            self.messages.append(message)
            self._news.notify_all()

    def wait(self, enough: Callable[[list[MQTTMessage]], Any], timeout_s: float = TIMEOUT_S) -> Any:
        """Wait until `enough(messages)` is true, and return what it said."""
        with self._news:
            said = self._news.wait_for(lambda: enough(self.messages), timeout_s)
        assert said, f"waited in vain; came: {[(m.topic, m.payload[:200]) for m in self.messages][-10:]}"
        return said

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish, and return once the broker has it."""
        self._client.publish(topic, payload, qos, retain).wait_for_publish(TIMEOUT_S)

    def close(self) -> None:
        """Part from the broker."""
        self._client.disconnect()
        self._client.loop_stop()


needs_mosquitto = pytest.mark.skipif(PROGRAM is None, reason="no mosquitto here: apt-get install mosquitto")
