"""COSE_Sign1 and CWT: both directions, the norm's own vectors, and what must not pass."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.cbor import CBOR_MAX_BYTES, DEPTH_MAX, read_cbor
from gate.cose import (
    Algorithm,
    Claim,
    PrivateKey,
    PublicKey,
    algorithm_of,
    header_claims,
    moment,
    parse_sign1,
    read_cwt,
    sign1,
    verify1,
    verify_signature,
    write_cwt,
)
from gate.errors import CodeError, ForgedError, MalformedError
from gate.jwk import public_key_from_jwk

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not beside this repository")

KEYS: dict[str, PrivateKey] = {
    "Ed25519": Ed25519PrivateKey.generate(),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
KEY = KEYS["Ed25519"]
KID = b"\x01\x02\x03\x04\x05\x06\x07\x08"
MESSAGE = sign1(b"payload", KEY, KID)
EDDSA = cbor2.dumps({1: -8})

claims_sets = st.dictionaries(
    st.integers(-70_000, 300), st.integers(-2**64, 2**64 - 1) | st.text(max_size=20) | st.binary(max_size=20),
    max_size=8,
)


def message(protected: Any = EDDSA, unprotected: Any = None, payload: Any = b"p", signature: Any = b"s") -> bytes:
    return cbor2.dumps([protected, {} if unprotected is None else unprotected, payload, signature])


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("tag", [b"", b"\xd2", b"\xd8\x3d\xd2"], ids=["untagged", "18", "61(18)"])
def test_what_a_key_signs_its_public_half_verifies(key: PrivateKey, tag: bytes) -> None:
    read = parse_sign1(tag + sign1(b"payload", key, KID))
    assert (read.kid, read.algorithm) == (KID, algorithm_of(key))
    assert verify1(read, key.public_key()) == b"payload"


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_another_key_of_any_kind_is_refused(key: PrivateKey) -> None:
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(ForgedError):
        verify1(parse_sign1(sign1(b"payload", stranger, KID)), key.public_key())


def test_p384_keys_sign_es256_with_96_bytes() -> None:
    read = parse_sign1(sign1(b"payload", KEYS["P-384"], KID))
    assert read.algorithm is Algorithm.ES256
    assert len(read.signature) == 96


@pytest.mark.parametrize("width", [0, 63, 65, 70, 96])
def test_ecdsa_signature_of_another_width_is_refused(width: int) -> None:
    with pytest.raises(ForgedError, match="64"):
        verify_signature(KEYS["P-256"].public_key(), bytes(width), b"")


@given(payload=st.binary(max_size=200), kid=st.binary(min_size=1, max_size=16))
def test_signed_payload_comes_back_unchanged(payload: bytes, kid: bytes) -> None:
    read = parse_sign1(sign1(payload, KEY, kid))
    assert read.kid == kid
    assert verify1(read, KEY.public_key()) == payload


@settings(max_examples=300)
@given(bit=st.integers(0, 8 * len(MESSAGE) - 1))
def test_one_flipped_bit_never_verifies_to_another_payload(bit: int) -> None:
    flipped = bytearray(MESSAGE)
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify1(parse_sign1(bytes(flipped)), KEY.public_key()) == b"payload"


def test_kid_of_the_protected_header_wins() -> None:
    both = message(cbor2.dumps({1: -8, 4: b"inside"}), {4: b"outside"})
    assert parse_sign1(both).kid == b"inside"
    assert parse_sign1(message(unprotected={4: b"outside"})).kid == b"outside"
    assert parse_sign1(message()).kid is None


def test_protected_header_of_no_entries_is_signed_as_an_empty_string() -> None:
    """RFC 9052 4.4; the algorithm then stands outside, where the kind of key still decides it."""
    assert isinstance(KEY, Ed25519PrivateKey)
    signature = KEY.sign(cbor2.dumps(["Signature1", b"", b"", b"p"]))
    for protected in (b"", b"\xa0"):
        assert verify1(parse_sign1(message(protected, {1: -8}, signature=signature)), KEY.public_key()) == b"p"


@pytest.mark.parametrize(("data", "fault"), {
    "nothing": (b"", "CBOR"),
    "trailing byte": (MESSAGE + b"\0", "1 bytes too many"),
    "cut short": (MESSAGE[:-1], "CBOR"),
    "tag twice": (b"\xd2\xd2" + MESSAGE, "tags"),
    "61 without 18": (b"\xd8\x3d" + MESSAGE, "tags"),
    "indefinite array": (b"\x9f" + MESSAGE[1:] + b"\xff", "indefinite"),
    "three parts": (cbor2.dumps([EDDSA, {}, b""]), "four parts"),
    "detached payload": (message(payload=None), "four parts"),
    "map as header bytes": (message(protected={1: -8}), "four parts"),
    "protected is no map": (message(cbor2.dumps([1])), "not a map"),
    "header key twice": (message(b"\xa2\x01\x27\x01\x27"), "Duplicate"),
    "header with trailing byte": (message(EDDSA + b"\0"), "too many"),
    "critical header": (message(cbor2.dumps({1: -8, 2: [99], 99: 1})), "critical"),
    "no algorithm": (message(b""), "algorithm"),
    "HMAC": (message(cbor2.dumps({1: 5})), "algorithm"),
    "algorithm as float": (message(cbor2.dumps({1: -8.0})), "algorithm"),
    "algorithm as text": (message(cbor2.dumps({1: "EdDSA"})), "algorithm"),
    "kid as text": (message(cbor2.dumps({1: -8, 4: "kid"})), "kid"),
}.values())
def test_anything_but_a_clean_message_is_malformed(data: bytes, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        parse_sign1(data)


@pytest.mark.parametrize("item", [
    "c11a5f5e0ff0", "c4821a3b9aca0001", "c249010000000000000000", "d81c81d81d00", "d8236129", "d9010080",
    "d9d9f700", "d9ffff00", "5f4100ff", "7f6100ff", "9f00ff", "bf0000ff", "a200000000", "a1f500", "a1800a",
    "a1a0000a", "a1f97e0000", "61ff", "62c0af", "f818", "1c", "ff", "9bffffffffffffffff", "5bffffffffffffffff",
    "bbffffffffffffffff",
])
def test_cbor_that_could_hurt_is_malformed(item: str) -> None:
    with pytest.raises(MalformedError):
        read_cbor(bytes.fromhex(item))


@pytest.mark.parametrize(("item", "holds"), [("c0623231", "21"), ("c11a5f5e0ff0", 0x5F5E0FF0), ("c1f93e00", 1.5)])
def test_tagged_date_or_time_is_read_where_it_may_stand(item: str, holds: object) -> None:
    assert read_cbor(bytes.fromhex(item), as_issued=True) == holds
    with pytest.raises(MalformedError, match="tags"):
        read_cbor(bytes.fromhex(item))


def test_undefined_is_read_as_null_where_it_may_stand() -> None:
    assert read_cbor(bytes.fromhex("a26161f7616201"), as_issued=True) == {"a": None, "b": 1}
    with pytest.raises(MalformedError, match="keys"):
        read_cbor(bytes.fromhex("a1f700"), as_issued=True)


@pytest.mark.parametrize("item", ["c001", "c16131", "c1f5", "c2413b"])
def test_tag_that_holds_no_date_or_time_is_malformed(item: str) -> None:
    with pytest.raises(MalformedError, match="tag"):
        read_cbor(bytes.fromhex(item), as_issued=True)


def test_cbor_limits_hold() -> None:
    deepest = b"\x81" * DEPTH_MAX + b"\0"
    assert read_cbor(deepest)
    with pytest.raises(MalformedError, match="depth"):
        read_cbor(b"\x81" + deepest)
    largest = cbor2.dumps(bytes(CBOR_MAX_BYTES - 3))
    assert len(largest) == CBOR_MAX_BYTES
    assert read_cbor(largest)
    with pytest.raises(MalformedError, match=str(CBOR_MAX_BYTES)):
        read_cbor(largest + b"\0")


@settings(max_examples=500)
@given(st.binary(max_size=120))
def test_random_bytes_are_read_or_malformed(data: bytes) -> None:
    for reader in (read_cbor, parse_sign1, read_cwt):
        with suppress(MalformedError):
            reader(data)


@given(claims_sets)
def test_claims_come_back_unchanged(claims: dict[int, Any]) -> None:
    assert read_cwt(write_cwt(claims)) == claims


def test_equal_claims_are_equal_bytes_in_whatever_order() -> None:
    assert write_cwt({4: 1, 1: "a", -1: 2}) == write_cwt({-1: 2, 1: "a", 4: 1}) == bytes.fromhex("a301616104012002")


def test_tagged_time_in_claims_is_malformed_unless_asked_for() -> None:
    tagged = bytes.fromhex("a104c11a5f5e0ff0")
    with pytest.raises(MalformedError, match="tags"):
        read_cwt(tagged)
    assert read_cwt(tagged, as_issued=True) == {Claim.EXP: 0x5F5E0FF0}


def test_message_without_claims_in_its_header_has_none_there() -> None:
    assert header_claims(parse_sign1(MESSAGE)) == {}


def test_claims_that_are_no_map_are_malformed() -> None:
    with pytest.raises(MalformedError, match="map"):
        read_cwt(b"\x80")


def test_moment_is_whole_seconds_in_utc() -> None:
    assert moment(1_444_064_944) == datetime(2015, 10, 5, 17, 9, 4, tzinfo=UTC)
    assert moment(253_402_300_799).year == 9999


@pytest.mark.parametrize("seconds", [None, "1", 1.5, True, -1, 253_402_300_800, 2**64 - 1, float("nan")])
def test_moment_of_another_form_is_malformed(seconds: object) -> None:
    with pytest.raises(MalformedError):
        moment(seconds)


# --- vectors that nobody here made ----------------------------------------------------------------------


def jwk_of(vector: dict[str, Any]) -> dict[str, Any]:
    """The public half of a COSE example's key; some examples give coordinates in hex."""
    jwk = {name: value for name, value in vector["input"]["sign0"]["key"].items() if not name.startswith("d")}
    for name in [name for name in jwk if name.endswith("_hex")]:
        raw = bytes.fromhex(jwk.pop(name))
        jwk[name.removesuffix("_hex")] = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return jwk


