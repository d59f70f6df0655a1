"""SMART Health Cards of our own making."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from support_health import (
    ISSUED_AT,
    KEY,
    PATIENT,
    card,
    deflate,
    immunization,
    judge,
    jws,
    observation,
    shc,
    wrap_shc,
)

from gate.decoder import read
from gate.decoder.inflate import INFLATED_MAX_BYTES
from gate.errors import CodeError, MalformedError, WrongCodeError
from gate.jwk import thumbprint
from gate.model import Claims, Proof, Reason
from gate.strict_json import JSON_MAX_BYTES, read_json_object
from gate.trust import Key, Keyring, verify

CONTENT = card(immunization("2021-09-18", "208"), immunization("2021-06-01", "207"), observation("2021-09-01"))
CODE = shc(CONTENT)


def claims_of(payload: bytes) -> Claims:
    found = judge(payload)
    assert (found.proof, found.reason) == (Proof.SIGNED, None), found.detail
    assert found.claims is not None
    return found.claims


def test_card_gives_doses_in_their_order_and_tests_in_the_one_record_shape() -> None:
    assert claims_of(CODE).record == {
        "v": [
            {"tg": "840539006", "mp": "EU/1/20/1507", "dt": "2021-06-01", "is": "Trạm y tế", "dn": 1},
            {"tg": "840539006", "mp": "EU/1/20/1528", "dt": "2021-09-18", "is": "Trạm y tế", "dn": 2},
        ],
        "t": [{
            "tg": "840539006", "tt": "LP217198-3", "sc": "2021-09-01", "tr": "260415000",
            "is": "https://example.org/issuer",
        }],
        "r": [],
    }


def test_card_names_its_holder() -> None:
    assert claims_of(CODE).person == {
        "name": "Nguyễn Bảo Duy", "family_name": "Nguyễn", "given_name": "Bảo Duy", "dob": "1983-10-10",
    }


def test_product_that_the_eu_has_no_name_for_keeps_its_own_code() -> None:
    record = claims_of(shc(card(immunization("2021-09-18", "213")))).record
    assert record is not None
    assert record["v"][0]["mp"] == "cvx:213"


def test_what_is_not_about_covid_19_is_no_fact() -> None:
    """A vaccine against influenza, a blood count, and a vaccine in a code that nobody knows."""
    blood = {"resourceType": "Observation", "status": "final", "valueQuantity": {"value": 176},
             "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}}
    foreign = {"coding": [{"system": "mine", "code": "208"}]}
    shown = card(immunization("2021-10-01", "140"), immunization("2021-09-18", vaccineCode=foreign), blood)
    assert claims_of(shc(shown)).record == {"v": [], "t": [], "r": []}


def test_card_that_names_nobody_is_read() -> None:
    nobody = without(f"{BUNDLE}.entry.0")
    person = claims_of(shc(nobody)).person
    assert person == {"name": "", "family_name": "", "given_name": "", "dob": ""}


def test_card_has_a_beginning_and_may_have_an_end() -> None:
    assert judge(CODE, at=ISSUED_AT - timedelta(seconds=1)).reason is Reason.NOT_YET_ACTIVE
    assert judge(CODE, at=ISSUED_AT + timedelta(days=9_999)).reason is None
    ending = shc(card(exp=ISSUED_AT.timestamp() + 60.5))
    assert judge(ending, at=ISSUED_AT + timedelta(seconds=60)).reason is None
    assert judge(ending, at=ISSUED_AT + timedelta(seconds=61)).reason is Reason.EXPIRED


@pytest.mark.parametrize("text", [b"shc:/1/2/5676", b"shc:/2/2/5676", b"shc:/17/17/56"])
def test_part_of_a_card_is_known_and_refused_with_a_hint(text: bytes) -> None:
    with pytest.raises(WrongCodeError) as raised:
        read(text)
    assert raised.value.hint == "part"


def test_card_that_says_it_is_one_part_of_one_is_whole() -> None:
    claims_of(CODE.replace(b"shc:/", b"shc:/1/1/"))


@pytest.mark.parametrize("text", [
    b"shc:/", b"shc:/5", CODE + b"0", CODE + b"\n", CODE + b" 00", b"shc:/2/1/5676", b"shc:/56a6", b"shc:/1/5676",
    b"shc:/99999999", wrap_shc(b"a.b"), wrap_shc(b"a.b.c.d"),
])
def test_digits_out_of_form_are_malformed(text: bytes) -> None:
    found = judge(text)
    assert (found.format, found.reason) == ("shc", Reason.MALFORMED)


@pytest.mark.parametrize("header", [
    {"alg": None}, {"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"}, {"zip": None}, {"zip": "GZ"}, {"kid": None},
    {"kid": 7}, {"kid": "a+b/"}, {"crit": ["exp"]}, {"b64": False}, {"jwk": {}},
])
def test_header_that_asks_for_something_else_is_malformed(header: dict[str, Any]) -> None:
    assert judge(wrap_shc(jws(deflate(json.dumps(CONTENT).encode()), **header))).reason is Reason.MALFORMED


def test_message_with_bits_left_over_is_malformed() -> None:
    """Else one message could be written in several ways."""
    head, payload, signature = jws(deflate(json.dumps(CONTENT).encode())).split(b".")
    other = signature[:-1] + bytes([signature[-1] + 1])
    assert judge(wrap_shc(head + b"." + payload + b"." + other)).reason is Reason.MALFORMED


def test_card_of_a_key_that_makes_other_signatures_is_refused() -> None:
    other = replace(KEY, kid=thumbprint(KEY.public_key), public_key=Ed25519PrivateKey.generate().public_key())
    assert judge(CODE, other).reason is Reason.BAD_SIGNATURE


def test_card_of_a_key_that_nobody_listed_is_of_an_unknown_key() -> None:
    stranger = Key(b"kid", ec.generate_private_key(ec.SECP256R1()).public_key(), None, None)
    assert judge(CODE, stranger).reason is Reason.UNKNOWN_KEY


def without(path: str, content: Any = None) -> dict[str, Any]:
    """The usual card with one member taken out."""
    changed = json.loads(json.dumps(content or CONTENT))
    *parents, last = path.split(".")
    place = changed
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    del place[int(last) if last.isdigit() else last]
    return changed  # type: ignore[no-any-return]


BUNDLE = "vc.credentialSubject.fhirBundle"


@pytest.mark.parametrize("content", [
    *(without(path) for path in (
        "iss", "nbf", "vc", "vc.type.0", "vc.credentialSubject", BUNDLE, f"{BUNDLE}.entry", f"{BUNDLE}.resourceType",
        f"{BUNDLE}.entry.0.resource.name", f"{BUNDLE}.entry.0.resource.name.0.family",
        f"{BUNDLE}.entry.1.resource", f"{BUNDLE}.entry.1.resource.status", f"{BUNDLE}.entry.1.resource.vaccineCode",
        f"{BUNDLE}.entry.1.resource.vaccineCode.coding", f"{BUNDLE}.entry.1.resource.occurrenceDateTime",
        f"{BUNDLE}.entry.3.resource.effectiveDateTime", f"{BUNDLE}.entry.3.resource.valueCodeableConcept",
    )),
    card(iss="http://example.org"), card(iss="https://example.org/"), card(iss=1), card(nbf="now"), card(nbf=-1),
    card(immunization("2021-09-18", status="entered-in-error")), card(observation("2021-09-01", status="preliminary")),
    card(PATIENT), card(immunization("2021-13-18")), card(immunization("yesterday")),
    card(observation("2021-09-01T24:01")), card(immunization("2021-09-18", meta={"security": [{"badKey": "IAL1"}]})),
    card(immunization("2021-09-18", meta={"security": ["IAL1"]})),
])
def test_signed_card_out_of_form_is_malformed(content: dict[str, Any]) -> None:
    found = judge(shc(content))
    assert (found.proof, found.reason) == (Proof.SIGNED, Reason.MALFORMED)


def addressed(named: str, **resource: Any) -> dict[str, Any]:
    """A card whose patient is called resource:0, and a dose whose patient is `named`."""
    content = card(immunization("2021-09-18", patient={"reference": named}, **resource))
    content["vc"]["credentialSubject"]["fhirBundle"]["entry"][0]["fullUrl"] = "resource:0"
    return content


def test_dose_counts_for_the_patient_of_its_card_only() -> None:
    labelled = {"security": [{"system": "https://smarthealth.cards/ial", "code": "IAL2"}]}
    assert judge(shc(addressed("resource:0", meta=labelled))).reason is None
    for other in ("resource:1", "Patient/resource:0", ""):
        assert judge(shc(addressed(other))).reason is Reason.MALFORMED


@pytest.mark.parametrize("payload", [
    b"", b"\x00", deflate(b"{}") + b"x", deflate(b"[]"), deflate(b"nonsense"), deflate(bytes(INFLATED_MAX_BYTES + 1)),
])
def test_signed_payload_that_is_not_deflated_json_is_malformed(payload: bytes) -> None:
    assert judge(wrap_shc(jws(payload))).reason is Reason.MALFORMED


@settings(max_examples=200)
@given(bit=st.integers(0, 8 * len(CODE) - 1))
def test_one_flipped_bit_never_verifies_to_other_claims(bit: int) -> None:
    flipped = bytearray(CODE)
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(bytes(flipped)), Keyring([KEY])) in (verify(read(CODE), Keyring([KEY])), None)


@pytest.mark.parametrize("text", [
    b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-1e999}', b'{"a":1}x', b"[1]", b"\xff",
    b'{"a":"\\ud800"}', b"", b'{"a":' * 30_000, b'{"a":' + b"9" * 5_000 + b"}", b" " * (JSON_MAX_BYTES + 1),
])
def test_json_that_two_readers_might_read_differently_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedError):
        read_json_object(text)
