"""EU certificates of our own making: every quirk that is put up with, and every fault that is not."""

from __future__ import annotations

import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import base45
import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from support_health import (
    BODY,
    EXPIRES_AT,
    IN_TIME,
    ISSUED_AT,
    ISSUER,
    KEY,
    KID,
    RECOVERY,
    TEST,
    VACCINATION,
    cwt,
    hc1,
    judge,
    wrap_hc1,
)

from gate.cose import Algorithm, parse_sign1, sign1
from gate.decoder import base45 as ours
from gate.decoder import read
from gate.decoder.inflate import INFLATED_MAX_BYTES
from gate.errors import CodeError, MalformedError
from gate.model import PAYLOAD_MAX_BYTES, Claims, Proof, Reason
from gate.trust import ISSUER_DISAGREES, Keyring, key_id, verify
from gate.trust.keys import thumbprint

CODE = hc1()
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P384_KEY = ec.generate_private_key(ec.SECP384R1())


def claims_of(payload: bytes, *keys: Any) -> Claims:
    found = judge(payload, *keys)
    assert (found.proof, found.reason) == (Proof.SIGNED, None), found.detail
    assert found.claims is not None
    return found.claims


def body(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (BODY | changes).items() if value is not ...}


def entry(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (VACCINATION | changes).items() if value is not ...}


# --- what it says ---------------------------------------------------------------------------------------


def test_certificate_gives_its_record_and_its_holder() -> None:
    claims = claims_of(CODE)
    assert claims.record == {"v": [VACCINATION], "t": [], "r": []}
    assert claims.person == {
        "name": "Nguyễn Bảo Duy", "family_name": "Nguyễn", "given_name": "Bảo Duy", "icao_name": "NGUYEN<<BAO<DUY",
        "dob": "1983-10-10",
    }
    assert (claims.issuer, claims.key_id, claims.subject) == ("VN", key_id(KID), "")


@pytest.mark.parametrize(("kind", "entries"), [("v", VACCINATION), ("t", TEST), ("r", RECOVERY)])
def test_each_kind_of_certificate_is_read(kind: str, entries: dict[str, Any]) -> None:
    record = claims_of(hc1(cwt(body(v=None) | {kind: [entries]}))).record
    assert record == {"v": [], "t": [], "r": []} | {kind: [entries]}


def test_nothing_of_the_person_shows_where_claims_are_printed() -> None:
    assert "Nguy" not in repr(claims_of(CODE))
    assert "2021-09-18" not in repr(claims_of(CODE))


@pytest.mark.parametrize("algorithm", ["ES256", "ES256 with P-384", "PS256"])
def test_each_algorithm_of_the_norm_is_proved(algorithm: str) -> None:
    key = {"ES256": ISSUER, "ES256 with P-384": P384_KEY, "PS256": RSA_KEY}[algorithm]
    claims_of(hc1(key=key), replace(KEY, public_key=key.public_key()))


# --- quirks of real issuers -----------------------------------------------------------------------------


@pytest.mark.parametrize("tag", [b"", b"\xd2", b"\xd8\x3d\xd2"])
def test_each_tag_of_the_envelope_is_read(tag: bytes) -> None:
    claims_of(wrap_hc1(tag + sign1(cwt(), ISSUER, KID)))


@pytest.mark.parametrize(("claim", "value"), [
    ("iat", ISSUED_AT.timestamp() + 0.25), ("exp", EXPIRES_AT.timestamp() - 0.5),
    ("exp", cbor2.CBORTag(1, int(EXPIRES_AT.timestamp()))), ("iat", None), ("iss", None), ("iss", " VN "),
])
def test_times_with_fractions_or_tags_and_missing_claims_are_put_up_with(claim: str, value: Any) -> None:
    assert claims_of(hc1(cwt(**{claim: value}))).issuer == "VN"


