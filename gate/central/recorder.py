"""The recorder: MQTT in, database out, and a signed acknowledgement for what is safely there.

One thread. Whatever the network brought in one turn becomes one transaction; after its commit, and only then, the
broker is told that the messages arrived and the gates are told what may be forgotten. A crash anywhere before that
costs nothing: the broker and the gates send again, and what is here already is recognised.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from random import Random

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from gate import wire
from gate.acks import sign_ack
from gate.central.feed import read_batch
from gate.central.feed_store import FeedStore, KeptFeed
from gate.clock import Clock
from gate.config import Mqtt
from gate.cose import PrivateKey
from gate.errors import MalformedError
from gate.mqtt_client import Answered, Arrived, Down, Link, Up
from gate.trust import kid_of

TURN_S = 1.0
TAILS = ("event", "status", "info", "state", "alert/+")
"""What a recorder reads of each gate; `up/live` and `up/health` are for whoever watches."""

log = logging.getLogger("gate.recorder")

Touched = dict[tuple[int, int], tuple[KeptFeed, int]]
"""Feed id and first seq of a run -> the feed, and the highest seq of that run that came now."""
Owed = dict[tuple[str, str, str, int], wire.Ack]
"""Site, gate, epoch and first seq of a run (0: none) -> the last that there is to say of it."""


class Recorder:
    """Records the feeds of one site (`site` None: of all) from one broker into one database.

    `counts` says what passed through since the start: batches, events, new, malformed, commits, acks.
    """

    def __init__(
        self, engine: Engine, broker: Mqtt, *, key: PrivateKey, clock: Clock, rng: Random,
        site: str | None = None, client_id: str = "recorder",
    ) -> None:
        self.counts = dict.fromkeys(("batches", "events", "new", "malformed", "commits", "acks"), 0)
        self._store = FeedStore(engine)
        self._site = site
        self._key = key
        self._kid = kid_of(key.public_key())
        self._clock = clock
        self._link = Link(broker, client_id, mono=lambda: clock.now().mono, rng=rng, session=True,
                          confirm_by_hand=True)
        self._owed: Owed = {}
        self._boot = secrets.token_hex(8)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Record until `stopping` says so; `wake` makes it ask at once."""
        while not stopping():
            self.turn()
        self._link.close()

    def wake(self) -> None:
        """End a wait, from any thread or signal handler."""
        self._link.wake()

    def turn(self) -> None:
        """Take what the network has, make it durable, then answer."""
        arrived: list[Arrived] = []
        for happening in self._link.turn(TURN_S):
            match happening:
                case Arrived():
                    arrived.append(happening)
                case Up():
                    log.info("connected to the broker")
                    self._link.subscribe(*(wire.up(self._site or "+", "+", tail) for tail in TAILS))
                    self._greet()
                case Down(detail):
                    log.warning("no broker: %s", detail)
                    self._owed.clear()
                case Answered(refused=refused) if refused:
                    log.error("the broker refuses the recorder: %s; check its ACL", refused)
        if arrived:
            self._record(arrived)
        self._acknowledge()

    def _greet(self) -> None:
        """Say where each gate's feed stands, so that the gate sends again what came to nobody."""
        def work(touched: Touched) -> None:
            for kept in self._store.newest_feeds(self._site):
                if kept.feed.last_seq:
                    touched[kept.id, 0] = (kept, kept.feed.last_seq)
        self._commit(work, greeting=True)

    def _record(self, arrived: Sequence[Arrived]) -> None:
        """Store all of it at once; where one message trips us, each by itself, and without that one."""
        try:
            durable = self._commit(lambda touched: self._take_all(arrived, touched))
        except Exception:
            if len(arrived) > 1:
                for message in arrived:
                    self._record([message])
                return
            log.exception("%s: our own fault; this message is left out", arrived[0].topic)
            durable = True
        if durable:
            for message in arrived:
                self._link.confirm(message)

    def _commit(self, work: Callable[[Touched], object], *, greeting: bool = False) -> bool:
        """Do `work` in one transaction and note what it has to be acknowledged; False when the database refused."""
        touched: Touched = {}
        owed: Owed = {}
        try:
            with self._store.writing():
                work(touched)
                for kept, seq in sorted(touched.values(), key=lambda touch: touch[1]):
                    name, (first, _) = (kept.site, kept.gate, kept.epoch), kept.feed.run_of(seq)
                    hash_ = self._store.hash_at(kept, seq).hex()
                    owed[*name, first] = wire.Ack(*name, first, seq, hash_, greeting)
        except OperationalError as error:
            log.error("the database refuses: %s; nothing was acknowledged, all of it will come again", error.orig)
            self._link.drop("the database refuses")
            return False
        self.counts["commits"] += 1
        self._owed.update(owed)
        return True

    def _take_all(self, arrived: Sequence[Arrived], touched: Touched) -> None:
        for message in arrived:
            self._take(message, touched)

    def _take(self, message: Arrived, touched: Touched) -> None:
        place = wire.parse_topic(message.topic)
        if place is None:
            self.counts["malformed"] += 1
            return
        site, gate, tail = place
        try:
            if tail == "up/event":
                self._take_batch(site, gate, message.payload, touched)
            else:
                self._take_notice(site, gate, tail, message)
        except MalformedError as error:
            self.counts["malformed"] += 1
            self._store.alert(site, gate, "malformed", f"{tail}: {error}", at=self._clock.now().utc)

    def _take_batch(self, site: str, gate: str, payload: bytes, touched: Touched) -> None:
        now = self._clock.now().utc
        arrivals = read_batch(payload, site, gate)
        epoch, first_seq = arrivals[0].event.epoch, arrivals[0].seq
        if first_seq > 1 and not self._store.has(site, gate, epoch):
            self._owe_greeting(site, gate, epoch)
        kept, placement = self._store.add(site, gate, arrivals, now)
        self.counts["batches"] += 1
        self.counts["events"] += len(arrivals)
        self.counts["new"] += len(placement.new)
        for problem in placement.problems:
            log.error("%s/%s: %s", site, gate, problem.detail)
            self._store.alert(site, gate, problem.kind, problem.detail, at=now, epoch=kept.epoch)
        for seq in placement.here:
            run = kept.id, kept.feed.run_of(seq)[0]
            touched[run] = (kept, max(seq, touched[run][1] if run in touched else 0))

    def _take_notice(self, site: str, gate: str, tail: str, message: Arrived) -> None:
        payload, at = message.payload, None if message.retained else self._clock.now().utc
        match tail.split("/"):
            case ["up", "status"] if payload:
                status = wire.read_message(payload, "status", wire.Status).status
                self._store.gate_says(site, gate, at, status=status)
            case ["up", "info" | "state" as name] if payload:
                said = wire.read_message(payload, name, wire.Info if name == "info" else wire.State)
                self._store.gate_says(site, gate, at, **{name: msgspec.to_builtins(said)})
                if isinstance(said, wire.State) and not self._store.has(site, gate, said.epoch):
                    self._owe_greeting(site, gate, said.epoch)
            case ["up", "alert", id]:
                detail = wire.read_message(payload, "alert", wire.AlertState).detail if payload else None
                self._store.gate_alert(site, gate, id, detail)

    def _owe_greeting(self, site: str, gate: str, epoch: str) -> None:
        """Tell a gate that we have nothing of this epoch: a new database gets whatever is still held there."""
        self._owed[site, gate, epoch, 0] = wire.Ack(site, gate, epoch, 1, 0, wire.GENESIS.hex(), greeting=True)

    def _acknowledge(self) -> None:
        """Send what we owe, as far as the broker takes it now; a later word on a run replaces one that waits."""
        while self._owed and self._link.room:
            ack = self._owed.pop(next(iter(self._owed)))
            self.counts["acks"] += 1
            payload = sign_ack(ack, self._key, self._kid, id=f"{self._boot}.{self.counts['acks']}",
                               time=self._clock.now().utc)
            self._link.publish(wire.down(ack.site, ack.gate, "ack"), payload, qos=1)
