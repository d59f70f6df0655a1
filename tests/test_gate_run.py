"""One whole gate as it runs at a site: every reader, the pins, the broker, the recorder, and what befalls them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support_gate import (
    PATIENCE_S,
    Centre,
    Gate,
    amend,
    assert_every_pulse_has_its_record,
    assert_kept_once_and_in_order,
    readers_of,
)
from support_mosquitto import Mosquitto, Probe, free_port, needs_mosquitto
from support_tls import Authority

from gate import wire
from gate.demo.parts import wait_for
from gate.demo.site import AN, ENTRY_PIN, EXIT_PIN, GATE, SITE, DemoSite
from gate.errors import GateError
from gate.model import EventKind

pytestmark = needs_mosquitto

DECIDED = (EventKind.ACCESS_GRANTED, EventKind.ACCESS_DENIED)
CANNOT, USAGE = 3, 2


def operator(site: DemoSite, *tails: str) -> Probe:
    """Somebody at the site's broker who may read everything."""
    return Probe(site.broker_port, tuple(wire.up(SITE, GATE, tail) for tail in tails), "operator",
                 site.password("operator"))


def status_is(status: str) -> Callable[[list[object]], bool]:
    """Whether the last status that came is this one."""
    return lambda messages: bool(messages) and wire.read_message(
        messages[-1].payload, "status", wire.Status).status == status  # type: ignore[attr-defined]


def run_to_its_end(site: DemoSite) -> subprocess.CompletedProcess[str]:
    """A daemon that is expected to give up by itself."""
    return subprocess.run([sys.executable, "-m", "gate", "run", "--config", str(site.config)], timeout=PATIENCE_S,
                          capture_output=True, text=True, check=False)


# --- one gate with every reader ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lane(new_site: Callable[[], DemoSite]) -> Iterator[tuple[Gate, Centre]]:
    """A gate with camera, two scanners and keypad, and its centre; shared by the tests that leave it as it is."""
    site = new_site()
    amend(site, portal={"pulse_s": 0.05})
    centre, gate = Centre(site), Gate(site)
    try:
        centre.start()
        yield gate.start(), centre
    finally:
        gate.close()
        centre.close()


@pytest.mark.parametrize(("reader", "code", "kind", "answer", "pin"), [
    ("camera-in", "an-pass", "AccessGranted", "signed", ENTRY_PIN),
    ("camera-in", "an-qr", "AccessGranted", "listed", ENTRY_PIN),
    ("camera-in", "thanh-toan", "AccessDenied", "WRONG_CODE", None),
    ("camera-in", "gia-pass", "AccessDenied", "BAD_SIGNATURE", None),
    ("scanner-in", "binh-cccd", "AccessGranted", "listed", ENTRY_PIN),
    ("scanner-in", "gia-pass", "AccessDenied", "BAD_SIGNATURE", None),
    ("scanner-in", "chi-cccd", "AccessDenied", "EXPIRED", None),
    ("scanner-in", "dung-cccd", "AccessDenied", "NO_ACCESS_RIGHTS", None),
    ("scanner-in", "la-cccd", "AccessDenied", "UNKNOWN_CREDENTIAL", None),
    ("scanner-out", "chi-cccd", "AccessGranted", "listed", EXIT_PIN),
    ("keypad-in", "binh-so", "AccessGranted", "listed", ENTRY_PIN),
    ("keypad-in", "12345678", "AccessDenied", "MALFORMED", None),
])
def test_code_is_answered_recorded_and_moves_only_its_own_relay(
    lane: tuple[Gate, Centre], reader: str, code: str, kind: str, answer: str, pin: int | None,
) -> None:
    gate, _ = lane
    seq, before = gate.last_seq(), {each: len(gate.pulses(each)) for each in (ENTRY_PIN, EXIT_PIN)}
    if reader == "camera-in":
        gate.show(code)
    else:
        gate.scan(reader, code)
    event = gate.wait_event(*DECIDED, after_seq=seq)
    assert (event.kind, event.data["reader"]) == (kind, reader)
    assert event.data["proof" if pin else "reason"] == answer
    if pin:
        gate.wait_pulses(pin, before[pin] + 1)
    assert {each: len(gate.pulses(each)) - before[each] for each in before} == {
        ENTRY_PIN: pin == ENTRY_PIN, EXIT_PIN: pin == EXIT_PIN}


def test_what_the_gate_is_stands_retained_at_the_broker(lane: tuple[Gate, Centre]) -> None:
    gate, _ = lane
    with closing(operator(gate.site, "status", "info", "state")) as probe:
        said = probe.wait(lambda messages: len({message.topic for message in messages}) == 3 and {
            message.topic.rpartition("/")[2]: message for message in reversed(messages)})  # the first of each
    assert all(message.retain for message in said.values())
    assert wire.read_message(said["status"].payload, "status", wire.Status).status == "online"
    info = wire.read_message(said["info"].payload, "info", wire.Info)
    assert info.readers == {"camera-in": "camera", "scanner-in": "serial", "keypad-in": "keypad",
                            "scanner-out": "serial"}
    assert info.documents["snapshot"] == 1
    state = wire.read_message(said["state"].payload, "state", wire.State)
    assert (state.mode, state.clock_trusted, state.epoch) == ("normal", True, gate.events()[0].epoch)


