"""Visible digital seals of our own making, and the one step of chain that each brings along."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from support_health import EXPIRES_AT, IN_TIME, SEALED, certificate, judge, seal

from gate.cose import PrivateKey
from gate.decoder import read
from gate.errors import CodeError
from gate.model import Proof, Reason
from gate.strict_json import canonical
from gate.trust import Key, Keyring, keyring_from_trust_list, verify

AUTHORITIES: dict[str, PrivateKey] = {
    "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
}
STRANGER = ec.generate_private_key(ec.SECP256R1())
SEALS_BARCODES = "2.23.136.1.1.14.2"


def listed(der: bytes, kid: bytes = b"any") -> Key:
    """What a trust list makes of a certificate."""
    entry = {"kid": base64.b64encode(kid).decode(), "certificate": base64.b64encode(der).decode(), "country": "VN"}
    (key,) = keyring_from_trust_list(json.dumps([entry]).encode()).keys
    return key


def pinned(own: PrivateKey, **changes: Any) -> Key:
    return listed(certificate(own, own, **{"authority": True, **changes}))


CSCA = AUTHORITIES["P-384"]
PINNED = pinned(CSCA)
CODE = seal(certificate(by=CSCA, usages=(SEALS_BARCODES,)))


@pytest.mark.parametrize("kind", AUTHORITIES)
def test_seal_of_a_signer_that_a_pinned_authority_vouches_for_is_proved(kind: str) -> None:
    found = judge(seal(certificate(by=AUTHORITIES[kind])), pinned(AUTHORITIES[kind]))
    assert (found.proof, found.reason) == (Proof.SIGNED, None), found.detail
    assert found.claims is not None
    assert found.claims.issuer == "VNM"
    assert found.claims.record == {"v": [{
        "tg": "840539006", "vp": "XM68M6", "mp": "Vaxzevria", "dn": 1, "dt": "2021-09-18", "co": "VNM",
        "is": "Trạm y tế", "ci": "U1",
    }], "t": [], "r": []}
    assert found.person == {
        "name": "NGUYEN BAO DUY", "family_name": "NGUYEN", "given_name": "BAO DUY", "dob": "1983-10-10",
        "id": "B1234567",
    }


def test_seal_of_a_test_gives_its_result() -> None:
    data = {"hdr": {"t": "icao.test", "v": 1, "is": "VNM"}, "msg": {
        "utci": "T1", "pid": {"n": "NGUYEN"}, "sp": {"spn": "Trạm y tế", "ctr": "VNM"},
        "dat": {"sc": "2021-09-18T07:00:00+07:00", "ri": "2021-09-18T09:00:00+07:00"},
        "tr": {"tc": "molecular(PCR)", "r": "Negative", "m": "anterior nasal"},
    }}
    found = judge(seal(certificate(by=CSCA), data), PINNED)
    assert found.claims is not None, found.detail
    assert found.claims.record == {"v": [], "r": [], "t": [{
        "tg": "840539006", "tt": "molecular(PCR)", "sc": "2021-09-18T07:00:00+07:00", "tr": "260415000", "co": "VNM",
        "is": "Trạm y tế", "ci": "T1",
    }]}


@pytest.mark.parametrize("signer", [
    certificate(by=STRANGER), certificate(STRANGER, CSCA), certificate(by=CSCA, usages=("1.3.6.1.5.5.7.3.1",)),
], ids=["of another authority", "for another key", "for web servers"])
def test_seal_outside_the_chain_is_refused(signer: bytes) -> None:
    found = judge(seal(signer), PINNED)
    assert found.proof is Proof.NONE
    assert found.reason in (Reason.UNKNOWN_KEY, Reason.BAD_SIGNATURE)


def test_certificate_that_is_no_authority_vouches_for_nobody() -> None:
    assert judge(seal(certificate(by=CSCA)), pinned(CSCA, authority=False)).reason is Reason.UNKNOWN_KEY


def test_signer_that_is_listed_itself_needs_no_authority() -> None:
    signer = certificate(by=STRANGER)
    assert judge(seal(signer), listed(signer, kid=hashlib.sha256(signer).digest()[:8])).reason is None


def test_signer_whose_key_makes_other_signatures_is_refused() -> None:
    signer = certificate(AUTHORITIES["RSA"], CSCA)
    assert judge(seal(signer), PINNED).reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("ends", ["signer", "authority"])
def test_seal_is_good_no_longer_than_its_chain(ends: str) -> None:
    soon = IN_TIME + timedelta(days=1)
    signer = certificate(by=CSCA, until=soon if ends == "signer" else EXPIRES_AT)
    authority = pinned(CSCA, until=soon if ends == "authority" else EXPIRES_AT)
    assert judge(seal(signer), authority, at=IN_TIME).reason is None
    assert judge(seal(signer), authority, at=IN_TIME + timedelta(days=2)).reason is Reason.EXPIRED


def test_only_the_canonical_form_is_sealed() -> None:
    """Blanks and order as a printer likes them; what is said may not change."""
    reordered = json.dumps(dict(reversed(json.loads(CODE).items()))).encode()
    assert judge(reordered, PINNED).reason is None
    assert judge(CODE.replace(b"BAO DUY", b"BAO LONG"), PINNED).reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("code", [
    CODE[:-1], CODE + b"x", CODE.replace(b'"ES256"', b'"ES512"'), CODE.replace(b'"cer": "', b'"cer": "!'),
    CODE.replace(b'"hdr": {', b'"hdr": {"t": "icao.test",'), seal(b"not a certificate"),
    b'{"hdr": "icao.vacc"}', b'{"data": {"hdr": {"t": "icao.vacc"}, "x": 1.5}, "sig": {}}',
    *(CODE.replace(b'"v": 1', member) for member in (b'"v": 1.5', b'"v": 9007199254740992', '"ữ": 1'.encode())),
])
def test_seal_out_of_form_is_malformed(code: bytes) -> None:
    found = judge(code, PINNED)
    assert (found.format, found.proof, found.reason) == ("vds-nc", Proof.NONE, Reason.MALFORMED)


@pytest.mark.parametrize("data", [
    {"hdr": {"t": "icao.other", "is": "VNM"}, "msg": {}},
    SEALED | {"msg": SEALED["msg"] | {"ve": [{}]}}, SEALED | {"msg": SEALED["msg"] | {"pid": {}}},
    SEALED | {"msg": SEALED["msg"] | {"uvci": 1}}, SEALED | {"hdr": {"t": "icao.vacc"}},
    SEALED | {"msg": SEALED["msg"] | {"ve": [SEALED["msg"]["ve"][0] | {"vd": [{"seq": 1}]}]}},
    {"hdr": {"t": "icao.test", "is": "VNM"}, "msg": {"utci": "T1", "pid": {"n": "NGUYEN"}}},
])
def test_sealed_content_out_of_form_is_malformed_and_still_said_to_be_signed(data: dict[str, Any]) -> None:
    found = judge(seal(certificate(by=CSCA), data), PINNED)
    assert (found.proof, found.reason) == (Proof.SIGNED, Reason.MALFORMED)


@settings(max_examples=200)
@given(bit=st.integers(0, 8 * len(CODE) - 1))
def test_one_flipped_bit_never_verifies_to_other_claims(bit: int) -> None:
    keyring = Keyring([PINNED])
    flipped = bytearray(CODE)
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(bytes(flipped)), keyring) in (verify(read(CODE), keyring), None)


def test_canonical_form_is_that_of_rfc_8785() -> None:
    assert canonical({"b": ["\u20ac$\u000f\nA'\"\\/", 10, None, True], "a": "ữ"}) == (
        '{"a":"ữ","b":["€$\\u000f\\nA\'\\"\\\\/",10,null,true]}'.encode())