@pytest.mark.parametrize(("changes", "field", "read_as"), [
    ({"dn": 1.0}, "dn", 1), ({"is": "  Bộ Y tế "}, "is", "Bộ Y tế"), ({"dt": "2021-09-18T00:00:00"}, "dt", None),
    ({"ma": ""}, "ma", ""), ({"nm": None}, "nm", None),
])
def test_entry_with_what_real_issuers_get_wrong_is_read(changes: dict[str, Any], field: str, read_as: Any) -> None:
    record = claims_of(hc1(cwt(body(v=[VACCINATION | changes])))).record
    assert record is not None
    assert record["v"][0].get(field) == (changes[field] if read_as is None else read_as)


def test_tagged_date_is_read_as_its_text() -> None:
    tagged = body(v=None, t=[TEST | {"sc": cbor2.CBORTag(0, "2021-09-18T07:00:00+07:00")}])
    record = claims_of(hc1(cwt(tagged))).record
    assert record is not None
    assert record["t"] == [TEST]


@pytest.mark.parametrize(("version", "born"), [
    ("1.0.0", "1983-10-10"), ("1.0.0", "1983-10-10T00:00:00"), ("1.1.0", "1983-10"), ("1.3.0", "1983"), ("1.3.0", ""),
    ("1.3.0", None), ("1.3.0", "1983-10-10T00:00:00"),
])
def test_birth_date_may_be_as_short_as_its_schema_allows(version: str, born: str | None) -> None:
    person = claims_of(hc1(cwt(body(ver=version, dob=born)))).person
    assert person is not None
    assert person["dob"] == (born or "")


@pytest.mark.parametrize("nothing", [None, cbor2.undefined])
def test_null_or_undefined_in_place_of_nothing_is_read(nothing: Any) -> None:
    signed = hc1(cwt(BODY | {"v": [VACCINATION | {"nm": nothing}], "t": nothing, "r": nothing, "dob": nothing}))
    record = claims_of(signed).record
    assert record == {"v": [VACCINATION], "t": [], "r": []}


def test_kid_counts_in_the_protected_header_first() -> None:
    protected, _, payload, signature = cbor2.loads(sign1(cwt(), ISSUER, KID))
    claims_of(wrap_hc1(cbor2.dumps([protected, {4: b"another"}, payload, signature])))
    misnamed = judge(wrap_hc1(cbor2.dumps([cbor2.dumps({1: -7, 4: b"another"}), {4: KID}, payload, signature])))
    assert misnamed.reason is Reason.UNKNOWN_KEY


def test_several_entries_are_read_only_where_the_schema_still_had_them() -> None:
    two = [VACCINATION | {"dn": 1}, VACCINATION]
    assert (claims_of(hc1(cwt(body(ver="1.0.0", v=two)))).record or {})["v"] == two
    assert judge(hc1(cwt(body(ver="1.3.0", v=two)))).reason is Reason.MALFORMED


# --- when -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "reason"), [
    (ISSUED_AT - timedelta(microseconds=1), Reason.NOT_YET_ACTIVE), (ISSUED_AT, None), (EXPIRES_AT, None),
    (EXPIRES_AT + timedelta(microseconds=1), Reason.EXPIRED),
])
def test_certificate_is_good_from_its_first_moment_to_its_last(at: Any, reason: Reason | None) -> None:
    found = judge(CODE, at=at)
    assert (found.proof, found.reason) == (Proof.SIGNED, reason)


def test_certificate_is_good_no_longer_than_its_signers() -> None:
    short = replace(KEY, valid_until_at=IN_TIME)
    assert judge(CODE, short, at=IN_TIME).reason is None
    late = judge(CODE, short, at=IN_TIME + timedelta(seconds=1))
    assert late.reason is Reason.EXPIRED
    assert late.claims is not None
    assert late.claims.printed_until_at == EXPIRES_AT, "what the code itself says is shown"


def test_certificate_may_be_older_than_its_signers() -> None:
    assert judge(CODE, replace(KEY, valid_from_at=IN_TIME + timedelta(days=1))).reason is None


