"""The uplink against a real mosquitto: order, reconnection, acknowledgements that must not be believed."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.client import MQTTMessage
from support_mosquitto import Mosquitto, needs_mosquitto
from support_outbox import MemoryOutbox

from gate import wire
from gate.acks import sign_ack
from gate.clock import SHIFT_START, ManualClock, SystemClock
from gate.command_desk import sign_command
from gate.command_post import CommandPost
from gate.config import Mqtt
from gate.delivery import WINDOW_EVENTS
from gate.model import Fault
from gate.order import Order, Role, Verb
from gate.trust import Key, Keyring, kid_of
from gate.uplink import STAND_BACK_S, Uplink
from gate.view import DocumentSet

pytestmark = needs_mosquitto

SITE, GATE = "tan-thuan", "cong-a"
EVENTS, ACK = wire.up(SITE, GATE, "event"), wire.down(SITE, GATE, "ack")
RECORDER = Ed25519PrivateKey.generate()
RECORDER_KID = kid_of(RECORDER.public_key())
KEYRING = Keyring([Key(RECORDER_KID, RECORDER.public_key(), "kcn", "recorder")])

MakeUplink = Callable[..., Uplink]


class Complaints(logging.Handler):
    """What the uplink complained of, in the log or as a fault; `wait` until it did."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self._news = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        self.say(record.getMessage())

    def say(self, said: str | Fault) -> None:
        with self._news:
            self.told.append(said.detail or "over" if isinstance(said, Fault) else said)
            self._news.notify_all()

    def wait(self, word: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: any(word in text for text in self.told), 30.0), self.told


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    handler = Complaints()
    logging.getLogger("gate.uplink").addHandler(handler)
    yield handler
    logging.getLogger("gate.uplink").removeHandler(handler)


@pytest.fixture
def make(complaints: Complaints) -> Iterator[MakeUplink]:
    made: list[Uplink] = []

    def start(outbox: MemoryOutbox, settings: Mqtt, keyring: Keyring = KEYRING) -> Uplink:
        uplink = Uplink(outbox, settings, site=SITE, gate=GATE, keyring=lambda: keyring, clock=SystemClock(),
                        say=complaints.say, rng=Random(7))
        uplink.start()
        made.append(uplink)
        return uplink

    yield start
    for uplink in made:
        uplink.stop()


def acknowledge(outbox: MemoryOutbox, seq: int, *, key: Ed25519PrivateKey = RECORDER, **changes: Any) -> bytes:
    """An honest acknowledgement of everything up to `seq`, or with `changes` one that lies."""
    ack = wire.Ack(SITE, GATE, outbox.epoch, 1, seq, outbox.rows[seq].hash.hex())
    return sign_ack(msgspec.structs.replace(ack, **changes), key, RECORDER_KID, id="1", time=SHIFT_START)


def seqs(messages: list[MQTTMessage]) -> list[int]:
    events = [m for m in messages if m.topic == EVENTS]
    return [wire.read_event(body).seq for m in events for body in wire.split_batch(m.payload)]


def last(messages: list[MQTTMessage], tail: str) -> bytes | None:
    return next((m.payload for m in reversed(messages) if m.topic == wire.up(SITE, GATE, tail)), None)


def test_while_somebody_is_at_the_lane_the_feed_waits(mosquitto: Mosquitto, complaints: Complaints) -> None:
    outbox, probe, clock = MemoryOutbox(), mosquitto.probe(EVENTS, "echo"), ManualClock()
    uplink = Uplink(outbox, mosquitto.settings(), site=SITE, gate=GATE, keyring=lambda: KEYRING, clock=clock,
                    say=complaints.say, rng=Random(7))
    uplink.start()
    try:
        outbox.append(1)
        probe.wait(lambda messages: 1 in seqs(messages))
        uplink.stand_back()
        outbox.append(1)
        for number in range(1, 51):  # the feed would have come between
            probe.publish("echo", b"")
            probe.wait(lambda messages, number=number: sum(m.topic == "echo" for m in messages) == number)
        assert seqs(probe.messages) == [1]
        clock.advance(STAND_BACK_S)
        probe.wait(lambda messages: 2 in seqs(messages))
    finally:
        uplink.stop()


