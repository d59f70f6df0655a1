"""Where commands arrive: the uplink's thread believes them or refuses them here, before the core hears of them.

So a broker that sends forged or old commands by the thousand costs the core nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gate import wire
from gate.clock import Clock
from gate.command_desk import Desk, Heard, sender
from gate.mqtt_client import Arrived
from gate.order import Order, RefusedCommandError
from gate.view import DocumentSet


class Refused(NamedTuple):
    """A command that was not believed: the answer, and the client that waits for it (empty: none is named)."""

    client: str
    reply: wire.Reply


class CommandPost:
    """One gate's desk; `counters` are those of an earlier run, `make_nonce` gives something nobody can guess."""

    def __init__(
        self, site: str, gate: str, *, counters: dict[str, int], documents: Callable[[], DocumentSet], clock: Clock,
        say: Callable[[Order], None], make_nonce: Callable[[], str],
    ) -> None:
        self._desk = Desk(site, gate, counters=counters)
        self._documents, self._clock, self._say, self._make_nonce = documents, clock, say, make_nonce
        self.topics = wire.down(site, gate, "command", "+")

    def nonce(self) -> str:
        """What the next commands have to carry."""
        mono = self._clock.now().mono
        if self._desk.wants_nonce(mono):
            self._desk = self._desk.issued(self._make_nonce(), mono)
        return self._desk.nonces[-1].text

    def is_for(self, message: Arrived) -> bool:
        """Whether it came on a topic of commands."""
        return message.topic.startswith(self.topics[:-1])

    def hear(self, message: Arrived) -> Refused | None:
        """Hand a command to the core, or say why not."""
        verb = message.topic.rpartition("/")[2]
        heard = Heard(message.payload, verb, message.retained)
        try:
            self._desk, order = self._desk.judge(heard, self._documents(), self._clock.now())
        except RefusedCommandError as error:
            client, number = sender(message.payload)
            return Refused(client, wire.Reply(
                command=number, verb=verb[:32], done=False, refusal=error.refusal.value, detail=error.detail))
        self._say(order)
        return None
