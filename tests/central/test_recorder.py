"""The recorder with a real broker and a real database, from the gate's ledger to its permission to forget."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from support_mosquitto import TIMEOUT_S, Mosquitto, needs_mosquitto
from support_outbox import MemoryOutbox

from gate import config, wire
from gate.acks import read_ack
from gate.central.db import models as table
from gate.central.db import open_database, reading
from gate.central.recorder import Recorder
from gate.clock import SystemClock
from gate.delivery import Outbox
from gate.ledger import Ledger
from gate.model import EventKind, Record
from gate.trust import Key, Keyring, kid_of
from gate.uplink import Uplink

pytestmark = needs_mosquitto

SITE, GATE = "tan-thuan", "cong-a"
EVENTS, ACK = wire.up(SITE, GATE, "event"), wire.down(SITE, GATE, "ack")
KEY = Ed25519PrivateKey.generate()
KEYRING = Keyring([Key(kid_of(KEY.public_key()), KEY.public_key(), "kcn", "recorder")])

STATE = wire.State(mode="normal", portal="closed", outbox=3, epoch="e1", written_seq=9, clock_trusted=True)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


class Desk:
    """A recorder that the test turns by hand, until something is so."""

    def __init__(self, engine: Engine, mosquitto: Mosquitto, client_id: str = "recorder") -> None:
        self.engine = engine
        self.recorder = Recorder(engine, mosquitto.settings(), key=KEY, clock=SystemClock(), rng=Random(7),
                                 client_id=client_id)
        self.until(lambda: self.recorder._link.up)
        self.recorder.turn()

    def until(self, so: Callable[[], bool]) -> None:
        deadline_mono = SystemClock().now().mono + TIMEOUT_S
        while not so():
            assert SystemClock().now().mono < deadline_mono, f"waited in vain; {self.recorder.counts}, {self.alerts()}"
            self.recorder.turn()

    def until_counts(self, **counts: int) -> None:
        self.until(lambda: all(self.recorder.counts[name] >= least for name, least in counts.items()))

    def seqs(self, gate: str = GATE) -> list[int]:
        with reading(self.engine) as session:
            return list(session.scalars(select(table.Event.seq).join(table.Feed).where(table.Feed.gate == gate)
                                        .order_by(table.Event.id)))

    def alerts(self) -> dict[str, int]:
        with reading(self.engine) as session:
            return {alert.kind: alert.count for alert in session.scalars(select(table.FeedAlert))}

    def gaps(self) -> list[tuple[int, int, str, bool]]:
        with reading(self.engine) as session:
            return [(gap.from_seq, gap.to_seq, gap.explained, gap.closed_at is None)
                    for gap in session.scalars(select(table.Gap).order_by(table.Gap.from_seq))]


@pytest.fixture
def desk(engine: Engine, mosquitto: Mosquitto) -> Iterator[Desk]:
    desk = Desk(engine, mosquitto)
    yield desk
    desk.recorder._link.close()


@pytest.fixture
def uplink_of(mosquitto: Mosquitto) -> Iterator[Callable[[Outbox], Uplink]]:
    made: list[Uplink] = []

    def start(outbox: Outbox) -> Uplink:
        made.append(Uplink(outbox, mosquitto.settings(), site=SITE, gate=GATE, keyring=lambda: KEYRING,
                           clock=SystemClock(), say=lambda fault: None, rng=Random(7)))
        made[-1].start()
        return made[-1]

    yield start
    for uplink in made:
        uplink.stop()


def forged(outbox: MemoryOutbox, seq: int, /, **changes: object) -> bytes:
    event = wire.read_event(outbox.rows[seq].body)
    return b"[" + msgspec.json.encode(msgspec.structs.replace(event, **changes)) + b"]"


# --- the whole road --------------------------------------------------------------------------------------


def test_every_event_is_recorded_once_in_order_then_forgotten(
    desk: Desk, uplink_of: Callable[[Outbox], Uplink],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(1000)
    uplink_of(outbox)
    desk.until(lambda: outbox.acked_seq == 1000)
    assert desk.seqs() == list(range(1, 1001))
    with reading(desk.engine) as session:
        bodies = session.scalars(select(table.Event.body).order_by(table.Event.seq)).all()
    assert bodies == [outbox.rows[seq].body for seq in range(1, 1001)], "the very bytes that the gate sealed"
    assert (desk.alerts(), desk.gaps()) == ({}, [])


def test_real_ledger_is_drained_and_forgets(
    desk: Desk, uplink_of: Callable[[Outbox], Uplink], tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path / "ledger.db", site=SITE, gate=GATE, zone=ZoneInfo("Asia/Ho_Chi_Minh"),
                    settings=config.Ledger(), say=lambda stimulus: None)
    ledger.start()
    uplink = uplink_of(ledger)
    for _ in range(5):
        ledger.append([Record(EventKind.ACCESS_DENIED, {"reason": "EXPIRED"})] * 40, SystemClock().now())
    desk.until(lambda: ledger.acked_seq >= 200)
    assert desk.seqs() == list(range(1, ledger.acked_seq + 1))
    uplink.stop()
    ledger.stop()


def test_broker_away_for_20000_events_then_all_arrive_once_in_order(
    desk: Desk, mosquitto: Mosquitto, uplink_of: Callable[[Outbox], Uplink],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(100)
    uplink_of(outbox)
    desk.until(lambda: outbox.acked_seq == 100)
    mosquitto.stop(kill=True)
    outbox.append(20_000)
    mosquitto.start()
    desk.until(lambda: outbox.acked_seq == 20_100)
    assert desk.seqs() == list(range(1, 20_101))
    assert (desk.alerts(), desk.gaps()) == ({}, [])


def test_broker_that_drops_what_it_had_taken_is_made_up_for(
    engine: Engine, mosquitto: Mosquitto, uplink_of: Callable[[Outbox], Uplink],
) -> None:
    """The recorder is away, the broker answers for it, then loses all of it: the gate sends it again."""
    Desk(engine, mosquitto).recorder._link.close()
    outbox, probe = MemoryOutbox(), mosquitto.probe(EVENTS)
    outbox.append(500)
    uplink_of(outbox)
    probe.wait(lambda messages: sum(len(wire.split_batch(m.payload)) for m in messages) >= 500)
    mosquitto.stop(kill=True)
    mosquitto.start()
    desk = Desk(engine, mosquitto)
    desk.until(lambda: outbox.acked_seq == 500)
    assert desk.seqs() == list(range(1, 501))


DYING = """
import os, signal, sys
from random import Random
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gate.central.db import open_database
from gate.central.recorder import Recorder
from gate.clock import SystemClock
from gate.config import Mqtt

