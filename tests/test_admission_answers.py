"""Admission's whole answer, to the last field: what events, screens and `gate decide --explain` are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.admission import admit, examine
from gate.clock import SHIFT_START
from gate.decoder import gp1
from gate.model import Claims, Decision, Direction, Mode, Now, Proof, Reason, RosterEntry, Scan, Step
from gate.pack_files import read_pack
from gate.policy.attempts import Attempts, Tally
from gate.policy.health.pack import HealthPolicy, pack_from_json
from gate.portal.actions import decision_data
from gate.trust import Key, Keyring, Revocations, key_id
from gate.view import DocumentSet, View

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
NOW = Now(SHIFT_START, 1000.0)
KID = b"issuer-1"
SIGNER = Ed25519PrivateKey.generate()
LISTED = "001090123456||NGUYEN VAN A|01011990|Nam|Ha Noi|15102021"
UNLISTED = "001090654321||NGUYEN VAN B|01011990|Nam|Ha Noi|15102021"
AREA = frozenset({"xuong-a"})
STRANGER = Claims("khu-a", "khach", key_id(KID), "00" * 8, None, SHIFT_START + timedelta(days=30), AREA)
PASSED = tuple(Step(number, name, "passed") for number, name in enumerate(
    ("lockout", "parse", "check_signature", "look_up", "pair_up", "weigh_proof", "apply_rules"), 1))


class OnePerson:
    """A roster that lists one card."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return self.holder("an") if "cccd:001090123456" in identifiers else None

    def holder(self, holder: str) -> RosterEntry | None:
        return RosterEntry("an", AREA) if holder == "an" else None


VIEW = View("xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), DocumentSet(
    keyring=Keyring([Key(KID, SIGNER.public_key(), "khu-a", "pass")]), roster=OnePerson()))
CHECKPOINT = replace(VIEW, signed_must_be_listed=False)


def ask(code: str, view: View = VIEW, direction: Direction = ENTRY, reader: str = "in") -> Decision:
    return admit(Scan(reader, direction, code.encode(), NOW.mono), view, NOW)


def test_a_grant_says_who_how_proved_and_every_step() -> None:
    assert ask(LISTED) == Decision(True, Reason.GRANTED, ENTRY, "in", "cccd", Proof.LISTED, "an", steps=PASSED)


def test_an_examination_keeps_what_the_steps_found() -> None:
    found = examine(Scan("in", ENTRY, UNLISTED.encode(), NOW.mono), VIEW, NOW)
    assert (found.token and found.token.format, found.entry, found.credential) == ("cccd", None, None)
    found = examine(Scan("in", ENTRY, LISTED.encode(), NOW.mono), VIEW, NOW)
    assert found.credential is not None
    assert found.credential.holder == "an"


def test_a_grant_on_a_signature_alone_names_the_passs_own_subject() -> None:
    assert ask(gp1.issue_pass(STRANGER, SIGNER), CHECKPOINT) == Decision(
        True, Reason.GRANTED, ENTRY, "in", "gp1", Proof.SIGNED, "khach", steps=PASSED)


def test_a_withdrawn_holder_is_refused_also_where_nobody_has_to_be_listed() -> None:
    documents = replace(CHECKPOINT.documents, revocations=Revocations(holders=frozenset({"khach"})))
    assert ask(gp1.issue_pass(STRANGER, SIGNER), replace(CHECKPOINT, documents=documents)).reason is Reason.REVOKED


def test_who_is_unknown_leaves_unnamed_and_only_claimed() -> None:
    assert ask(UNLISTED, direction=EXIT) == Decision(
        True, Reason.GRANTED, EXIT, "in", "cccd", Proof.CLAIMED, steps=PASSED)


def test_what_failed_to_name_somebody_who_leaves_is_in_the_trace() -> None:
    forged = gp1.issue_pass(STRANGER, Ed25519PrivateKey.generate())
    steps = (*PASSED[:2], Step(3, "check_signature", "BAD_SIGNATURE: ForgedError"), *PASSED[3:])
    assert ask(forged, direction=EXIT) == Decision(
        True, Reason.GRANTED, EXIT, "in", "gp1", Proof.CLAIMED, steps=steps)