def test_a_command_is_heard_at_once_while_the_feed_stands_back(mosquitto: Mosquitto, complaints: Complaints) -> None:
    outbox, clock, heard = MemoryOutbox(), ManualClock(), queue.SimpleQueue[Order]()
    probe = mosquitto.probe(EVENTS, wire.up(SITE, GATE, "state"))
    documents = DocumentSet(keyring=Keyring([
        Key(RECORDER_KID, RECORDER.public_key(), "an", "operator", role=Role.GUARD)]))
    post = CommandPost(SITE, GATE, counters={}, documents=lambda: documents, clock=clock, say=heard.put,
                       make_nonce=lambda: "n1")
    uplink = Uplink(outbox, mosquitto.settings(), site=SITE, gate=GATE, keyring=lambda: KEYRING, clock=clock,
                    say=complaints.say, rng=Random(7), commands=post)
    uplink.start()
    try:
        uplink.state(wire.State(mode="normal", portal="closed", outbox=0, epoch="e", written_seq=0, clock_trusted=True))
        probe.wait(lambda messages: any(m.topic.endswith("state") for m in messages))
        assert wire.read_message(probe.messages[-1].payload, "state", wire.State).nonce == "n1"
        uplink.stand_back()
        outbox.append(1)
        wanted = wire.Command(site=SITE, gate=GATE, verb="open", actor="an", reason="r", nonce="n1", counter=1)
        probe.publish(wire.down(SITE, GATE, "command", "open"), sign_command(
            wanted, RECORDER, RECORDER_KID, client="c", id="m", time=SHIFT_START))
        assert heard.get(timeout=30.0).verb is Verb.OPEN
        assert seqs(probe.messages) == []
    finally:
        uplink.stop()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_events_arrive_once_and_in_order(mosquitto: Mosquitto, make: MakeUplink, version: str) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(700)
    make(outbox, mosquitto.settings(version=version))
    probe.wait(lambda messages: len(seqs(messages)) >= 700)
    outbox.append(300)
    probe.wait(lambda messages: len(seqs(messages)) >= 1000)
    assert seqs(probe.messages) == list(range(1, 1001))
    assert all(not message.retain for message in probe.messages)


def test_signed_acknowledgement_lets_the_ledger_forget(mosquitto: Mosquitto, make: MakeUplink) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(100)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 100 in seqs(messages))
    assert outbox.acked_seq == 0, "a PUBACK proves only that a broker had it in memory"
    probe.publish(ACK, acknowledge(outbox, 100))
    outbox.wait_acked(100)


STRANGER = Ed25519PrivateKey.generate()
FORGERIES: dict[str, dict[str, Any]] = {
    "signed by another key": {"key": STRANGER},
    "of another gate": {"gate": "cong-b"},
    "of another site": {"site": "binh-duong"},
    "of another epoch": {"epoch": "e0"},
    "with another hash": {"hash": "00" * 32},
    "with a hash that is no hash": {"hash": "được"},
    "of more than was flushed": {"up_to_seq": 101},
    "of a run that begins too late": {"from_seq": 2},
    "of nothing": {"from_seq": 1, "up_to_seq": 0},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_false_acknowledgement_lets_the_ledger_forget_nothing(
    mosquitto: Mosquitto, make: MakeUplink, forgery: str,
) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(100)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 100 in seqs(messages))
    probe.publish(ACK, acknowledge(outbox, 100, **FORGERIES[forgery]))
    probe.publish(ACK, acknowledge(outbox, 1))  # heard after the false one, so that one was judged by now
    outbox.wait_acked(1)
    assert outbox.acked_seq == 1


@pytest.mark.parametrize("junk", [b"", b"{}", b"[1]", b"\xff" * 100, b"[" * 50_000, b'{"data":{"sign1":"%%"}}'])
def test_junk_for_an_acknowledgement_is_refused_and_told_once(
    mosquitto: Mosquitto, make: MakeUplink, complaints: Complaints, junk: bytes,
) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(wire.up(SITE, GATE, "#"))
    outbox.append(10)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 10 in seqs(messages))
    for _ in range(3):
        probe.publish(ACK, junk)
    complaints.wait("refused")
    probe.publish(ACK, acknowledge(outbox, 10))
    outbox.wait_acked(10)
    assert len(complaints.told) == 1
    probe.wait(lambda messages: last(messages, "alert/ack-refused") == b"")  # raised, and cleared by the true one


def test_retained_acknowledgement_is_not_heard(mosquitto: Mosquitto, make: MakeUplink) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(100)
    probe.publish(ACK, acknowledge(outbox, 50), retain=True)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 100 in seqs(messages))
    probe.publish(ACK, acknowledge(outbox, 1))
    outbox.wait_acked(1)
    assert outbox.acked_seq == 1


