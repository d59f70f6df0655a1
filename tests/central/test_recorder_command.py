"""`gate central recorder` and `gate watch` as processes, and the check of what is recorded."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update
from support_mosquitto import TIMEOUT_S, Mosquitto, needs_mosquitto
from support_outbox import MemoryOutbox

from gate import wire
from gate.acks import read_ack
from gate.central.db import models as table
from gate.central.db import open_database, writing
from gate.central.keys import make_private_key
from gate.central.recorder import Recorder
from gate.cli import main
from gate.clock import SHIFT_START, SystemClock
from gate.model import EventKind
from gate.private_key import load_private_key
from gate.trust import Key, Keyring, kid_of

pytestmark = needs_mosquitto

SITE, GATE = "tan-thuan", "cong-a"
EVENTS = wire.up(SITE, GATE, "event")


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen([sys.executable, "-m", "gate", *arguments], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/central.db"


def record(url: str, mosquitto: Mosquitto, outbox: MemoryOutbox, *payloads: bytes) -> None:
    """Let a recorder take these batches."""
    recorder = Recorder(open_database(url), mosquitto.settings(), key=Ed25519PrivateKey.generate(),
                        clock=SystemClock(), rng=Random(7))
    while not recorder._link.up:
        recorder.turn()
    recorder.turn()
    probe = mosquitto.probe()
    for payload in payloads:
        probe.publish(EVENTS, payload)
    while recorder.counts["batches"] < len(payloads):
        recorder.turn()
    recorder._link.close()


def check(url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    code = main(["central", "recorder", "--check", "--db", url, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_recorder_records_acknowledges_and_ends_in_peace(mosquitto: Mosquitto, url: str, tmp_path: Path) -> None:
    make_private_key(tmp_path / "recorder.pem")
    public = load_private_key(tmp_path / "recorder.pem").public_key()
    keyring = Keyring([Key(kid_of(public), public, "kcn", "recorder")])
    outbox, probe = MemoryOutbox(), mosquitto.probe(wire.down(SITE, GATE, "ack"))
    outbox.append(10)
    with process("central", "recorder", "--broker", "127.0.0.1", "--port", str(mosquitto.port), "--db", url,
                 "--key", str(tmp_path / "recorder.pem"), "--site", SITE) as child:
        assert child.stderr is not None
        assert any("connected" in line for line in child.stderr)
        probe.publish(wire.up(SITE, GATE, "state"), wire.message(
            "state", wire.source(SITE, GATE), "1", SHIFT_START, wire.State(
                mode="normal", portal="closed", outbox=0, epoch="e1", written_seq=10, clock_trusted=True)), retain=True)
        probe.wait(lambda messages: messages)  # the recorder's greeting: it listens
        probe.publish(EVENTS, outbox.batch(1, 10))
        acks = probe.wait(lambda messages: len(messages) >= 2 and messages)
        assert [read_ack(m.payload, keyring).up_to_seq for m in acks] == [0, 10]
        child.send_signal(signal.SIGTERM)
        assert child.wait(TIMEOUT_S) == 0


def test_check_of_a_whole_record_says_yes(
    mosquitto: Mosquitto, url: str, capsys: pytest.CaptureFixture[str],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(20)
    record(url, mosquitto, outbox, outbox.batch(1, 20))
    code, said = check(url, capsys)
    assert (code, said["schema"], said["whole"]) == (0, "gate.recorder.check/1", True)
    assert main(["central", "recorder", "--check", "--db", url]) == 0
    assert "ĐẦY ĐỦ / WHOLE" in capsys.readouterr().out


def test_check_tells_a_gap_from_a_loss_that_the_gate_owns_up_to(
    mosquitto: Mosquitto, url: str, capsys: pytest.CaptureFixture[str],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(20)
    outbox.append(1, EventKind.EVENTS_LOST, from_seq=6, to_seq=10, count=5)
    record(url, mosquitto, outbox, outbox.batch(1, 5), outbox.batch(11, 21))
    assert check(url, capsys)[0] == 0
    outbox.append(20)
    record(url, mosquitto, outbox, outbox.batch(31, 41))
    assert check(url, capsys)[0] == 1
    main(["central", "recorder", "--check", "--db", url])
    out = capsys.readouterr().out
    assert "#6..#10 (5): cổng đã báo mất / the gate says so: EventsLost" in out
    assert "#22..#30 (9): chưa rõ / unexplained" in out


@pytest.mark.parametrize("changes", [{"body": b"{}"}, {"hash": bytes(32)}, {"seq": 99}], ids=["body", "hash", "seq"])
def test_check_finds_a_row_that_somebody_changed(
    mosquitto: Mosquitto, url: str, capsys: pytest.CaptureFixture[str], changes: dict[str, object],
) -> None:
    outbox = MemoryOutbox()
    outbox.append(20)
    record(url, mosquitto, outbox, outbox.batch(1, 20))
    with writing(open_database(url)) as session:
        session.execute(update(table.Event).where(table.Event.seq == 7).values(**changes))
    assert check(url, capsys)[0] == 1


def test_recorder_without_a_key_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "recorder", "--broker", "127.0.0.1"]) == 2
    assert "--key is needed" in capsys.readouterr().err