def test_a_refusal_names_the_rule_that_spoke() -> None:
    assert ask(LISTED, replace(VIEW, mode=Mode.LOCKDOWN)) == Decision(
        False, Reason.LOCKDOWN, ENTRY, "in", "cccd", Proof.LISTED, "an", rule="lockdown",
        steps=(*PASSED[:6], Step(7, "apply_rules", "LOCKDOWN: Denied")))


def test_a_stranger_is_refused_with_nothing_said_of_them() -> None:
    assert ask(UNLISTED) == Decision(
        False, Reason.UNKNOWN_CREDENTIAL, ENTRY, "in", "cccd",
        steps=(*PASSED[:5], Step(6, "weigh_proof", "UNKNOWN_CREDENTIAL: Denied")))


def test_a_wrong_code_says_of_which_kind_it_is() -> None:
    assert ask("https://example.com/menu") == Decision(
        False, Reason.WRONG_CODE, ENTRY, "in", hint="url",
        steps=(PASSED[0], Step(2, "parse", "WRONG_CODE: WrongCodeError")))


def test_a_locked_reader_says_that_and_no_more() -> None:
    locked = replace(VIEW, attempts=Attempts(frozenset({"keys"}), tallies={"keys": Tally(0, 1, NOW.mono + 1)}))
    assert ask(LISTED, locked, reader="keys") == Decision(
        False, Reason.LOCKOUT, ENTRY, "keys", rule="attempts", steps=(Step(1, "lockout", "LOCKOUT: Denied"),))


def test_the_guess_that_locks_the_reader_hears_of_the_lock() -> None:
    last = replace(VIEW, attempts=Attempts(frozenset({"keys"}), attempts_max=1))
    assert ask("hello", last, reader="keys") == Decision(
        False, Reason.MAX_ATTEMPTS, ENTRY, "keys", rule="attempts",
        steps=(PASSED[0], Step(2, "parse", "UNKNOWN_FORMAT: UnknownFormatError")))


def test_an_admission_without_steps_says_what_is_missing() -> None:
    scan = Scan("in", ENTRY, LISTED.encode(), NOW.mono)
    assert admit(scan, VIEW, NOW, steps=()) == Decision(False, Reason.INTERNAL_ERROR, ENTRY, "in", rule="no-steps")


PACKS = {"declared-today": pack_from_json(read_pack("declared-today"))}


class Isolated(OnePerson):
    """The same person, ordered to stay at home."""

    def holder(self, holder: str) -> RosterEntry | None:
        return RosterEntry("an", AREA, facts={"health": {"isolation": {"from": "2026-11-20"}}})


ISOLATED = replace(
    VIEW, documents=replace(VIEW.documents, roster=Isolated(), packs=PACKS), health=HealthPolicy(("declared-today",)))


def test_a_health_rule_refuses_by_its_id_calls_the_operators_and_tells_no_fact() -> None:
    refused = Step(7, "apply_rules", "HEALTH_RULE: Denied")
    decision = ask(LISTED, ISOLATED)
    assert decision == Decision(False, Reason.HEALTH_RULE, ENTRY, "in", "cccd", Proof.LISTED, "an",
                                rule="declared-today.1", alerts=True, steps=(*PASSED[:6], refused))
    assert not {"isolation", "2026-11-20"} & set(str(decision_data(decision)).replace("'", " ").split())


def test_whoever_is_isolated_gets_out_and_nobody_is_called() -> None:
    assert ask(LISTED, ISOLATED, EXIT) == Decision(
        True, Reason.GRANTED, EXIT, "in", "cccd", Proof.LISTED, "an", steps=PASSED)


def test_a_gate_that_observes_grants_names_the_rules_and_calls_nobody() -> None:
    watching = replace(ISOLATED, health=HealthPolicy(("declared-today",), observe_all=True))
    assert ask(LISTED, watching) == Decision(
        True, Reason.GRANTED, ENTRY, "in", "cccd", Proof.LISTED, "an",
        observed=("declared-today.1", "declared-today.2"), steps=PASSED)