def test_broker_that_dies_gets_the_unacknowledged_again(mosquitto: Mosquitto, make: MakeUplink) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(200)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 200 in seqs(messages))
    probe.publish(ACK, acknowledge(outbox, 128))
    outbox.wait_acked(128)
    mosquitto.stop(kill=True)
    outbox.append(3_000)
    mosquitto.start()
    probe = mosquitto.probe(EVENTS)
    probe.wait(lambda messages: messages and seqs(messages[-1:])[-1] == 3_200)
    came = list(dict.fromkeys(seqs(probe.messages)))
    assert came == list(range(came[0], 3_201)), "in order, without a hole"


def test_sending_runs_ahead_of_the_recorder_by_a_window_and_goes_on_with_its_word(
    mosquitto: Mosquitto, make: MakeUplink,
) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(3 * WINDOW_EVENTS)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: messages and seqs(messages[-1:])[-1] == WINDOW_EVENTS)
    probe.publish(ACK, acknowledge(outbox, WINDOW_EVENTS))
    probe.wait(lambda messages: seqs(messages[-1:])[-1] == 2 * WINDOW_EVENTS)


def test_recorder_that_missed_a_part_gets_it_again(mosquitto: Mosquitto, make: MakeUplink) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(300)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 300 in seqs(messages))
    probe.publish(ACK, acknowledge(outbox, 300, from_seq=129))
    probe.wait(lambda messages: seqs(messages).count(1) == 2)
    assert outbox.acked_seq == 0


def test_recorder_restored_from_a_backup_gets_what_is_still_here(mosquitto: Mosquitto, make: MakeUplink) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(300)
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 300 in seqs(messages))
    probe.publish(ACK, acknowledge(outbox, 300))
    outbox.wait_acked(300)
    probe.publish(ACK, acknowledge(outbox, 128, greeting=True))
    probe.wait(lambda messages: seqs(messages).count(129) == 2)
    assert seqs(probe.messages).count(128) == 1
    assert outbox.acked_seq == 300


def test_events_that_a_full_ring_let_go_do_not_hold_up_the_rest(mosquitto: Mosquitto, make: MakeUplink) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(200)
    outbox.lose(range(50, 60))
    make(outbox, mosquitto.settings())
    probe.wait(lambda messages: 200 in seqs(messages))
    probe.publish(ACK, acknowledge(outbox, 49))
    outbox.wait_acked(49)
    probe.publish(ACK, acknowledge(outbox, 200, from_seq=60))
    outbox.wait_acked(200)


def test_with_ack_broker_the_broker_s_word_is_enough(mosquitto: Mosquitto, make: MakeUplink) -> None:
    outbox = MemoryOutbox()
    outbox.append(1000)
    make(outbox, mosquitto.settings(ack="broker"))
    outbox.wait_acked(1000)


def test_retained_status_tells_online_stopped_and_offline(mosquitto: Mosquitto, make: MakeUplink) -> None:
    status = wire.up(SITE, GATE, "status")
    probe = mosquitto.probe(status)

    def said(word: str) -> Callable[[list[MQTTMessage]], bool]:
        return lambda messages: bool(messages) and wire.read_message(
            messages[-1].payload, "status", wire.Status).status == word

    uplink = make(MemoryOutbox(), mosquitto.settings())
    probe.wait(said("starting"))
    uplink.status(wire.Status("online"))
    probe.wait(said("online"))
    uplink.stop()
    probe.wait(said("stopped"))
    second = make(MemoryOutbox(), mosquitto.settings())
    probe.wait(said("starting"))
    second._link._client.socket().shutdown(2)  # the cable, not a goodbye
    probe.wait(said("offline"))
    probe.wait(said("starting"))
    late = mosquitto.probe(status)
    assert late.wait(lambda messages: messages)[0].retain


def test_alerts_of_an_earlier_run_are_cleared_and_those_that_stand_again_are_not(
    mosquitto: Mosquitto, make: MakeUplink,
) -> None:
    old, standing = wire.up(SITE, GATE, "alert/held-open"), wire.up(SITE, GATE, "alert/emergency")
    probe = mosquitto.probe(old, standing)
    for topic in (old, standing):
        probe.publish(topic, b"left by a run that was killed", retain=True)
    uplink = make(MemoryOutbox(), mosquitto.settings())
    uplink.alert("emergency", "emergency")
    uplink.clear_alerts("emergency", "held-open")
    probe.wait(lambda messages: any(message.topic == old and not message.payload for message in messages))
    late = mosquitto.probe(old, standing)
    (message,) = late.wait(lambda messages: messages)
    assert wire.read_message(message.payload, "alert", wire.AlertState).id == "emergency"