# --- who ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kinds", "reason"), [
    (None, None), ({"v"}, None), ({"v", "t"}, None), ({"t"}, Reason.UNKNOWN_KEY),
])
def test_signer_vouches_only_for_the_kinds_that_its_certificate_names(
    kinds: set[str] | None, reason: Reason | None,
) -> None:
    found = judge(CODE, replace(KEY, kinds=kinds and frozenset(kinds)))
    assert (found.proof, found.reason) == (Proof.SIGNED, reason)


@pytest.mark.parametrize(("country", "issuer", "agrees"), [
    ("VN", "VN", True), ("GB", "JE", True), ("GR", "EL", True), ("CH", "CH BAG", True), ("FR", "CNAM", True),
    ("", "VN", True), ("FR", "VN", False),
])
def test_signer_of_one_country_does_not_speak_for_another(country: str, issuer: str, agrees: bool) -> None:
    code = hc1(cwt(iss=issuer))
    asked = judge(code, replace(KEY, country=country))
    assert (asked.reason, asked.warnings) == (None, () if agrees else (ISSUER_DISAGREES,))
    at_a_gate = judge(code, replace(KEY, country=country, issuer="health-ministry", purpose="health"))
    assert at_a_gate.reason is (None if agrees else Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("purpose", ["pass", "recorder", "operator"])
def test_key_for_another_purpose_vouches_for_no_certificate(purpose: Any) -> None:
    assert judge(CODE, replace(KEY, issuer="kcn", purpose=purpose)).reason is Reason.UNKNOWN_KEY


def test_every_key_of_a_kid_is_tried() -> None:
    stranger = replace(KEY, public_key=ec.generate_private_key(ec.SECP256R1()).public_key())
    claims_of(CODE, stranger, replace(KEY, public_key=RSA_KEY.public_key()), KEY)


def test_key_is_found_by_its_thumbprint_too() -> None:
    claims_of(hc1(kid=thumbprint(ISSUER.public_key())))


# --- what is not put up with ----------------------------------------------------------------------------


@pytest.mark.parametrize(("payload", "fault"), [
    (b"HC1:", "inflated"), (b"HC1:abc", "base45"), (b"HC1:A", "base45"), (b"HC1::::", "base45"),
    (b"HC1:" + base45.b45encode(sign1(cwt(), ISSUER, KID)), "inflated"),
    (b"HC1:" + base45.b45encode(zlib.compress(b"x" * 100)[:-4]), "cut short"),
    (b"HC1:" + base45.b45encode(zlib.compress(b"x") + b"y"), "too many"),
    (CODE + b"\n", "base45"), (wrap_hc1(b"\x01"), "COSE_Sign1"),
])
def test_wrapping_out_of_form_is_malformed(payload: bytes, fault: str) -> None:
    found = judge(payload)
    assert (found.format, found.reason) == ("hc1", Reason.MALFORMED)
    assert fault in found.detail


@pytest.mark.parametrize("content", [
    cbor2.dumps([1]), cbor2.dumps({1: "VN", 4: 1}), cbor2.dumps({4: 1, -260: {2: BODY}}), cwt([]), cwt() + b"\0",
    cwt(exp=None), cwt(exp=float("nan")), cwt(exp=float("inf")), cwt(exp=-1), cwt(exp=True), cwt(exp="2027"),
    cwt(iss=7), cwt(exp=cbor2.CBORTag(1, "now")),
    cwt(body(v=...)), cwt(body(v=[])), cwt(body(t=[TEST])), cwt(body(v=VACCINATION)), cwt(body(v=[1])),
    cwt(body(ver=...)), cwt(body(ver="1.3")), cwt(body(ver=1)),
    cwt(body(nam=...)), cwt(body(nam={"fn": "Nguyễn"})), cwt(body(nam={"fnt": 1})),
    cwt(body(dob=...)), cwt(body(dob="1815-08-24")), cwt(body(dob="10.10.1983")), cwt(body(dob=1983)),
    cwt(body(ver="1.0.0", dob="1983-10")),
    *(cwt(body(v=[entry(**changes)])) for changes in (
        {"dn": 0}, {"dn": 1.5}, {"dn": "1"}, {"dn": True}, {"dn": ...}, {"sd": ...}, {"co": ""}, {"co": "vn"},
        {"ci": ...}, {"ci": None}, {"dt": 20210918}, {"mp": ["x"]}, {"mp": b"x"}, {"x": {"deep": 1}},
    )),
    cwt(body(v=None, r=[{name: value for name, value in RECOVERY.items() if name != "du"}])),
    cwt(body(v=None, t=[TEST | {"sc": cbor2.CBORTag(1234, "x")}])),
])
def test_signed_content_out_of_form_is_malformed_and_still_said_to_be_signed(content: bytes) -> None:
    found = judge(hc1(content))
    assert (found.proof, found.reason) == (Proof.SIGNED, Reason.MALFORMED)


def test_bomb_is_refused_before_it_costs_memory() -> None:
    bomb = b"HC1:" + base45.b45encode(zlib.compress(bytes(2_000_000), 9))
    assert len(bomb) < 4096
    tracemalloc.start()
    with pytest.raises(MalformedError, match=str(INFLATED_MAX_BYTES)):
        read(bomb)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert len(read(b"HC1:" + base45.b45encode(zlib.compress(bytes(INFLATED_MAX_BYTES)))).signed or b"") == 65_536


@settings(max_examples=300)
@given(bit=st.integers(0, 8 * len(CODE) - 1))
def test_one_flipped_bit_never_verifies_to_other_claims(bit: int) -> None:
    flipped = bytearray(CODE)
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(bytes(flipped)), Keyring([KEY])) in (verify(read(CODE), Keyring([KEY])), None)


