"""Crafted codes: each is refused as what it is, before it costs memory, and shows as nothing but text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.hostile import DOCUMENTS, MEMORY_MAX_MIB, NOON, PAYLOADS, gp1, judge, peak_bytes
from gate.admission import STEPS, admit
from gate.model import PAYLOAD_MAX_BYTES, Decision, Direction, Now, Proof, Reason, Scan
from gate.trust import Revocations
from gate.view import View

SIGNED = [name for name in PAYLOADS if "signed" in name]


def test_the_crafted_codes_fit_into_a_symbol() -> None:
    assert max(map(len, PAYLOADS.values())) <= PAYLOAD_MAX_BYTES


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_crafted_code_is_malformed_and_costs_little(name: str) -> None:
    finding = judge(PAYLOADS[name])
    assert finding.reason is Reason.MALFORMED, finding
    assert finding.proof is (Proof.SIGNED if name in SIGNED else Proof.NONE)
    assert peak_bytes(PAYLOADS[name]) < MEMORY_MAX_MIB * 2**20


# --- errors tell apart ----------------------------------------------------------------------------------

VIEW = View(area="site", zone=ZoneInfo("UTC"), documents=DOCUMENTS, signed_must_be_listed=False)
GOOD = {1: "issuer", 2: "holder", 4: int((NOON + timedelta(days=1)).timestamp()), 7: bytes(8), -65537: ["site"]}
PASS = gp1(cbor2.dumps(GOOD))
EXPIRED = gp1(cbor2.dumps(GOOD | {4: int((NOON - timedelta(days=1)).timestamp())}))
REVOKED = replace(VIEW, documents=replace(DOCUMENTS, revocations=Revocations(passes=frozenset({bytes(8).hex()}))))
LISTED_ONLY = replace(VIEW, accept=frozenset({Proof.LISTED}))


def decide(payload: bytes, view: View = VIEW, **how: object) -> Decision:
    """The lane's answer, on the way in."""
    return admit(Scan("reader", Direction.ENTRY, payload, 0.0), view, Now(datetime(2026, 11, 23, 12, tzinfo=UTC), 0.0),
                 **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(("payload", "view", "reason"), [
    (PASS, VIEW, Reason.GRANTED),
    (b"hello", VIEW, Reason.UNKNOWN_FORMAT),
    (b"https://example.org", VIEW, Reason.WRONG_CODE),
    (PASS[:-1], VIEW, Reason.MALFORMED),
    (gp1(cbor2.dumps(GOOD)).replace(b"GP1:", b"HC1:"), VIEW, Reason.MALFORMED),
    (PASS, replace(VIEW, documents=replace(DOCUMENTS, keyring=type(DOCUMENTS.keyring)())), Reason.UNKNOWN_KEY),
    (gp1(cbor2.dumps(GOOD), Ed25519PrivateKey.generate()), VIEW, Reason.BAD_SIGNATURE),
    (EXPIRED, VIEW, Reason.EXPIRED),
    (PASS, REVOKED, Reason.REVOKED),
    (PASS, LISTED_ONLY, Reason.PROOF_TOO_WEAK),
])
def test_each_kind_of_refusal_has_its_own_reason(payload: bytes, view: View, reason: Reason) -> None:
    assert decide(payload, view).reason is reason


def test_our_own_fault_is_told_from_a_bad_code() -> None:
    def broken(_case: object) -> object:
        raise ZeroDivisionError

    assert decide(PASS, steps=(broken, *STEPS)).reason is Reason.INTERNAL_ERROR