def test_live_copy_says_that_it_is_not_durable_and_names_nobody(lane: tuple[Gate, Centre]) -> None:
    gate, _ = lane
    seq = gate.last_seq()
    with closing(operator(gate.site, "live")) as probe:
        gate.scan("scanner-in", "an-qr")
        message = probe.wait(lambda messages: messages)[0]
    gate.wait_event(EventKind.ACCESS_GRANTED, after_seq=seq)
    live = wire.read_message(message.payload, "live", wire.Live)
    assert (live.kind, live.durable, live.event["format"]) == ("AccessGranted", False, "personal-qr")
    assert AN.encode() not in message.payload
    assert b"NGUYEN" not in message.payload


def test_whole_feed_is_at_the_recorder_once_in_order_and_names_nobody(lane: tuple[Gate, Centre]) -> None:
    gate, centre = lane
    centre.wait_all_of(gate)
    assert_kept_once_and_in_order(gate, centre)
    assert_every_pulse_has_its_record(gate.pulses(), gate.events())
    stored = b"".join(bytes(row.body) for row in gate.rows())
    for secret in (AN, "NGUYEN", "Nguyễn", gate.site.codes["binh-so"], gate.site.codes["an-pass"]):
        assert secret.encode() not in stored


# --- a gate of its own -------------------------------------------------------------------------------------


@pytest.fixture
def gate(site: DemoSite, gate_of: Callable[[DemoSite], Gate]) -> Gate:
    """A gate with two scanners, not yet started."""
    scanners = [reader | {"repeat_s": 0} for reader in readers_of(site, "serial")]
    amend(site, readers=scanners, portal={"pulse_s": 0.05}, mqtt={"backoff_max_s": 1})
    return gate_of(site)


def test_stopped_gate_is_locked_records_its_end_and_says_so(gate: Gate, centre: Centre) -> None:
    amend(gate.site, portal={"pulse_s": 4})
    gate.start()
    with closing(operator(gate.site, "status")) as probe:
        probe.wait(status_is("online"))
        gate.scan("scanner-in", "binh-cccd")
        gate.wait_pulses(ENTRY_PIN, 1)
        assert gate.stop() == 0
        probe.wait(status_is("stopped"))
    assert gate.locked()
    assert gate.events()[-1].kind == EventKind.GATE_STOPPED
    gate.start()
    centre.wait_event(EventKind.GATE_STOPPED)


def test_killed_gate_is_offline_at_once_and_online_when_it_is_back(gate: Gate, centre: Centre) -> None:
    gate.start()
    with closing(operator(gate.site, "status")) as probe:
        probe.wait(status_is("online"))
        gate.kill()
        probe.wait(status_is("offline"))
        gate.start()
        probe.wait(status_is("online"))


def revoke_an(site: DemoSite) -> None:
    """Publish documents that withdraw An's passes."""
    site.gate("central", "issue", "revoke", "--person", AN, "--reason", "test", "--db", site.database)
    site.publish()


def test_revocation_takes_effect_in_a_running_gate(gate: Gate) -> None:
    amend(gate.site, mqtt=None)
    gate.start()
    gate.scan("scanner-in", "an-pass")
    assert gate.wait_event(*DECIDED).kind == EventKind.ACCESS_GRANTED
    revoke_an(gate.site)
    gate.site.import_documents()
    applied = gate.wait_event(EventKind.DOCUMENTS_APPLIED)
    gate.scan("scanner-in", "an-pass")
    assert gate.wait_event(*DECIDED, after_seq=applied.seq).data["reason"] == "REVOKED"


def test_revocation_sent_over_the_broker_takes_effect_by_itself(gate: Gate, centre: Centre) -> None:
    site = gate.site
    amend(site, documents={"road": "mqtt"})
    gate.start()
    revoke_an(site)
    site.gate("central", "documents", "send", "--repo", site.folder / "repo", "--keys", site.folder / "keys",
              "--site", SITE, "--broker", "127.0.0.1", "--port", site.broker_port, "--username", "publisher",
              "--password-file", site.folder / "publisher.password")
    applied = gate.wait_event(EventKind.DOCUMENTS_APPLIED)
    gate.scan("scanner-in", "an-pass")
    assert gate.wait_event(*DECIDED, after_seq=applied.seq).data["reason"] == "REVOKED"


def test_tampered_documents_are_refused_with_an_alert_and_the_last_good_set_stays(gate: Gate, centre: Centre) -> None:
    gate.start()
    revoke_an(gate.site)
    targets = {path: path.read_bytes() for path in (gate.site.folder / "repo" / "targets").iterdir()}
    for path, content in targets.items():
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with closing(operator(gate.site, "alert/documents-refused")) as probe:
        with pytest.raises(GateError, match="exit 1"):
            gate.site.import_documents()
        refused = gate.wait_event(EventKind.DOCUMENTS_REFUSED)
        raised = probe.wait(lambda messages: messages)[0]
        assert wire.read_message(raised.payload, "alert", wire.AlertState).detail == refused.data["detail"]
        gate.scan("scanner-in", "an-pass")
        assert gate.wait_event(*DECIDED, after_seq=refused.seq).kind == EventKind.ACCESS_GRANTED
        for path, content in targets.items():
            path.write_bytes(content)
        gate.site.import_documents()
        gate.wait_event(EventKind.DOCUMENTS_APPLIED)
        probe.wait(lambda messages: messages[-1].payload == b"")


