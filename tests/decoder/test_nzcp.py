"""NZ COVID Passes of our own making."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support_health import EXPIRES_AT, ISSUED_AT, KEY, judge, nzcp

from gate.decoder import read
from gate.errors import CodeError
from gate.model import Proof, Reason
from gate.trust import Keyring, verify

CODE = nzcp()


def test_pass_names_its_holder_and_states_no_facts() -> None:
    found = judge(CODE)
    assert (found.proof, found.reason) == (Proof.SIGNED, None), found.detail
    assert found.claims is not None
    assert found.claims.record == {"v": [], "t": [], "r": []}
    assert found.person == {
        "name": "Nguyen Duy", "family_name": "Nguyen", "given_name": "Duy", "dob": "1983-10-10",
    }
    assert (found.claims.issuer, found.claims.pass_id) == ("did:web:example.org", bytes(range(16)).hex())


def test_holder_may_have_one_name_only() -> None:
    person = judge(nzcp(vc={
        "version": "1.0.0", "type": ["VerifiableCredential", "PublicCovidPass"],
        "credentialSubject": {"givenName": "Duy", "dob": "1983-10-10"}})).person
    assert person == {"name": "Duy", "family_name": "", "given_name": "Duy", "dob": "1983-10-10"}


@pytest.mark.parametrize(("at", "reason"), [
    (ISSUED_AT - timedelta(seconds=1), Reason.NOT_YET_ACTIVE), (ISSUED_AT, None), (EXPIRES_AT, Reason.EXPIRED),
])
def test_pass_is_good_until_but_not_at_its_end(at: Any, reason: Reason | None) -> None:
    assert judge(CODE, at=at).reason is reason


@pytest.mark.parametrize("text", [
    b"NZCP:/1/", b"NZCP:/2/" + CODE[8:], CODE + b"=", b"NZCP:/1/" + CODE[8:].lower(), CODE + b"A",
    b"NZCP:/1/B7",
])
def test_wrapping_out_of_form_is_malformed(text: bytes) -> None:
    found = judge(text)
    assert (found.format, found.reason) == ("nzcp", Reason.MALFORMED)


@pytest.mark.parametrize("changes", [
    {"iss": None}, {"iss": "https://example.org"}, {"exp": None}, {"exp": 1.5}, {"nbf": None}, {"cti": None},
    {"cti": bytes(15)}, {"vc": None}, {"vc": {"version": "1.0.0"}},
    {"vc": {"version": "2.0.0", "type": ["VerifiableCredential", "PublicCovidPass"],
            "credentialSubject": {"givenName": "A", "dob": "1983-10-10"}}},
    {"vc": {"version": "1.0.0", "type": ["VerifiableCredential"],
            "credentialSubject": {"givenName": "A", "dob": "1983-10-10"}}},
    {"vc": {"version": "1.0.0", "type": ["VerifiableCredential", "PublicCovidPass"],
            "credentialSubject": {"givenName": "A", "familyName": 7, "dob": "1983-10-10"}}},
])
def test_signed_pass_out_of_form_is_malformed(changes: dict[str, Any]) -> None:
    assert judge(nzcp(**changes)).reason is Reason.MALFORMED


@settings(max_examples=200)
@given(bit=st.integers(0, 8 * len(CODE) - 1))
def test_one_flipped_bit_never_verifies_to_other_claims(bit: int) -> None:
    flipped = bytearray(CODE)
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(bytes(flipped)), Keyring([KEY])) in (verify(read(CODE), Keyring([KEY])), None)