def test_kept_notices_come_back_after_the_broker_forgot_them(mosquitto: Mosquitto, make: MakeUplink) -> None:
    uplink = make(MemoryOutbox(), mosquitto.settings())
    for n in range(1000):
        uplink.state(wire.State(
            mode="normal", portal="closed", outbox=n, epoch="e1", written_seq=n, clock_trusted=True))
    uplink.alert("reader-lost", "cổng vào: mất đầu đọc")
    uplink.alert("store", "chậm")
    uplink.alert("store", None)
    mosquitto.stop(kill=True)
    mosquitto.start()
    probe = mosquitto.probe(wire.up(SITE, GATE, "#"))
    probe.wait(lambda messages: last(messages, "alert/reader-lost") and last(messages, "state"))
    state = wire.read_message(last(probe.messages, "state") or b"", "state", wire.State)
    assert state.outbox == 999, "the newest state wins"
    assert not last(probe.messages, "alert/store")


def test_live_copies_go_out_at_once_and_never_stale(mosquitto: Mosquitto, make: MakeUplink) -> None:
    probe = mosquitto.probe(wire.up(SITE, GATE, "live"), wire.up(SITE, GATE, "status"))
    uplink = make(MemoryOutbox(), mosquitto.settings())
    for n in range(10_000):
        uplink.live("AccessGranted", {"before": n})  # most of these before there is a connection
    probe.wait(lambda messages: messages)
    for n in itertools.count():
        uplink.live("AccessGranted", {"n": n})
        if any(b'"n":' in m.payload for m in probe.messages):
            break
        probe._news.acquire()
        probe._news.wait(0.05)
        probe._news.release()
    live = [m for m in probe.messages if m.topic.endswith("live")]
    assert all(b'"durable":false' in m.payload and not m.retain for m in live)


def test_denied_publish_raises_a_fault_once_and_events_wait(
    tmp_path: Any, make: MakeUplink, complaints: Complaints,
) -> None:
    users = {"gate-a": "bí mật", "watcher": "w"}
    acl = "user gate-a\ntopic write gate/1/tan-thuan/cong-a/up/status\nuser watcher\ntopic read gate/#\n"
    broker = Mosquitto(tmp_path / "broker", users=users, acl=acl).start()
    (tmp_path / "password").write_text("bí mật\n")
    outbox = MemoryOutbox()
    outbox.append(1000)
    make(outbox, broker.settings(username="gate-a", password_file=tmp_path / "password", ack="broker"))
    complaints.wait("Not authorized")
    assert outbox.acked_seq == 0, "what the broker refused is not delivered"
    assert len([text for text in complaints.told if "Not authorized" in text]) <= 2
    broker.stop()


def test_wrong_password_is_retried_and_never_logged(tmp_path: Any, make: MakeUplink, complaints: Complaints) -> None:
    broker = Mosquitto(tmp_path / "broker", users={"gate-a": "right"}).start()
    password = tmp_path / "password"
    password.write_text("wrong")
    outbox = MemoryOutbox()
    outbox.append(10)
    make(outbox, broker.settings(username="gate-a", password_file=password, ack="broker"))
    complaints.wait("Not authorized")
    password.write_text("right")  # a new password needs no restart
    outbox.wait_acked(10)
    assert not any("right" in text or "wrong" in text for text in complaints.told)
    broker.stop()


def test_outbox_that_fails_is_told_once_until_it_is_over_and_the_thread_lives_on(
    mosquitto: Mosquitto, make: MakeUplink, complaints: Complaints,
) -> None:
    outbox = MemoryOutbox()
    healthy, broken = outbox.rows_after, True

    def rows_after(seq: int, limit: int) -> Any:
        if broken:
            raise OSError("disk I/O error")
        return healthy(seq, limit)

    outbox.rows_after = rows_after  # type: ignore[method-assign]
    outbox.append(10)
    make(outbox, mosquitto.settings(ack="broker"))
    complaints.wait("disk I/O error")
    broken = False
    outbox.wait_acked(10)
    complaints.wait("over")
    assert len([text for text in complaints.told if "disk I/O error" in text]) == 1