def test_scanner_pulled_out_and_put_back_reads_again(gate: Gate, centre: Centre) -> None:
    gate.start()
    scanner = gate.lines["scanner-in"]
    with closing(operator(gate.site, "status")) as probe:
        scanner.unplug()
        lost = gate.wait_event(EventKind.READER_LOST)
        assert lost.data["reader"] == "scanner-in"
        probe.wait(status_is("degraded"))
        gate.scan("scanner-out", "chi-cccd")
        gate.wait_pulses(EXIT_PIN, 1)
        scanner.plug()
        scanner.mark()
        gate.wait_event(EventKind.READER_BACK)
        scanner.wait_opened()
        probe.wait(status_is("online"))
    gate.scan("scanner-in", "binh-cccd")
    gate.wait_pulses(ENTRY_PIN, 1)


def test_broker_that_speaks_only_mqtt_3_1_1_serves_too(gate: Gate, centre: Centre) -> None:
    amend(gate.site, mqtt={"version": "3.1.1"})
    gate.start()
    gate.scan("scanner-in", "binh-cccd")
    assert centre.wait_event(EventKind.ACCESS_GRANTED).data["reader"] == "scanner-in"
    wait_for("the acknowledgement", lambda: gate.acked_seq() == gate.last_seq(), PATIENCE_S)


def test_site_without_recorder_may_take_the_brokers_word(gate: Gate, mosquitto: Mosquitto) -> None:
    amend(gate.site, mqtt=None)
    amend(gate.site, mqtt={"host": "127.0.0.1", "port": mosquitto.port, "ack": "broker"})
    gate.start()
    gate.scan("scanner-in", "binh-cccd")
    gate.wait_pulses(ENTRY_PIN, 1)
    wait_for("the broker's receipt", lambda: gate.acked_seq() == gate.last_seq() >= 2, PATIENCE_S)


def test_without_the_recorders_word_nothing_is_forgotten(gate: Gate, centre: Centre) -> None:
    centre.parts.stop("recorder")
    gate.start()
    with closing(operator(gate.site, "event")) as probe:
        gate.scan("scanner-in", "binh-cccd")
        probe.wait(lambda messages: any(b"AccessGranted" in message.payload for message in messages))
    assert gate.acked_seq() == 0
    centre.parts.start_recorder()
    wait_for("the acknowledgement", lambda: gate.acked_seq() == gate.last_seq(), PATIENCE_S)


def test_tls_with_a_client_certificate_carries_the_feed(gate: Gate, tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_port()
    broker_certificate, broker_key = authority.issue("broker")
    certificate, key = authority.issue(GATE)
    broker = Mosquitto(tmp_path / "broker", lines=(
        f"listener {port} 127.0.0.1\ncafile {authority.certificate}\ncertfile {broker_certificate}\n"
        f"keyfile {broker_key}\nrequire_certificate true\nuse_identity_as_username true")).start()
    amend(gate.site, mqtt=None)
    tls = {"ca": authority.certificate, "certificate": certificate, "key": key}
    amend(gate.site, mqtt={"host": "127.0.0.1", "port": port, "tls": tls})
    try:
        probe = broker.probe(wire.up(SITE, GATE, "event"))
        gate.start()
        probe.wait(lambda messages: any(b"GateStarted" in message.payload for message in messages))
    finally:
        broker.stop()


# --- a gate that cannot start ------------------------------------------------------------------------------


@pytest.mark.skipif(Path("/dev/gpiochip0").exists(), reason="this machine has real pins")
def test_pins_that_are_not_there_stop_the_start_and_nothing_else_is_tried(site: DemoSite) -> None:
    amend(site, pins={"factory": "lgpio", "trace": None})
    ended = run_to_its_end(site)
    assert ended.returncode == CANNOT
    assert "pins.factory lgpio" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (site.folder / "pins.trace").exists(), "mock pins stepped in"


def test_second_daemon_at_one_ledger_is_refused_and_the_first_goes_on(gate: Gate) -> None:
    amend(gate.site, mqtt=None)
    gate.start()
    ended = run_to_its_end(gate.site)
    assert ended.returncode == USAGE
    assert "writing this ledger" in ended.stderr
    gate.scan("scanner-in", "binh-cccd")
    gate.wait_pulses(ENTRY_PIN, 1)


def test_ctrl_c_is_as_good_as_sigterm(gate: Gate) -> None:
    amend(gate.site, mqtt=None)
    gate.start()
    assert gate.stop(signal.SIGINT) == 0
    assert gate.events()[-1].kind == EventKind.GATE_STOPPED
