"""What `gate decode` finds of one payload, without a gate around it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support_health import IN_TIME, ISSUER, KEY, certificate, hc1, seal

from gate.clock import SHIFT_START
from gate.decoder import gp1
from gate.inspection import NO_SYMBOL, answer, inspect
from gate.model import Claims, Proof, Reason, RosterEntry
from gate.trust import Key, Keyring, Revocations, key_id
from gate.view import NO_DOCUMENTS, DocumentSet

SIGNER = Ed25519PrivateKey.generate()
KID = b"issuer-1"
CARD = b"001090123456||NGUYEN VAN A|01011990|Nam|Ha Noi|15102021"
CLAIMS = Claims("khu-a", "an", key_id(KID), "00" * 8, SHIFT_START, SHIFT_START + timedelta(days=1),
                frozenset({"kho", "xuong-a"}), frozenset({"tho"}))
DOCUMENTS = DocumentSet(keyring=Keyring([Key(KID, SIGNER.public_key(), "khu-a", "pass")]))
PASS = gp1.issue_pass(CLAIMS, SIGNER).encode()


class OnePerson:
    """A roster that lists one card."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return self.holder("an") if "cccd:001090123456" in identifiers else None

    def holder(self, holder: str) -> RosterEntry | None:
        return RosterEntry("an", frozenset()) if holder == "an" else None


def test_a_pass_is_signed_and_says_whose_it_is() -> None:
    finding = inspect(PASS, SHIFT_START, DOCUMENTS)
    assert (finding.format, finding.proof, finding.reason) == ("gp1", Proof.SIGNED, None)
    line = answer(finding, "a.png", 0)
    assert (line["schema"], line["id"], line["issuer"]) == ("gate.decode/1", "a.png", "khu-a")
    assert (line["valid_from"], line["valid_until"]) == ("2026-11-22T23:55:00Z", "2026-11-23T23:55:00Z")
    assert line["holder"] == {"id": "an", "pass": "00" * 8, "areas": ["kho", "xuong-a"], "roles": ["tho"]}
    assert "text" not in line


def test_a_pass_after_its_end_has_expired_and_is_still_signed() -> None:
    finding = inspect(PASS, SHIFT_START + timedelta(days=1), DOCUMENTS)
    assert (finding.proof, finding.reason) == (Proof.SIGNED, Reason.EXPIRED)


def test_a_withdrawn_pass_is_revoked() -> None:
    withdrawn = replace(DOCUMENTS, revocations=Revocations(holders=frozenset({"an"})))
    assert inspect(PASS, SHIFT_START, withdrawn).reason is Reason.REVOKED


def test_one_certificate_of_a_kid_is_withdrawn_by_its_fingerprint_and_all_by_the_kid() -> None:
    signers = [ISSUER, ec.generate_private_key(ec.SECP256R1())]
    keys = [replace(KEY, public_key=signer.public_key(), certificate=certificate(signer)) for signer in signers]
    codes = [hc1(key=signer) for signer in signers]
    for revocations, reasons in (
        (Revocations(), [None, None]),
        (Revocations(fingerprints=frozenset({keys[0].fingerprint})), [Reason.REVOKED, None]),
        (Revocations(keys=frozenset({key_id(KEY.kid)})), [Reason.REVOKED, Reason.REVOKED]),
    ):
        documents = DocumentSet(keyring=Keyring(keys, withdrawn=revocations.fingerprints), revocations=revocations)
        found = [inspect(code, IN_TIME, documents) for code in codes]
        assert [one.reason for one in found] == reasons
        assert {one.proof for one in found} == {Proof.SIGNED}


def test_signer_of_a_seal_is_withdrawn_by_its_fingerprint() -> None:
    authority = replace(KEY, authority=True)
    signer = certificate(usages=("2.23.136.1.1.14.2",))
    for fingerprint, reason in ((hashlib.sha256(signer).hexdigest(), Reason.REVOKED), ("00" * 32, None)):
        documents = DocumentSet(keyring=Keyring([authority], withdrawn=frozenset({fingerprint})))
        assert inspect(seal(signer), IN_TIME, documents).reason is reason


def test_a_pass_by_nobody_we_were_told_to_trust_proves_nothing() -> None:
    finding = inspect(PASS, SHIFT_START)
    assert (finding.proof, finding.reason, finding.claims) == (Proof.NONE, Reason.UNKNOWN_KEY, None)
    line = answer(finding, 1, 0)
    assert (line["issuer"], line["valid_from"], line["holder"]) == (None, None, None)


def test_a_card_is_claimed_until_a_roster_lists_it() -> None:
    assert inspect(CARD, SHIFT_START).proof is Proof.CLAIMED
    finding = inspect(CARD, SHIFT_START, replace(NO_DOCUMENTS, roster=OnePerson()))
    assert (finding.proof, finding.reason) == (Proof.LISTED, None)
    assert finding.person is not None
    assert finding.person["id"] == "001090123456"


def test_a_wrong_code_says_which_kind_it_is() -> None:
    finding = inspect(b"https://example.com", SHIFT_START)
    assert (finding.format, finding.reason) == (None, Reason.WRONG_CODE)
    assert finding.hint


def test_an_image_without_a_code_says_so() -> None:
    line = answer(NO_SYMBOL, "empty.png", 0)
    assert (line["reason"], line["format"], line["proof"]) == ("NO_SYMBOL", None, "none")


def test_the_payload_itself_is_text_where_it_is_text_and_base64_where_not() -> None:
    finding = inspect(CARD, SHIFT_START)
    assert answer(finding, 1, 0, CARD)["text"] == CARD.decode()
    assert answer(finding, 1, 0, b"\xff")["bytes"] == "/w=="


def test_without_documents_nobody_is_known() -> None:
    assert NO_DOCUMENTS.roster.find(("cccd:001090123456",)) is None
    assert NO_DOCUMENTS.roster.holder("an") is None