def cose_examples(*, of_one_signer: bool) -> list[Any]:
    if not DATA.is_dir():
        return []
    files = sorted((DATA / "cose").glob("*/*.json"))
    read = [(file.stem, json.loads(file.read_text())) for file in files]
    return [pytest.param(vector, id=name) for name, vector in read if ("sign0" in vector["input"]) is of_one_signer]


@needs_data
@pytest.mark.parametrize("vector", cose_examples(of_one_signer=False))
def test_cose_example_of_another_kind_is_malformed(vector: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_sign1(bytes.fromhex(vector["output"]["cbor"]))


@needs_data
@pytest.mark.parametrize("vector", cose_examples(of_one_signer=True))
def test_cose_example_gets_its_own_verdict(vector: dict[str, Any]) -> None:
    signer = vector["input"]["sign0"]
    data = bytes.fromhex(vector["output"]["cbor"])
    if signer["key"]["crv"] == "Ed448":
        pytest.skip("Ed448 keys are refused where they are listed, before any message")
    if vector.get("fail") or signer["alg"] not in ("EdDSA", "ES256"):  # ES384 and ES512 are not among what we do
        with pytest.raises(CodeError):
            verify1(parse_sign1(data), public_key_from_jwk(jwk_of(vector)))
        return
    message = parse_sign1(data)
    plain = vector["input"]
    expected = bytes.fromhex(plain["plaintext_hex"]) if "plaintext_hex" in plain else plain["plaintext"].encode()
    assert verify1(message, public_key_from_jwk(jwk_of(vector))) == expected


@needs_data
def test_cwt_of_rfc_8392_reads_as_printed_there() -> None:
    vector = json.loads((DATA / "cose/CWT/A_3.json").read_text())
    message = parse_sign1(bytes.fromhex(vector["output"]["cbor"]))
    claims = read_cwt(verify1(message, public_key_from_jwk(jwk_of(vector))))
    assert claims[Claim.ISS] == "coap://as.example.com"
    assert claims[Claim.SUB] == "erikw"
    assert moment(claims[Claim.EXP]) == datetime.fromtimestamp(1_444_064_944, UTC)
    assert claims[Claim.CTI] == b"\x0b\x71"


@needs_data
@pytest.mark.parametrize("file", ["ed25519_test.json", "ecdsa_secp256r1_sha256_p1363_test.json"])
def test_wycheproof_signatures_get_their_verdict(file: str) -> None:
    wrong = []
    for group in json.loads((DATA / "wycheproof" / file).read_text())["testGroups"]:
        key = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(key, PublicKey)
        for case in group["tests"]:
            try:
                verify_signature(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
                verdict = "valid"
            except ForgedError:
                verdict = "invalid"
            if verdict != case["result"]:
                wrong.append((case["tcId"], case["comment"]))
    assert wrong == []
