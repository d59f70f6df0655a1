"""A pass on a phone at the gate: fresh and once, its owner out at any rate, and never by a picture of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.admission import admit, answer
from gate.clock import SHIFT_START
from gate.cose_key import compressed
from gate.decoder import gp1, gp1_live
from gate.inspection import inspect
from gate.model import Claims, Direction, Now, Proof, Reason, RosterEntry, Scan
from gate.trust import Key, Keyring, Revocations, key_id
from gate.view import DocumentSet, View

KID = b"issuer-1"
ISSUER, PHONE = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
AREA = frozenset({"xuong-a"})
PASS = gp1.issue_pass(Claims(
    "khu-a", "an", key_id(KID), "00" * 8, None, SHIFT_START + timedelta(days=30), AREA,
    phone_point=compressed(PHONE.public_key())), ISSUER)


class OnePerson:
    """A roster that lists one holder."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return None

    def holder(self, holder: str) -> RosterEntry | None:
        return RosterEntry("an", AREA) if holder == "an" else None


DOCUMENTS = DocumentSet(keyring=Keyring([Key(KID, ISSUER.public_key(), "khu-a", "pass")]), roster=OnePerson())
VIEW = View("xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), DOCUMENTS)


def shown(second: float = 0) -> bytes:
    return gp1_live.show_pass(PASS, PHONE, SHIFT_START + timedelta(seconds=second)).encode()


def scan(payload: bytes, direction: Direction = Direction.ENTRY) -> Scan:
    return Scan("in", direction, payload, 1000.0)


def now(second: float = 0, trusted: bool = True) -> Now:
    return Now(SHIFT_START + timedelta(seconds=second), 1000.0 + second, trusted)


def test_a_live_code_lets_its_holder_in() -> None:
    decision = admit(scan(shown()), VIEW, now(2))
    assert (decision.granted, decision.format, decision.proof, decision.holder) == (
        True, "gp1-live", Proof.SIGNED, "an")


@pytest.mark.parametrize("later_s", [20, 3600])
def test_a_picture_older_than_the_window_is_denied(later_s: int) -> None:
    decision = admit(scan(shown()), VIEW, now(later_s))
    assert (decision.reason, decision.rule) == (Reason.NOT_LIVE, "live-code-old")


def test_a_phone_ahead_of_the_gate_by_more_than_the_skew_is_denied() -> None:
    assert admit(scan(shown(5)), VIEW, now(0)).granted
    assert admit(scan(shown(6)), VIEW, now(0)).rule == "live-code-early"


def test_two_people_with_one_screenshot_enter_once() -> None:
    first, after = answer(scan(shown()), VIEW, now(1))
    second, _ = answer(scan(shown()), after, now(3))
    assert (first.granted, second.granted, second.rule) == (True, False, "live-code-used")
    assert answer(scan(shown(5)), after, now(6))[0].granted


def test_a_code_that_was_denied_for_another_reason_is_not_used_up() -> None:
    elsewhere, after = answer(scan(shown()), replace(VIEW, area="kho"), now(1))
    assert elsewhere.reason is Reason.NO_ACCESS_RIGHTS
    assert answer(scan(shown()), replace(after, area="xuong-a"), now(2))[0].granted


def test_a_stolen_copy_of_the_pass_without_the_phone_is_denied() -> None:
    decision = admit(scan(PASS.encode()), VIEW, now())
    assert (decision.reason, decision.rule) == (Reason.NOT_LIVE, "live-code-unsigned")


def test_another_phones_signature_is_forged() -> None:
    copied = gp1_live.show_pass(PASS, ec.generate_private_key(ec.SECP256R1()), SHIFT_START).encode()
    assert admit(scan(copied), VIEW, now()).reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("payload", [shown(-3600), PASS.encode()], ids=["picture", "copy"])
def test_a_way_out_needs_no_live_code_and_names_nobody_by_a_dead_one(payload: bytes) -> None:
    decision = admit(scan(payload, Direction.EXIT), VIEW, now())
    assert (decision.granted, decision.holder, decision.proof) == (True, "", Proof.CLAIMED)


def test_without_a_trusted_clock_the_config_decides_and_a_picture_opens_at_most_once() -> None:
    first, after = answer(scan(shown()), VIEW, now(3600, trusted=False))
    assert first.granted
    assert answer(scan(shown()), after, now(3700, trusted=False))[0].reason is Reason.NOT_LIVE
    strict = replace(VIEW, continue_on_untrusted_clock=False)
    assert admit(scan(shown()), strict, now(trusted=False)).reason is Reason.CLOCK_UNTRUSTED


def test_who_leaves_soon_after_entering_is_named() -> None:
    _, after = answer(scan(shown()), VIEW, now(1))
    left, _ = answer(scan(shown(), Direction.EXIT), after, now(3))
    assert (left.granted, left.holder) == (True, "an")


def test_a_withdrawn_pass_is_dead_on_the_phone_too() -> None:
    revoked = replace(VIEW, documents=replace(DOCUMENTS, revocations=Revocations(passes=frozenset({"00" * 8}))))
    assert admit(scan(shown()), revoked, now()).reason is Reason.REVOKED


@pytest.mark.parametrize(("payload", "detail"), [
    (shown(), ""), (shown(-60), "too long before"), (shown(60), "ahead"), (PASS.encode(), "without that phone"),
])
def test_decode_says_why_a_code_is_not_live(payload: bytes, detail: str) -> None:
    finding = inspect(payload, SHIFT_START, DOCUMENTS)
    assert finding.proof is Proof.SIGNED
    assert finding.reason is (Reason.NOT_LIVE if detail else None)
    assert detail in finding.detail