@settings(max_examples=300)
@given(data=st.data())
def test_no_change_under_the_wrapping_verifies_to_other_claims(data: st.DataObject) -> None:
    signed = bytearray(sign1(cwt(), ISSUER, KID))
    at = data.draw(st.integers(0, len(signed)))
    signed[at:at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with suppress(CodeError):
        assert verify(read(wrap_hc1(bytes(signed))), Keyring([KEY])) == verify(read(CODE), Keyring([KEY]))


def test_header_cannot_choose_another_algorithm_than_its_keys() -> None:
    _, unprotected, payload, signature = cbor2.loads(sign1(cwt(), ISSUER, KID))
    posing = wrap_hc1(cbor2.dumps([cbor2.dumps({1: -37, 4: KID}), unprotected, payload, signature]))
    assert parse_sign1(read(posing).signed or b"").algorithm is Algorithm.PS256
    assert judge(posing).reason is Reason.BAD_SIGNATURE


def test_base45_is_read_up_to_its_limit_and_not_past_it() -> None:
    assert ours.decode(b"0" * (PAYLOAD_MAX_BYTES - 1)) == bytes(PAYLOAD_MAX_BYTES // 3 * 2)
    with pytest.raises(MalformedError, match=str(PAYLOAD_MAX_BYTES)):
        ours.decode(b"0" * (PAYLOAD_MAX_BYTES + 1))


@given(st.binary(max_size=80))
def test_bulk_base45_reads_what_the_library_writes(data: bytes) -> None:
    assert ours.decode(base45.b45encode(data)) == data


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", max_size=12) | st.text(max_size=5))
def test_bulk_base45_refuses_what_the_library_refuses(text: str) -> None:
    try:
        expected = base45.b45decode(text)
    except ValueError:
        with pytest.raises(MalformedError):
            ours.decode(text.encode())
    else:
        assert ours.decode(text.encode()) == expected


def test_base45_longer_than_any_payload_is_malformed() -> None:
    longest = b"0" * (PAYLOAD_MAX_BYTES // 3 * 3)
    assert ours.decode(longest) == bytes(len(longest) // 3 * 2)
    with pytest.raises(MalformedError, match=str(PAYLOAD_MAX_BYTES)):
        ours.decode(b"0" * (PAYLOAD_MAX_BYTES + 1))
