"""`gate command` at a real daemon over a real broker: it does what it is told once, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support_gate import PATIENCE_S, Centre, Gate, amend
from support_mosquitto import Probe, needs_mosquitto

from gate import wire
from gate.command_desk import sign_command
from gate.demo.parts import wait_for
from gate.demo.site import AN, ENTRY_PIN, GATE, OPERATOR, SITE, DemoSite
from gate.model import EventKind
from gate.private_key import load_private_key
from gate.trust import kid_of

pytestmark = [needs_mosquitto, pytest.mark.slow]

DONE, NOT_DONE, USAGE, CANNOT = 0, 1, 2, 3
REPLY = wire.up(SITE, GATE, "reply", "tester")


@pytest.fixture(scope="module")
def gate(new_site: Callable[[], DemoSite]) -> Iterator[Gate]:
    site = new_site()
    amend(site, portal={"pulse_s": 0.05}, presence={"anti_passback": "hard"})
    centre, gate = Centre(site), Gate(site)
    try:
        centre.parts.start_broker()
        yield gate.start()
    finally:
        gate.close()
        centre.close()


def command(site: DemoSite, verb: str, *options: str, reason: str = "thử", gates: tuple[str, ...] = (GATE,),
            ) -> tuple[int, list[dict[str, object]], str]:
    """Exit code, answers and complaints of `gate command`."""
    done = subprocess.run(
        [sys.executable, "-m", "gate", "command", verb, "--site", SITE, "--actor", OPERATOR, "--json",
         "--reason", reason,
         "--key", str(site.folder / "operator.pem"), *(f"--gate={gate}" for gate in gates),
         "--broker", "127.0.0.1", "--port", str(site.broker_port), "--username", "operator",
         "--password-file", str(site.folder / "operator.password"), *options],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def say(gate: Gate, *tails: str) -> Probe:
    """An operator at the broker who hears these topics and may command."""
    return Probe(gate.site.broker_port, (REPLY, *(wire.up(SITE, GATE, tail) for tail in tails)), "operator",
                 gate.site.password("operator"))


def nonce_of(probe: Probe) -> str:
    """The newest nonce that the gate published."""
    probe.wait(lambda messages: any(m.topic.endswith("/state") for m in messages))
    state = next(m for m in reversed(probe.messages) if m.topic.endswith("/state"))
    return wire.read_message(state.payload, "state", wire.State).nonce


def signed(gate: Gate, verb: str, nonce: str, counter: int, key: Ed25519PrivateKey | None = None) -> bytes:
    own = load_private_key(gate.site.folder / "operator.pem")
    asked = wire.Command(site=SITE, gate=GATE, verb=verb, actor=OPERATOR, reason="thử", nonce=nonce, counter=counter)
    return sign_command(asked, key or own, kid_of(own.public_key()), client="tester", id=f"t{counter}",
                        time=datetime.now(UTC))


def test_open_moves_the_pin_once_and_the_record_names_actor_and_reason(gate: Gate) -> None:
    pulses, seq = len(gate.pulses(ENTRY_PIN)), gate.last_seq()
    code, answers, _ = command(gate.site, "open", reason="khách của giám đốc")
    assert (code, answers) == (DONE, [{"schema": "gate.command/1", "gate": GATE, "verb": "open", "answered": True,
                                       "done": True, "refusal": "", "detail": ""}])
    gate.wait_pulses(ENTRY_PIN, pulses + 1)
    for kind in (EventKind.ACCESS_GRANTED, EventKind.COMMAND):
        event = gate.wait_event(kind, after_seq=seq)
        assert (event.data["actor"], event.data["cause"]) == (OPERATOR, "khách của giám đốc")


def test_lockdown_evacuation_and_timed_opening_end_with_normal(gate: Gate) -> None:
    assert command(gate.site, "lockdown")[0] == DONE
    code, answers, _ = command(gate.site, "open")
    assert (code, answers[0]["refusal"]) == (NOT_DONE, "lockdown")
    seq = gate.last_seq()
    gate.scan("scanner-in", "binh-cccd")
    assert gate.wait_event("AccessGranted", "AccessDenied", after_seq=seq).data["reason"] == "LOCKDOWN"
    assert command(gate.site, "evacuate")[0] == DONE
    assert not gate.locked()
    assert command(gate.site, "normal")[0] == DONE
    wait_for("the lock", gate.locked)
    assert command(gate.site, "open-for", "--minutes", "0.02")[0] == DONE
    assert not gate.locked() or gate.events("ModeChanged")[-1].data["cause"] == "time-over"
    wait_for("the end of the minutes", gate.locked)


def test_override_names_the_holder_and_a_reset_lets_them_in_again(gate: Gate) -> None:
    seq = gate.last_seq()
    gate.scan("scanner-in", "an-pass")
    holder = gate.wait_event("AccessTaken", after_seq=seq).data["holder"]
    for reset in (False, True):
        seq = gate.last_seq()
        if reset:
            _, answers, _ = command(gate.site, "reset-passback", "--holder", holder)
            assert answers[0]["detail"] == "holders: 1"
        gate.show("an-qr") if reset else gate.scan("scanner-in", "an-qr")
        reason = gate.wait_event("AccessGranted", "AccessDenied", after_seq=seq).data["reason"]
        assert reason == ("GRANTED" if reset else "PASSBACK")
    gate.wait_event("AccessTaken", after_seq=seq)
    seq = gate.last_seq()
    assert command(gate.site, "override", "--holder", holder)[0] == DONE
    assert gate.wait_event("AccessTaken", after_seq=seq).data["holder"] == holder


def test_identify_is_done_and_documents_by_hand_are_not_fetched(gate: Gate) -> None:
    assert command(gate.site, "identify")[0] == DONE
    code, answers, _ = command(gate.site, "documents", "--wait", "30")
    assert (code, answers[0]["refusal"]) == (NOT_DONE, "by-hand")


def test_what_is_forged_repeated_or_retained_moves_nothing_and_alarms(gate: Gate) -> None:
    probe = say(gate, "state", "alert/command-refused")
    nonce, counter = nonce_of(probe), 2**52
    topic, pulses = wire.down(SITE, GATE, "command", "open"), len(gate.pulses(ENTRY_PIN))
    probe.publish(topic, signed(gate, "open", nonce, counter))
    gate.wait_pulses(ENTRY_PIN, pulses + 1)
    probe.publish(topic, signed(gate, "open", nonce, counter))
    probe.publish(topic, signed(gate, "open", nonce, counter + 1, Ed25519PrivateKey.generate()))
    probe.publish(topic, signed(gate, "open", "0" * 32, counter + 2))
    probe.publish(topic, b"open sesame")

    def refusals(messages: list[object]) -> list[str]:
        replies = [wire.read_message(m.payload, "reply", wire.Reply) for m in messages  # type: ignore[attr-defined]
                   if m.topic == REPLY]  # type: ignore[attr-defined]
        return [reply.refusal for reply in replies]

    probe.wait(lambda messages: refusals(messages)[-3:] == ["repeated", "unsigned", "late"])
    probe.wait(lambda messages: any(m.topic.endswith("command-refused") and m.payload for m in messages))
    # A command that waits at the broker finds a gate with other nonces, also after a kill.
    probe.publish(topic, signed(gate, "open", nonce, counter + 3), retain=True)
    wait_for("the retained command", lambda: len(gate.pulses(ENTRY_PIN)) == pulses + 2)
    gate.kill()
    gate.start()
    probe.wait(lambda messages: refusals(messages)[-1] == "retained")
    probe.publish(topic, b"", retain=True)
    assert len(gate.pulses(ENTRY_PIN)) == pulses + 2


def test_a_lower_counter_is_mended_and_a_restart_comes_back(gate: Gate) -> None:
    code, answers, errors = command(gate.site, "identify")  # the counter before was far ahead of any clock
    assert (code, answers[0]["done"]) == (DONE, True), errors
    assert command(gate.site, "restart", "--wait", "30")[0] == DONE
    wait_for("its end", lambda: not gate.alive())
    gate.start()
    assert gate.events("GateStopped")


def test_a_gate_that_is_not_there_is_said_to_be_silent_and_a_wrong_call_is_explained(gate: Gate) -> None:
    code, answers, _ = command(gate.site, "identify", "--wait", "2", gates=("gate-9",))
    assert (code, answers[0]["answered"]) == (NOT_DONE, False)
    for options, word in ((("open", "--minutes", "5"), "open-for"), (("override",), "--holder"),
                          (("open-for",), "--minutes")):
        code, _, errors = command(gate.site, *options)
        assert code == USAGE
        assert word in errors
    assert AN not in str(answers)


def test_an_operators_key_has_a_role_and_no_other_key_has_one(tmp_path: Path) -> None:
    issue = [sys.executable, "-m", "gate", "central", "issue", "key", "--issuer", "an",
             "--out", str(tmp_path / "an.pem")]
    for options in (["--purpose", "operator"], ["--role", "guard"]):
        done = subprocess.run([*issue, *options], capture_output=True, text=True, check=False)
        assert (done.returncode, "--role" in done.stderr) == (USAGE, True)
    assert not list(tmp_path.iterdir())
