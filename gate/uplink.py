"""The road to the centre: drains the ledger over MQTT and lets it forget what a recorder vouches for.

Two threads. `uplink` does everything: it turns the connection, sends rows and notices, checks acknowledgements.
`uplink-bell` only waits for the ledger's next flush and wakes the first. The application's methods (`status`,
`state`, `alert`, `live`, ...) put a notice on the board and return: they never wait for a network.

All of it stands back while somebody is at the lane (`stand_back`): it shares an interpreter with the core, and a turn
in the midst of a backlog is longer than a decision.

Which row goes next and what is sent again is `gate.delivery`. Law 8 is here: the ledger forgets a row only after
an acknowledgement that a recorder signed, that names this gate and epoch, carries our own chain hash, and begins
no later than our oldest unacknowledged row.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from typing import Any

import msgspec

from gate import wire
from gate.acks import read_ack
from gate.clock import Clock
from gate.command_post import CommandPost
from gate.config import Mqtt
from gate.cose import PrivateKey
from gate.delivery import Delivery, Outbox, within_limit
from gate.errors import CodeError
from gate.model import Fault, PeerMoves
from gate.mqtt_client import Answered, Arrived, Down, Happening, Link, Up
from gate.noticeboard import NoticeBoard
from gate.peers import page_name, read_page, sign_page
from gate.texts import refusal_words
from gate.trust import Keyring, kid_of

log = logging.getLogger("gate.uplink")

PRESENCE = "presence"
STOP_S = 3.0
"""What a stop may take: the last status is worth a moment, not a wait."""
TURN_S = 1.0
STAND_BACK_S = 0.03
"""So long after each sign of a code nothing is sent or heard: ten times what a decision takes here."""
STAND_BACK_MAX_S = 0.25
"""How long standing back may last in one go, however many codes come."""
BELL_S = 0.25


class Uplink:
    """Sends one gate's feed and notices to a broker, as `settings` say; `rng` only spreads reconnections.

    What an operator has to mend becomes an alert and a line in the log, once for each change of it; `say` hears
    of our own faults, `on_documents` of what stands as the index of documents. `keyring` is asked anew for each
    acknowledgement, because documents change while we run.
    """

    def __init__(
        self, outbox: Outbox, settings: Mqtt, *, site: str, gate: str, keyring: Callable[[], Keyring], clock: Clock,
        say: Callable[[Fault | PeerMoves], None], own_key: PrivateKey | None = None, rng: Random | None = None,
        on_documents: Callable[[bytes], None] | None = None, commands: CommandPost | None = None,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._site = site
        self._gate = gate
        self._keyring = keyring
        self._clock = clock
        self._say = say
        self._own_key = own_key
        self._on_documents = on_documents
        self._commands = commands
        self._documents_topic = wire.documents(site, "index")
        self._rng = rng or SystemRandom()
        self._boot = f"{self._rng.getrandbits(64):016x}"
        self._messages = 0
        self._ack_topic = wire.down(site, gate, "ack")
        self._link = Link(settings, f"gate-{site}-{gate}", mono=self._mono, rng=self._rng, will=self._will)
        self._board = NoticeBoard()
        self._unheard: deque[Happening] = deque()
        self._failure = self._down = ""
        self._back_until_mono = float("-inf")
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, name="uplink", daemon=True),
                         threading.Thread(target=self._ring, name="uplink-bell", daemon=True)]
        self.status(wire.Status("starting"))

    # --- for the application: each returns at once ---

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted us."""
        return self._link.up

    def start(self) -> None:
        """Begin to connect; the outbox is open by now."""
        self._delivery = Delivery(self._outbox.acked_seq)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Say so, part from the broker in peace, and end; a live broker gets about `STOP_S`."""
        self.status(wire.Status("stopped"))  # the last will is for those who could not say it
        self._stopping.set()
        self._link.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_S + 2 * TURN_S)  # a name server that is silent may hold it longer: a daemon thread

    def stand_back(self) -> None:
        """Leave the interpreter to the core for a moment: somebody is at the lane."""
        self._back_until_mono = self._mono() + STAND_BACK_S

    def status(self, status: wire.Status) -> None:
        """Publish `up/status`, retained."""
        self._keep("status", "status", status)

    def info(self, info: wire.Info) -> None:
        """Publish `up/info`, retained."""
        self._keep("info", "info", info)

    def state(self, state: wire.State) -> None:
        """Publish `up/state`, retained; the newest wins."""
        self._keep("state", "state", state)

    def alert(self, id: str, detail: str | None) -> None:
        """Raise the alert `id` on `up/alert/{id}`, retained, or clear it (`detail` None)."""
        self._keep(f"alert/{id}", "alert", None if detail is None else wire.AlertState(id, detail))

    def clear_alerts(self, *ids: str) -> None:
        """Clear what an earlier run of this gate may have left standing."""
        for alert in ids:
            self._board.clear(f"alert/{alert}", "alert")
        self._link.wake()

    def passages(self, page: int, passages: wire.Passages) -> None:
        """Publish one page of who passed here, retained, signed when it is sent."""
        self._keep(f"{PRESENCE}/{page_name(page)}", "passages", passages)

    def health(self, health: wire.Health) -> None:
        """Publish `up/health` now, or not at all."""
        self._mention("health", health)

    def live(self, kind: str, event: dict[str, Any]) -> None:
        """Publish `up/live` now, or not at all."""
        self._mention("live", wire.Live(kind=kind, event=event))

    def reply(self, client: str, reply: wire.Reply) -> None:
        """Answer a command on `up/reply/{client}`, or nobody where the client is not named."""
        if client:
            self._mention("reply", reply, tail=f"reply/{client}")

    # --- messages ---

    def _keep(self, tail: str, name: str, data: msgspec.Struct | None) -> None:
        self._board.keep(tail, name, data)
        self._link.wake()

    def _mention(self, name: str, data: msgspec.Struct, *, tail: str = "") -> None:
        if self._link.up:
            self._board.mention(tail or name, name, data)
            self._link.wake()

    def _will(self) -> tuple[str, bytes]:
        return self._topic("status"), self._message("status", wire.Status("offline"))

    def _topic(self, tail: str) -> str:
        if tail.startswith(f"{PRESENCE}/"):
            return wire.presence(self._site, self._gate, tail.removeprefix(f"{PRESENCE}/"))
        return wire.up(self._site, self._gate, tail)

    def _message(self, name: str, data: msgspec.Struct) -> bytes:
        self._messages += 1
        number, utc = f"{self._boot}.{self._messages}", self._clock.now().utc
        if isinstance(data, wire.State) and self._commands is not None:
            data = msgspec.structs.replace(data, nonce=self._commands.nonce())
        if isinstance(data, wire.Passages):
            assert self._own_key is not None
            return sign_page(data, self._own_key, kid_of(self._own_key.public_key()), id=number, time=utc)
        return wire.message(name, wire.source(self._site, self._gate), number, utc, data)

    def _mono(self) -> float:
        return self._clock.now().mono

    # --- the threads ---

    def _ring(self) -> None:
        seen_seq = 0
        while not self._stopping.is_set():
            if self._outbox.wait_flushed(seen_seq, BELL_S):
                seen_seq = self._outbox.flushed_seq
                self._link.wake()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._guarded(self._turn)
        self._guarded(self._part)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Nothing ends this thread silently: a failure is said, and the connection begins again."""
        try:
            step()
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            if failure != self._failure:
                self._failure = failure
                self._say(Fault("uplink", failure))
            self._link.drop("an internal error")

    def _turn(self) -> None:
        self._take_in(self._link.turn(TURN_S))
        self._give_way()
        self._hear_all()
        if self._link.up:
            self._send_notices()
            self._send_events()

    def _take_in(self, happenings: Sequence[Happening]) -> None:
        """Hear commands at once; everything else in its turn."""
        for happening in happenings:
            if self._commands is not None and isinstance(happening, Arrived) and self._commands.is_for(happening):
                self._hear_command(self._commands, happening)
            else:
                self._unheard.append(happening)

    def _hear_all(self) -> None:
        while self._unheard:
            self._hear(self._unheard.popleft())

    def _give_way(self) -> None:
        """Wait while this thread is to stand back; only commands are heard meanwhile."""
        began_mono = mono = self._mono()
        while mono < self._back_until_mono and mono - began_mono < STAND_BACK_MAX_S and not self._stopping.is_set():
            self._take_in(self._link.listen(self._back_until_mono - mono))
            mono = self._mono()

    def _part(self) -> None:
        deadline_mono = self._mono() + STOP_S
        self._send_notices()
        while self._link.up and not self._link.idle and self._mono() < deadline_mono:
            self._take_in(self._link.turn(0.1))
            self._hear_all()
            self._send_notices()
        self._link.close()

    def _hear(self, happening: Happening) -> None:
        match happening:
            case Up():
                self._board.begin_again()  # a broker may have forgotten what it retained
                self._clear("publish-refused")
                self._link.subscribe(self._ack_topic)
                if self._commands is not None:
                    self._link.subscribe(self._commands.topics)
                if self._on_documents is not None:
                    self._link.subscribe(self._documents_topic)
                if self._own_key is not None:
                    self._link.subscribe(wire.presence(self._site, "+", "+"))
                self._down = ""
            case Down(detail):
                self._delivery.disconnected()
                if detail != self._down:
                    self._down = detail
                    log.warning("no broker: %s", detail)
            case Answered(mid, refused) if refused:
                what = "events" if self._delivery.refused(mid, self._mono()) else "publish"
                self._raise(f"{what}-refused", f"the broker refuses what this gate sends: {refused}; check its ACL")
            case Answered(mid):
                safe_seq = self._delivery.confirmed(mid)
                if safe_seq is not None:
                    self._clear("events-refused")
                    if self._settings.ack == "broker":
                        self._delivery.delivered(safe_seq, self._mono())
                        self._delivered(self._delivery.acked_seq)
            case Arrived():
                self._hear_message(happening)

    def _hear_message(self, message: Arrived) -> None:
        if message.topic == self._ack_topic:
            if self._settings.ack == "recorder" and not message.retained:
                self._hear_ack(message.payload)
        elif message.topic == self._documents_topic:
            if self._on_documents is not None:
                self._on_documents(message.payload)
        else:
            self._hear_peer(message.topic, message.payload)

    # --- what goes out ---

    def _send_notices(self) -> None:
        while self._link.room and (notice := self._board.next_kept()):
            payload = b"" if notice.data is None else self._message(notice.name, notice.data)
            self._link.publish(self._topic(notice.tail), payload, qos=1, retain=True)
        while self._link.up and (notice := self._board.next_passing()) and notice.data is not None:
            self._link.publish(self._topic(notice.tail), self._message(notice.name, notice.data), qos=0)

    def _send_events(self) -> None:
        mono, delivery = self._mono(), self._delivery
        if self._link.room and self._settings.ack == "recorder" and delivery.overdue(mono):
            self._send_batch(delivery.acked_seq, mono)
        while self._link.room and delivery.may_send(mono) and delivery.sent_seq < self._outbox.flushed_seq:
            if not self._send_batch(delivery.sent_seq, mono):
                break
            self._give_way()
            self._send_notices()  # a backlog may take long, and a command needs a nonce that is not old

    def _send_batch(self, after_seq: int, mono: float) -> bool:
        rows = within_limit(self._outbox.rows_after(after_seq, wire.BATCH_MAX_EVENTS))
        if not rows:
            return False
        payload = wire.join_batch([row.body for row in rows])
        mid = self._link.publish(self._topic("event"), payload, qos=1)
        if mid is not None:
            self._delivery.published(mid, after_seq + 1, rows[-1].seq, mono)
        return mid is not None

    # --- what comes back ---

    def _hear_ack(self, payload: bytes) -> None:
        try:
            ack = read_ack(payload, self._keyring())
        except CodeError as error:
            self._raise("ack-refused", f"an acknowledgement was refused: {error}")
            return
        if ack.epoch != self._outbox.epoch:
            return  # a recorder's word on the ledger that was here before: true, and of no use
        problem = self._problem_of(ack)
        if problem:
            self._raise("ack-refused", f"an acknowledgement was refused: {problem}")
            return
        if ack.up_to_seq > self._delivery.acked_seq and self._outbox.hash_at(ack.up_to_seq) is None:
            return  # a full ring let that event go meanwhile, so there is nothing to compare its word with
        self._clear("ack-refused")
        oldest = next((row.seq for row in self._outbox.rows_after(self._delivery.acked_seq, 1)), None)
        if self._delivery.acknowledged(ack, oldest, self._mono()):
            self._delivered(ack.up_to_seq)

    def _delivered(self, up_to_seq: int) -> None:
        """Everything up to there is safe elsewhere: whatever went wrong before, the feed works."""
        self._outbox.delivered(self._outbox.epoch, up_to_seq)
        if self._failure:
            self._failure = ""
            self._say(Fault("uplink", None))

    def _hear_command(self, commands: CommandPost, message: Arrived) -> None:
        refused = commands.hear(message)
        if refused is None:
            self._clear("command-refused")
            return
        self.reply(*refused)
        why = refusal_words(refused.reply.refusal)
        self._raise("command-refused", f"a command to {refused.reply.verb} was refused: {why.vi} / {why.en}")

    def _hear_peer(self, topic: str, payload: bytes) -> None:
        """Take in a page of passages, our own too: it may be all that is left of a ledger that was lost."""
        try:
            gate = wire.gate_of_presence(self._site, topic)
            moves = read_page(payload, self._site, gate, self._keyring())
        except CodeError as error:
            self._raise("presence-refused", f"passages on {topic} were refused: {error}")
            return
        self._clear("presence-refused")
        self._say(PeerMoves(gate, tuple(moves)))

    def _problem_of(self, ack: wire.Ack) -> str:
        """Why `ack` must not be heard, or nothing."""
        flushed_seq = self._outbox.flushed_seq
        if (ack.site, ack.gate) != (self._site, self._gate):
            return "it is another gate's"
        empty = ack.greeting and (ack.from_seq, ack.up_to_seq) == (1, 0)
        if not (empty or 1 <= ack.from_seq <= ack.up_to_seq <= flushed_seq):
            return f"it speaks of events {ack.from_seq} to {ack.up_to_seq}, and {flushed_seq} are flushed"
        ours = self._outbox.hash_at(ack.up_to_seq)
        if ours is not None and not hmac.compare_digest(ours.hex().encode(), ack.hash.encode()):
            return f"its chain differs from ours at event {ack.up_to_seq}: two histories share this gate's name"
        return ""

    # --- complaints ---

    def _raise(self, alert: str, detail: str) -> None:
        told = wire.AlertState(alert, detail)
        if self._board.standing(f"alert/{alert}") != told:
            self.alert(alert, detail)
            log.warning("%s", detail)

    def _clear(self, alert: str) -> None:
        if self._board.standing(f"alert/{alert}") is not None:
            self.alert(alert, None)
