"""The uplink's connection, the broker and the recorder: real messages and real signatures over an unreal network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import wire
from gate.acks import sign_ack
from gate.central.feed import Feed, Stored, read_batch
from gate.clock import SHIFT_START
from gate.delivery import Delivery
from gate.mqtt_client import Answered, Arrived, Down, Happening, Up
from gate.trust import kid_of
from gate.uplink import Uplink

from .site import GATE, SITE

if TYPE_CHECKING:
    from .world import World

IN_FLIGHT = 20
BROKER_QUEUE_MAX = 100
REFUSED, TWICE, ACK_LOST = 0.01, 0.05, 0.02
ACK_TOPIC = wire.down(SITE, GATE, "ack")


class Wire:
    """The uplink's connection: up or down as the world says; messages reach the recorder late, or never."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.up = False
        self._mid = 0
        self._happened: list[Happening] = []
        self._unconfirmed: set[int] = set()

    @property
    def room(self) -> bool:
        return self.up and len(self._unconfirmed) < IN_FLIGHT

    @property
    def idle(self) -> bool:
        return not self._unconfirmed

    def connect(self) -> None:
        if not self.up:
            self.up = True
            self.tell(Up())

    def drop(self, detail: str) -> None:
        self.up = False
        self._unconfirmed.clear()
        self.tell(Down(detail))

    def tell(self, happening: Happening) -> None:
        self._happened.append(happening)
        self._network.world.wake_uplink()

    def answer(self, mid: int, refused: str = "") -> None:
        if self.up and mid in self._unconfirmed:
            self._unconfirmed.discard(mid)
            self.tell(Answered(mid, refused))

    def turn(self, timeout_s: float) -> list[Happening]:
        happened, self._happened = self._happened, []
        return happened

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> int | None:
        if not self.up:
            return None
        self._mid += 1
        if qos:
            self._unconfirmed.add(self._mid)
            self._network.carry(self, self._mid, payload if topic.endswith("up/event") else None)
        return self._mid

    def subscribe(self, *topics: str) -> None:
        pass

    def wake(self) -> None:
        self._network.world.wake_uplink()

    def close(self) -> None:
        self.up = False


class TurnedUplink(Uplink):
    """The real uplink on a simulated connection, one turn at a time."""

    def __init__(self, wire: Wire, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._link.close()
        self._link: Any = wire

    def start(self) -> None:
        self._delivery = Delivery(self._outbox.acked_seq)

    def stop(self) -> None:
        pass

    def turn(self) -> None:
        self._guarded(self._turn)


class SimulatedRecorder:
    """Keeps feeds by the recorder's own rules, in memory, and signs for what it has."""

    def __init__(self, site: str, gate: str, key: Ed25519PrivateKey) -> None:
        self.feeds: dict[str, Feed] = {}
        self.stored: dict[str, dict[int, Stored]] = {}
        self.excused: dict[str, list[tuple[int, int]]] = {}
        self.problems: list[str] = []
        self.events = 0
        self._site, self._gate, self._key = site, gate, key
        self._kid = kid_of(key.public_key())

    def take(self, payload: bytes) -> list[bytes]:
        """Store what is new of one batch; the acknowledgements that follow."""
        arrivals = read_batch(payload, self._site, self._gate)
        epoch = arrivals[0].event.epoch
        feed = self.feeds.setdefault(epoch, Feed())
        stored = self.stored.setdefault(epoch, {})
        placement = feed.place(arrivals, lambda first, last: {
            seq: stored[seq] for seq in range(first, last + 1) if seq in stored})
        self.problems += [problem.detail for problem in placement.problems]
        for new in placement.new:
            if new.seq in stored:
                self.problems.append(f"event {new.seq} was stored twice")
            stored[new.seq] = Stored(new.prev, new.hash)
        self.events += len(placement.new)
        self.excused.setdefault(epoch, []).extend(bounds for bounds, _ in placement.explained)
        highest = {feed.run_of(seq): seq for seq in placement.here}
        return [self._sign(epoch, first, seq) for (first, _), seq in highest.items()]

    def greet(self, epoch: str) -> list[bytes]:
        """What it says when it comes back: how far it is, so that the gate sends again what came to nobody."""
        feed = self.feeds.get(epoch)
        return [self._sign(epoch, feed.run_of(feed.last_seq)[0], feed.last_seq, greeting=True)] if feed else []

    def _sign(self, epoch: str, first: int, last: int, *, greeting: bool = False) -> bytes:
        ack = wire.Ack(self._site, self._gate, epoch, first, last, self.stored[epoch][last].hash.hex(), greeting)
        return sign_ack(ack, self._key, self._kid, id="1", time=SHIFT_START)


class Network:
    """The broker between gate and recorder: late, lossy and away as it likes, and it may say a thing twice."""

    def __init__(self, world: World, recorder: SimulatedRecorder, rng: Random) -> None:
        self.world, self.recorder = world, recorder
        self.broker_up = self.recorder_up = True
        self._rng = rng
        self._waiting: deque[bytes] = deque()

    def carry(self, wire: Wire, mid: int, batch: bytes | None) -> None:
        """A message goes to the broker, which answers; a batch goes on to the recorder."""
        def arrive() -> None:
            if not self.broker_up:
                return
            if self._rng.random() < REFUSED:
                wire.answer(mid, "Not authorized")
                return
            wire.answer(mid)
            if batch is not None and len(self._waiting) < BROKER_QUEUE_MAX:
                self._waiting.append(batch)
                self._later(0.05, self.deliver)

        self._later(0.2, arrive)

    def deliver(self) -> None:
        """The recorder takes what the broker has; now and then a batch comes twice."""
        if self.recorder_up and self._waiting:
            twice = self._rng.random() < TWICE
            self._answer(self.recorder.take(self._waiting[0] if twice else self._waiting.popleft()))

    def lose_broker(self) -> None:
        """The broker goes away, with what it had or without it."""
        self.broker_up = False
        self.world.wire.drop("the broker went away")
        if self._rng.random() < 0.5:
            self._waiting.clear()

    def bring_broker_back(self) -> None:
        """It has what it kept."""
        self.broker_up = True
        self.world.wire.connect()
        self._hand_over()

    def lose_recorder(self) -> None:
        """The recorder goes away; the broker keeps what comes, up to its limit."""
        self.recorder_up = False

    def bring_recorder_back(self) -> None:
        """It greets the gates and takes what has waited."""
        self.recorder_up = True
        self._answer(self.recorder.greet(self.world.ledger.epoch))
        self._hand_over()

    def _hand_over(self) -> None:
        for _ in self._waiting:
            self._later(1.0, self.deliver)

    def _answer(self, payloads: Iterable[bytes]) -> None:
        for payload in payloads:
            if self.broker_up and self._rng.random() > ACK_LOST:
                said = Arrived(ACK_TOPIC, payload, False, 1, 0, 0)
                self._later(0.1, lambda wire=self.world.wire, said=said: wire.up and wire.tell(said))

    def _later(self, most_s: float, work: Callable[[], object]) -> None:
        self.world.at(self._rng.uniform(0.001, most_s), work, of_gate=False)
