"""Who may pass, and that every failure on the way is a recorded no."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import support_health
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import admission
from gate.admission import STEPS, Case, admit
from gate.clock import SHIFT_START
from gate.decoder import gp1
from gate.errors import MalformedError
from gate.model import Claims, Direction, Now, Proof, Reason, RosterEntry, Scan
from gate.policy import rules as admission_rules
from gate.policy.attempts import Attempts
from gate.trust import Key, Keyring, Revocations, key_id
from gate.view import DocumentSet, View

NOW = Now(SHIFT_START, 1000.0)
CARD = b"001090123456|123456789|NGUYEN VAN A|01011990|Nam|Ha Noi|15102021"
SIGNER = Ed25519PrivateKey.generate()
KID = b"issuer-1"


class OnePerson:
    """A roster that lists one holder under one card number."""

    def __init__(self, entry: RosterEntry) -> None:
        self.entry = entry

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return self.entry if "cccd:001090123456" in identifiers else None

    def holder(self, holder: str) -> RosterEntry | None:
        return self.entry if holder == self.entry.holder else None


AN = RosterEntry("an", frozenset({"xuong-a"}))
DOCUMENTS = DocumentSet(
    keyring=Keyring([Key(KID, SIGNER.public_key(), "khu-a", "pass")]), roster=OnePerson(AN), versions={"roster": 1},
    published_at=SHIFT_START,
)
VIEW = View(area="xuong-a", zone=ZoneInfo("Asia/Ho_Chi_Minh"), documents=DOCUMENTS)


def scan(payload: bytes = CARD, direction: Direction = Direction.ENTRY, reader: str = "in") -> Scan:
    return Scan(reader, direction, payload, NOW.mono)


def signed(**changes: object) -> bytes:
    claims = Claims("khu-a", "an", key_id(KID), "00" * 8, None, SHIFT_START + timedelta(days=30))
    return gp1.issue_pass(replace(claims, **changes), SIGNER).encode()


def test_a_listed_card_is_granted_as_listed() -> None:
    decision = admit(scan(), VIEW, NOW)
    assert (decision.granted, decision.reason, decision.proof, decision.holder) == (
        True, Reason.GRANTED, Proof.LISTED, "an")


def test_a_signed_pass_is_granted_as_signed() -> None:
    decision = admit(scan(signed()), VIEW, NOW)
    assert (decision.granted, decision.proof, decision.holder) == (True, Proof.SIGNED, "an")


def test_a_pass_changed_in_one_character_is_denied() -> None:
    for place in (60, -10):  # in what is signed, and in the signature
        payload = bytearray(signed())
        payload[place] = ord("A") if payload[place] != ord("A") else ord("B")
        assert not admit(scan(bytes(payload)), VIEW, NOW).granted


def test_a_gate_without_documents_denies_everybody_and_lets_everybody_out() -> None:
    empty = replace(VIEW, documents=DocumentSet())
    assert admit(scan(), empty, NOW).reason is Reason.UNKNOWN_CREDENTIAL
    assert admit(scan(signed()), empty, NOW).reason is Reason.UNKNOWN_KEY
    assert admit(scan(direction=Direction.EXIT), empty, NOW).granted
    assert admit(scan(signed(), Direction.EXIT), empty, NOW).granted


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.__name__ for step in STEPS])
@pytest.mark.parametrize("error", [RuntimeError("bug"), RecursionError(), MemoryError(), AssertionError()])
def test_an_exception_in_any_step_denies_with_internal_error(number: int, error: Exception) -> None:
    def broken(case: Case) -> Case:
        raise error

    decision = admit(scan(), VIEW, NOW, steps=(*STEPS[:number], broken, *STEPS[number + 1:]))
    assert (decision.granted, decision.reason) == (False, Reason.INTERNAL_ERROR)
    assert decision.steps[-1].number == number + 1


def test_an_exception_inside_a_rule_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    decision = admit(scan(), replace(VIEW, documents=replace(DOCUMENTS, revocations=Broken())), NOW)
    assert decision.reason is Reason.INTERNAL_ERROR


def test_a_failing_roster_denies_entry_and_keeps_nobody_inside() -> None:
    class FailingRoster:
        def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
            raise OSError("disk I/O error")

        holder = find

    failing = replace(VIEW, documents=replace(DOCUMENTS, roster=FailingRoster()))
    assert admit(scan(), failing, NOW).reason is Reason.INTERNAL_ERROR
    assert admit(scan(direction=Direction.EXIT), failing, NOW).granted


def test_no_steps_at_all_deny() -> None:
    assert admit(scan(), VIEW, NOW, steps=()).reason is Reason.INTERNAL_ERROR


def test_no_rules_at_all_deny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "judge", lambda context: admission_rules.judge(context, rules=()))
    assert admit(scan(), VIEW, NOW).reason is Reason.INTERNAL_ERROR


def test_a_revoked_key_opens_nothing_even_for_a_listed_holder() -> None:
    revoked = replace(VIEW, documents=replace(DOCUMENTS, revocations=Revocations(keys=frozenset({key_id(KID)}))))
    assert admit(scan(signed()), revoked, NOW).reason is Reason.REVOKED


def test_a_pass_is_good_until_its_end_and_not_at_it() -> None:
    end = SHIFT_START + timedelta(seconds=10)
    payload = signed(valid_until_at=end)
    assert admit(scan(payload), VIEW, replace(NOW, utc=end - timedelta(seconds=1))).granted
    assert admit(scan(payload), VIEW, replace(NOW, utc=end)).reason is Reason.EXPIRED


def test_the_trace_names_each_step_in_order_and_no_person() -> None:
    decision = admit(scan(), VIEW, NOW)
    assert [step.name for step in decision.steps] == [step.__name__ for step in STEPS]
    assert "NGUYEN" not in repr(decision)
    assert "001090123456" not in repr(decision)


def test_guesses_at_a_keypad_lock_it_and_no_other_reader() -> None:
    view = replace(VIEW, attempts=Attempts(frozenset({"keys"}), attempts_max=3))
    for expected in (Reason.MALFORMED, Reason.MALFORMED, Reason.MAX_ATTEMPTS, Reason.LOCKOUT):
        decision = admit(scan(b"12345678", reader="keys"), view, NOW)
        assert decision.reason is expected
        view = replace(view, attempts=view.attempts.after(decision, NOW.mono))
    assert admit(scan(), view, NOW).granted
    assert admit(scan(reader="keys"), view, replace(NOW, mono=NOW.mono + 31)).granted


def test_one_good_code_does_not_wipe_out_a_series_of_guesses() -> None:
    view = replace(VIEW, attempts=Attempts(frozenset({"keys"}), attempts_max=3))
    reasons = []
    for payload in (b"12345678", b"12345678", CARD, b"12345678", b"12345678"):
        decision = admit(scan(payload, reader="keys"), view, NOW)
        reasons.append(decision.reason)
        view = replace(view, attempts=view.attempts.after(decision, NOW.mono))
    assert reasons == [Reason.MALFORMED, Reason.MALFORMED, Reason.GRANTED, Reason.MALFORMED, Reason.MAX_ATTEMPTS]


def test_a_locked_reader_says_nothing_about_a_good_code() -> None:
    view = replace(VIEW, attempts=Attempts(frozenset({"keys"}), attempts_max=1))
    wrong = admit(scan(b"12345678", reader="keys"), view, NOW)
    view = replace(view, attempts=view.attempts.after(wrong, NOW.mono))
    good, bad = (admit(scan(payload, reader="keys"), view, NOW) for payload in (CARD, b"12345678"))
    assert replace(good, steps=()) == replace(bad, steps=())


def test_a_code_error_keeps_its_meaning() -> None:
    def malformed(case: Case) -> Case:
        raise MalformedError("no")

    assert admit(scan(), VIEW, NOW, steps=(STEPS[0], malformed)).reason is Reason.MALFORMED




@pytest.mark.parametrize("signed_must_be_listed", [True, False])
def test_a_health_certificate_alone_lets_nobody_in_at_any_kind_of_site(signed_must_be_listed: bool) -> None:
    """Its signature vouches for doses and tests, not for a right to enter."""
    believing = replace(DOCUMENTS, keyring=Keyring([replace(support_health.KEY, issuer="bo-y-te", purpose="health")]))
    view = replace(VIEW, documents=believing, signed_must_be_listed=signed_must_be_listed)
    for code in (support_health.hc1(), support_health.shc(support_health.card()), support_health.nzcp()):
        decision = admit(scan(code), view, NOW)
        assert (decision.granted, decision.reason, decision.holder) == (False, Reason.UNKNOWN_CREDENTIAL, "")
        assert admit(scan(code, Direction.EXIT), view, NOW).granted


def test_a_health_key_signs_no_gate_pass() -> None:
    believing = replace(DOCUMENTS, keyring=Keyring([Key(KID, SIGNER.public_key(), "khu-a", "health")]))
    assert admit(scan(signed()), replace(VIEW, documents=believing), NOW).reason is Reason.UNKNOWN_KEY


class CardHolder(OnePerson):
    """A roster that lists one card with its PIN."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return self.entry if "card:26-233-30328#1234" in identifiers else None


def test_a_card_with_its_pin_opens_at_a_reader_of_cards_only() -> None:
    view = replace(VIEW, documents=replace(DOCUMENTS, roster=CardHolder(AN)))
    shown = b"26-233-30328#1234"
    assert admit(replace(scan(shown), card=True), view, NOW).granted
    assert admit(scan(shown), view, NOW).reason is Reason.UNKNOWN_FORMAT, "a QR that spells it"
    for other in (b"26-233-30328", b"26-233-30328#1235", b"26-233-30329#1234"):
        assert admit(replace(scan(other), card=True), view, NOW).reason is Reason.UNKNOWN_CREDENTIAL


def test_a_code_at_a_reader_of_cards_is_no_card() -> None:
    assert admit(replace(scan(signed()), card=True), VIEW, NOW).reason is Reason.MALFORMED