class Dying(Recorder):
    def _commit(self, *args, **options):
        durable = super()._commit(*args, **options)
        if self.counts["new"] >= 200:
            os.kill(os.getpid(), signal.SIGKILL)
        return durable

url, port, pem = sys.argv[1:]
key = load_pem_private_key(pem.encode(), None)
Dying(open_database(url), Mqtt(host="127.0.0.1", port=int(port)), key=key, clock=SystemClock(),
      rng=Random(7)).run(lambda: False)
"""


def test_recorder_killed_between_commit_and_acknowledgement_doubles_and_loses_nothing(
    engine: Engine, mosquitto: Mosquitto, uplink_of: Callable[[Outbox], Uplink],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(2000)
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    child = subprocess.Popen([sys.executable, "-c", DYING, str(engine.url), str(mosquitto.port), pem],
                             env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    uplink_of(outbox).state(STATE)
    assert child.wait(TIMEOUT_S) == -signal.SIGKILL
    with reading(engine) as session:
        committed = session.scalar(select(func.count(table.Event.id))) or 0
    assert committed >= 200
    assert outbox.acked_seq < committed, "killed before it could say what it had committed"
    desk = Desk(engine, mosquitto)
    desk.until(lambda: outbox.acked_seq == 2000)
    assert desk.seqs() == list(range(1, 2001))
    desk.recorder._link.close()


def test_lost_database_is_filled_with_all_that_gates_still_hold(
    mosquitto: Mosquitto, uplink_of: Callable[[Outbox], Uplink], tmp_path: Path,
) -> None:
    outbox = MemoryOutbox()
    outbox.append(300)
    first = Desk(open_database(f"sqlite:///{tmp_path}/first.db"), mosquitto)
    uplink_of(outbox)
    first.until(lambda: outbox.acked_seq == 300)
    first.recorder._link.close()
    outbox.append(100)
    second = Desk(open_database(f"sqlite:///{tmp_path}/second.db"), mosquitto)
    second.until(lambda: outbox.acked_seq == 400 and len(second.seqs()) == 400)
    assert [gap for gap in second.gaps() if gap[3]] == []
    second.recorder._link.close()


def test_what_no_gate_holds_any_more_is_a_gap_and_holds_up_nothing(
    desk: Desk, uplink_of: Callable[[Outbox], Uplink],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(400)
    outbox.delivered("e1", 300)
    outbox.lose(range(1, 301))
    uplink_of(outbox).state(STATE)
    desk.until(lambda: outbox.acked_seq == 400)
    assert desk.gaps() == [(1, 300, "", True)]


# --- two recorders of one database -------------------------------------------------------------------------


@pytest.fixture
def desks(database_url: str, mosquitto: Mosquitto) -> Iterator[list[Desk]]:
    """Two recorders, each with its own connections, hearing the same broker."""
    desks = [Desk(open_database(database_url), mosquitto, name) for name in ("recorder-1", "recorder-2")]
    yield desks
    for desk in desks:
        desk.recorder._link.close()
        desk.engine.dispose()


def test_two_recorders_at_once_record_once_and_never_contradict(
    desks: list[Desk], mosquitto: Mosquitto, uplink_of: Callable[[Outbox], Uplink],
) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(ACK)
    outbox.append(2000)
    uplink_of(outbox)
    with ThreadPoolExecutor(1) as other:
        done = other.submit(desks[1].until, lambda: outbox.acked_seq == 2000)
        desks[0].until(lambda: outbox.acked_seq == 2000)
        done.result(TIMEOUT_S)
    assert sorted(desks[0].seqs()) == list(range(1, 2001))
    assert (desks[0].alerts(), [gap for gap in desks[0].gaps() if gap[3]]) == ({}, [])
    acks = [read_ack(message.payload, KEYRING) for message in probe.messages]
    assert acks
    assert [ack for ack in acks if ack.up_to_seq and ack.hash != outbox.rows[ack.up_to_seq].hash.hex()] == []


def test_second_recorder_takes_over_when_the_first_is_gone(
    desks: list[Desk], uplink_of: Callable[[Outbox], Uplink],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(300)
    uplink_of(outbox)
    desks[0].until(lambda: outbox.acked_seq == 300)
    desks[0].recorder._link.close()
    outbox.append(300)
    desks[1].until(lambda: outbox.acked_seq == 600)
    assert desks[1].seqs() == list(range(1, 601))
    assert (desks[1].alerts(), desks[1].gaps()) == ({}, [])


# --- one batch at a time ------------------------------------------------------------------------------------


def test_acknowledgement_names_the_run_the_hash_and_is_not_retained(desk: Desk, mosquitto: Mosquitto) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(ACK)
    outbox.append(10)
    probe.publish(EVENTS, outbox.batch(1, 10))
    desk.until_counts(acks=1)
    message = probe.wait(lambda messages: messages)[0]
    assert read_ack(message.payload, KEYRING) == wire.Ack(SITE, GATE, "e1", 1, 10, outbox.rows[10].hash.hex())
    assert not message.retain
    assert not mosquitto.probe(ACK).messages


def test_repeated_and_retained_batches_are_stored_once(desk: Desk, mosquitto: Mosquitto) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe()
    outbox.append(10)
    for _ in range(3):
        probe.publish(EVENTS, outbox.batch(1, 10), retain=True)
    desk.until_counts(batches=3)
    assert desk.seqs() == list(range(1, 11))


def test_gap_is_reported_and_closed_when_the_missing_come(desk: Desk, mosquitto: Mosquitto) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(ACK)
    outbox.append(30)
    for first, last in ((1, 5), (21, 30)):
        probe.publish(EVENTS, outbox.batch(first, last))
    desk.until_counts(batches=2)
    assert desk.gaps() == [(6, 20, "", True)]
    probe.publish(EVENTS, outbox.batch(11, 12))
    desk.until_counts(batches=3)
    assert desk.gaps() == [(6, 10, "", True), (13, 20, "", True)]
    probe.publish(EVENTS, outbox.batch(6, 20))
    desk.until_counts(batches=4)
    assert [gap[3] for gap in desk.gaps()] == [False, False]
    acks = [read_ack(m.payload, KEYRING) for m in probe.wait(lambda m: len(m) >= 4 and m)]
    assert [(ack.from_seq, ack.up_to_seq) for ack in acks] == [(1, 5), (21, 30), (11, 12), (1, 20)]


def test_gap_that_the_gate_owns_up_to_is_explained(desk: Desk, mosquitto: Mosquitto) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe()
    outbox.append(20)
    outbox.append(1, EventKind.EVENTS_LOST, from_seq=6, to_seq=15, count=10)
    probe.publish(EVENTS, outbox.batch(1, 5))
    probe.publish(EVENTS, outbox.batch(16, 21))
    desk.until_counts(batches=2)
    assert desk.gaps() == [(6, 15, "EventsLost", True)]


def test_fork_and_broken_chain_raise_alerts_and_change_nothing(desk: Desk, mosquitto: Mosquitto) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe(ACK)
    outbox.append(20)
    probe.publish(EVENTS, outbox.batch(1, 10))
    probe.publish(EVENTS, forged(outbox, 7, data={"n": "khác"}))
    probe.publish(EVENTS, forged(outbox, 7, data={"n": "khác nữa"}))
    probe.publish(EVENTS, forged(outbox, 11, prevhash="00" * 32))
    desk.until_counts(batches=4)
    assert desk.alerts() == {"fork": 2, "chain": 1}
    assert desk.seqs() == list(range(1, 11))
    with reading(desk.engine) as session:
        assert session.scalars(select(table.Event.body).where(table.Event.seq == 7)).one() == outbox.rows[7].body
    assert {read_ack(m.payload, KEYRING).up_to_seq for m in probe.wait(lambda m: m)} == {10}


def test_two_gates_are_two_feeds_and_neither_speaks_for_the_other(desk: Desk, mosquitto: Mosquitto) -> None:
    a, b, probe = MemoryOutbox(), MemoryOutbox(gate="cong-b"), mosquitto.probe()
    for outbox in (a, b):
        outbox.append(5)
        probe.publish(wire.up(SITE, outbox.gate, "event"), outbox.batch(1, 5))
    probe.publish(EVENTS, forged(b, 5, seq=6))
    desk.until_counts(batches=2, malformed=1)
    assert (desk.seqs("cong-a"), desk.seqs("cong-b")) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert desk.alerts() == {"malformed": 1}


def test_new_epoch_begins_a_new_feed_and_is_told(desk: Desk, mosquitto: Mosquitto) -> None:
    probe = mosquitto.probe()
    for epoch in ("e1", "e2"):
        outbox = MemoryOutbox(epoch=epoch)
        outbox.append(5)
        probe.publish(EVENTS, outbox.batch(1, 5))
    desk.until_counts(batches=2)
    assert sorted(desk.seqs()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert desk.alerts() == {"new-epoch": 1}


JUNK = [b"", b"[]", b"{}", b"\x00\xff", b"[" * 100_000, b'[{"seq":1}]', b"[" + b"1," * 64 + b"1]", b"[NaN]"]


def test_junk_is_counted_and_stops_nothing(desk: Desk, mosquitto: Mosquitto) -> None:
    outbox, probe = MemoryOutbox(), mosquitto.probe()
    outbox.append(5)
    for junk in JUNK:
        for tail in ("event", "status", "info", "state"):
            probe.publish(wire.up(SITE, GATE, tail), junk)
    probe.publish(wire.up("Tân Thuận", "???", "event"), b"[]")
    probe.publish(EVENTS, outbox.batch(1, 5))
    desk.until_counts(batches=1)
    assert desk.seqs() == [1, 2, 3, 4, 5]
    assert desk.alerts()["malformed"] >= 3 * len(JUNK)
    with reading(desk.engine) as session:
        assert session.scalar(select(func.count(table.FeedAlert.id))) == 1, "a flood is one row that counts"


def test_what_a_gate_says_of_itself_is_kept(desk: Desk, uplink_of: Callable[[Outbox], Uplink]) -> None:
    uplink = uplink_of(MemoryOutbox())
    uplink.status(wire.Status("online"))
    uplink.info(wire.Info(version="0.1.0", documents={"roster": 7}))
    uplink.state(STATE)
    uplink.alert("reader-lost", "đầu đọc ở cổng vào")

    def row() -> table.GateStatus | None:
        with reading(desk.engine) as session:
            return session.get(table.GateStatus, (SITE, GATE))

    desk.until(lambda: (kept := row()) is not None and bool(kept.alerts))
    kept = row()
    assert kept is not None
    assert (kept.status, kept.info["documents"], kept.state["outbox"]) == ("online", {"roster": 7}, 3)
    assert kept.alerts == {"reader-lost": "đầu đọc ở cổng vào"}
    assert kept.heard_at is not None
    uplink.alert("reader-lost", None)
    desk.until(lambda: (kept := row()) is not None and not kept.alerts)


def test_database_that_refuses_is_waited_for_and_nothing_is_lost(
    desk: Desk, uplink_of: Callable[[Outbox], Uplink], monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, failures = desk.recorder._store.add, iter(range(2))

    def add(*args: object) -> object:
        with suppress(StopIteration):
            next(failures)
            raise OperationalError("INSERT", None, Exception("database or disk is full"))
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.recorder._store, "add", add)
    outbox = MemoryOutbox()
    outbox.append(500)
    uplink_of(outbox)
    desk.until(lambda: outbox.acked_seq == 500)
    assert desk.seqs() == list(range(1, 501))


def test_our_own_fault_in_one_message_leaves_the_others_recorded(
    desk: Desk, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = desk.recorder._take_notice

    def take_notice(site: str, gate: str, tail: str, message: object) -> None:
        if tail == "up/info":
            raise ZeroDivisionError
        real(site, gate, tail, message)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.recorder, "_take_notice", take_notice)
    outbox, probe = MemoryOutbox(), mosquitto.probe()
    outbox.append(5)
    probe.publish(wire.up(SITE, GATE, "info"), b"x")
    probe.publish(EVENTS, outbox.batch(1, 5))
    desk.until_counts(batches=1)
    assert desk.seqs() == [1, 2, 3, 4, 5]
