"""Commands that were tampered with in every way that the wire allows; a genuine one is believed once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gate import wire
from gate.acks import sign_ack
from gate.command_desk import NONCE_LIFE_S, Desk, Heard, read_kept, sender, sign_command
from gate.model import Now
from gate.order import MAY, Refusal, RefusedCommandError, Role, Verb
from gate.trust import Key, Keyring, Revocations, key_id, keyring_from_json, keyring_to_json, kid_of
from gate.view import DocumentSet

AT = datetime(2026, 11, 23, 1, tzinfo=UTC)
NOW = Now(AT, 1000.0)
KEYS = {role: Ed25519PrivateKey.generate() for role in Role}
STRANGER, RECORDER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
RING = [Key(kid_of(key.public_key()), key.public_key(), f"an-{role.name.lower()}", "operator", role=role)
        for role, key in KEYS.items()]
RING.append(Key(kid_of(RECORDER.public_key()), RECORDER.public_key(), "an-operator", "recorder"))
DOCUMENTS = DocumentSet(keyring=Keyring(RING))
DESK = Desk("khu-a", "cong-1").issued("n1", 995.0)
NEEDS: dict[Verb, dict[str, Any]] = {Verb.OPEN_FOR: {"minutes": 5.0}, Verb.OVERRIDE: {"holder": "h1"}}


def heard(
    verb: str = "open", *, role: Role = Role.OPERATOR, key: Ed25519PrivateKey | None = None, kid: bytes | None = None,
    topic: str | None = None, retained: bool = False, **changes: Any,
) -> Heard:
    """A genuine command, or with changes one that is not."""
    key = key or KEYS[role]
    command = wire.Command(**{
        "site": "khu-a", "gate": "cong-1", "verb": verb, "actor": f"an-{role.name.lower()}", "reason": "xe cứu thương",
        "nonce": "n1", "counter": 7} | changes)
    payload = sign_command(command, key, kid or kid_of(KEYS[role].public_key()), client="c1", id="m1", time=AT)
    return Heard(payload, topic or verb, retained)


def refusal(message: Heard, desk: Desk = DESK, documents: DocumentSet = DOCUMENTS, now: Now = NOW) -> Refusal:
    with pytest.raises(RefusedCommandError) as caught:
        desk.judge(message, documents, now)
    return caught.value.refusal


def test_a_genuine_command_is_believed_once():
    desk, order = DESK.judge(heard("open-for", minutes=5.0), DOCUMENTS, NOW)
    assert (order.verb, order.actor, order.cause) == (Verb.OPEN_FOR, "an-operator", "xe cứu thương")
    assert order.open_s == 300.0
    assert (order.client, order.number) == ("c1", "m1")
    assert refusal(heard("open-for", minutes=5.0), desk) is Refusal.REPEATED
    assert desk.judge(heard(counter=8), DOCUMENTS, NOW)


def test_what_was_taken_before_a_kill_is_not_taken_after_it_even_under_the_same_nonce():
    _, order = DESK.judge(heard(), DOCUMENTS, NOW)
    restarted = Desk("khu-a", "cong-1", counters=read_kept(order.kept)).issued("n1", 999.0)
    assert refusal(heard(), restarted) is Refusal.REPEATED
    assert read_kept(None) == {}


@pytest.mark.parametrize(("message", "expected"), [
    (heard(retained=True), Refusal.RETAINED),
    (heard(key=STRANGER), Refusal.UNSIGNED),
    (heard(key=STRANGER, kid=kid_of(STRANGER.public_key())), Refusal.UNSIGNED),
    (heard(key=RECORDER, kid=kid_of(RECORDER.public_key())), Refusal.UNSIGNED),
    (heard(actor="an-administrator"), Refusal.UNSIGNED),
    (heard(gate="cong-2"), Refusal.ANOTHER_GATE),
    (heard(site="khu-b"), Refusal.ANOTHER_GATE),
    (heard(topic="evacuate"), Refusal.MALFORMED),
    (heard("fly"), Refusal.MALFORMED),
    (heard("open-for"), Refusal.MALFORMED),
    (heard("override"), Refusal.MALFORMED),
    (heard(minutes=5.0), Refusal.MALFORMED),
    (heard("open-for", minutes=wire.OPEN_MAX_MINUTES + 1.0), Refusal.MALFORMED),
    (heard(counter=0), Refusal.MALFORMED),
    (heard(counter=2**53), Refusal.MALFORMED),
    (heard("reset-passback", holder="h1", area="xuong-a"), Refusal.MALFORMED),
    (heard(reason=" \n"), Refusal.REASONLESS),
    (heard(reason="x" * (wire.REASON_MAX_CHARS + 1)), Refusal.MALFORMED),
    (heard(nonce="n0"), Refusal.LATE),
    (heard(nonce=""), Refusal.LATE),
    (Heard(sign_ack(wire.Ack("khu-a", "cong-1", "e", 1, 1, "00"), RECORDER, kid_of(RECORDER.public_key()), id="1",
                    time=AT), "open"), Refusal.UNSIGNED),
    (Heard(b"{}", "open"), Refusal.UNSIGNED),
    (Heard(b"x" * (wire.COMMAND_MAX_BYTES + 1), "open"), Refusal.MALFORMED),
], ids=str)
def test_anything_else_is_refused_by_name(message, expected):
    assert refusal(message) is expected


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("role", Role)
def test_each_verb_asks_for_its_role(verb, role):
    message = heard(verb.value, role=role, **NEEDS.get(verb, {}))
    if role >= MAY[verb]:
        assert DESK.judge(message, DOCUMENTS, NOW)[1].verb is verb
    else:
        assert refusal(message) is Refusal.ROLE


@pytest.mark.parametrize("clock", [timedelta(days=-20_000), timedelta(0), timedelta(days=4_000)], ids=str)
def test_lateness_is_told_by_the_gates_own_timer_whatever_the_clocks_say(clock):
    last, late = 995.0 + NONCE_LIFE_S - 0.001, 995.0 + NONCE_LIFE_S
    assert DESK.judge(heard(), DOCUMENTS, Now(AT + clock, last, trusted=False))
    assert refusal(heard(), now=Now(AT + clock, late, trusted=False)) is Refusal.LATE
    assert refusal(heard(), DESK.issued("n2", late), now=Now(AT + clock, late)) is Refusal.LATE


def test_a_key_that_is_withdrawn_or_whose_time_is_over_commands_nothing():
    key = RING[Role.OPERATOR]
    by_kid = DocumentSet(keyring=Keyring(RING), revocations=Revocations(keys=frozenset({key_id(key.kid)})))
    by_print = DocumentSet(keyring=Keyring(RING, withdrawn=frozenset({key.fingerprint})))
    over = DocumentSet(keyring=Keyring([Key(key.kid, key.public_key, key.issuer, "operator", role=key.role,
                                            valid_until_at=AT)]))
    assert {refusal(heard(), documents=documents) for documents in (by_kid, by_print, over)} == {Refusal.UNSIGNED}
    assert DESK.judge(heard(), over, Now(AT, NOW.mono, trusted=False))  # nobody vouches for that clock


def test_roles_travel_in_the_issuers_document_and_a_key_without_one_may_only_look():
    assert {key.issuer: key.role for key in keyring_from_json(keyring_to_json(Keyring(RING[:4]))).keys} == {
        f"an-{role.name.lower()}": role for role in Role}


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_command_changed_in_one_byte_of_what_is_signed_is_never_believed(place, flip):
    envelope = wire.read_message(heard().payload, "command", wire.SignedCommand)
    signed = bytearray(base64.b64decode(envelope.sign1))
    signed[place % len(signed)] ^= flip
    payload = wire.message("command", "s", "m1", AT, wire.SignedCommand("c1", base64.b64encode(signed).decode()))
    assert refusal(Heard(payload, "open")) is Refusal.UNSIGNED


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3), st.integers(0, 40)), max_size=40))
def test_whatever_the_order_and_the_delays_no_command_is_believed_twice_nor_late(deliveries):
    """Each step: a counter, under a nonce of those issued so far, after some seconds in which the gate issued on."""
    desk, mono, issued, taken = Desk("khu-a", "cong-1"), 0.0, {}, set()
    for counter, back, wait_s in deliveries:
        mono += wait_s
        if desk.wants_nonce(mono):
            desk = desk.issued(f"n{len(issued)}", mono)
            issued[f"n{len(issued)}"] = mono
        nonce = list(issued)[-1 - back % len(issued)]
        try:
            desk, _ = desk.judge(heard(counter=counter, nonce=nonce), DOCUMENTS, Now(AT, mono))
        except RefusedCommandError:
            continue
        assert counter > max(taken, default=0)
        assert mono < issued[nonce] + NONCE_LIFE_S
        taken.add(counter)
        desk = Desk("khu-a", "cong-1", desk.nonces, read_kept(desk.kept))


def test_counters_of_keys_that_nobody_holds_any_more_are_forgotten():
    desk = Desk("khu-a", "cong-1", DESK.nonces, {"gone": 9})
    assert list(msgspec.json.decode(desk.judge(heard(), DOCUMENTS, NOW)[1].kept)) == [key_id(RING[Role.OPERATOR].kid)]


def test_whoever_sends_is_known_only_by_an_id_in_form():
    genuine = heard().payload
    assert all(sender(genuine))
    for payload in (b"", b"{", genuine[:-1], b'{"data": {}}', sign_ack(
            wire.Ack("khu-a", "cong-1", "e", 1, 1, "00"), RECORDER, b"k", id="1", time=AT)):
        assert sender(payload) == ("", "")
