"""Whom the gate believes: only a listed key for that purpose, in its own issuer's name, within its own life."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from base45 import b45encode
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from gate.cose import PublicKey, sign1
from gate.decoder import gp1, read
from gate.errors import (
    CodeError,
    DocumentError,
    ForgedError,
    MalformedError,
    UnknownFormatError,
    UnknownKeyError,
    WrongCodeError,
)
from gate.jwk import public_key_from_jwk, public_key_to_jwk, thumbprint
from gate.model import Claims, Reason, Token
from gate.trust import (
    DOCUMENT_MAX_BYTES,
    KID_MAX_BYTES,
    Key,
    Keyring,
    Revocations,
    key_id,
    keyring_from_json,
    keyring_from_trust_list,
    keyring_to_json,
    kid_of,
    reason_of,
    revocations_from_json,
    revocations_to_json,
    token_hash,
    verify,
)

DATA = Path(__file__).resolve().parents[1] / "../shared/data"

ISSUER = Ed25519PrivateKey.generate()
KID = kid_of(ISSUER.public_key())
KEY = Key(KID, ISSUER.public_key(), "kcn-tan-thuan", "pass", "VN", issuer_name="KCN Tân Thuận")
VOUCHED = Claims(
    issuer="kcn-tan-thuan", subject="h1", key_id=key_id(KID), pass_id="00" * 8,
    valid_from_at=datetime(2026, 1, 1, tzinfo=UTC), valid_until_at=datetime(2027, 1, 1, tzinfo=UTC),
    areas=frozenset({"site"}),
)
TOKEN = read(gp1.issue_pass(VOUCHED, ISSUER).encode())


def issuers(**changes: Any) -> bytes:
    """An issuers document with one key, some of its members changed (None: left out)."""
    key = {"kid": key_id(KID), "purpose": "pass", "jwk": public_key_to_jwk(ISSUER.public_key())} | changes
    key = {name: value for name, value in key.items() if value is not None}
    return json.dumps({"schema": "gate.issuers/1", "issuers": [{"id": "kcn-tan-thuan", "keys": [key]}]}).encode()


def certificate(key: Any = None) -> bytes:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "VN")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    life = builder.not_valid_before(datetime(2025, 1, 1)).not_valid_after(datetime(2029, 1, 1))  # noqa: DTZ001
    return life.sign(key, None if isinstance(key, ed448.Ed448PrivateKey) else SHA256()).public_bytes(Encoding.DER)


# --- what a token proves --------------------------------------------------------------------------------


def test_pass_of_a_listed_key_gives_its_claims() -> None:
    assert verify(TOKEN, Keyring([KEY])) == VOUCHED


def test_token_without_signature_proves_nothing() -> None:
    assert verify(Token("cccd", ("cccd:001090123456",)), Keyring([KEY])) is None


@pytest.mark.parametrize("keys", [[], [replace(KEY, kid=b"another")], [replace(KEY, purpose="recorder")]])
def test_pass_of_a_key_that_is_not_listed_for_passes_is_of_an_unknown_key(keys: list[Key]) -> None:
    with pytest.raises(UnknownKeyError):
        verify(TOKEN, Keyring(keys))


def test_pass_of_a_stranger_under_a_listed_kid_is_forged() -> None:
    forged = read(gp1.issue_pass(VOUCHED, Ed25519PrivateKey.generate()).encode())
    with pytest.raises(ForgedError):
        verify(forged, Keyring([KEY]))


def test_pass_in_another_issuers_name_is_forged() -> None:
    other = read(gp1.issue_pass(replace(VOUCHED, issuer="kcn-linh-trung"), ISSUER).encode())
    with pytest.raises(ForgedError, match="kcn-linh-trung"):
        verify(other, Keyring([KEY]))


def test_forged_pass_is_refused_before_its_claims_are_read() -> None:
    """A claim that cannot be read must not show when the signature is wrong: nobody signed it."""
    nonsense = read(b"GP1:" + b45encode(sign1(b"not cbor", Ed25519PrivateKey.generate(), KID)))
    with pytest.raises(ForgedError):
        verify(nonsense, Keyring([KEY]))
    signed = read(b"GP1:" + b45encode(sign1(b"not cbor", ISSUER, KID)))
    with pytest.raises(MalformedError):
        verify(signed, Keyring([KEY]))


def test_every_key_of_a_kid_is_tried() -> None:
    stranger = replace(KEY, public_key=Ed25519PrivateKey.generate().public_key())
    other_kind = replace(KEY, public_key=ec.generate_private_key(ec.SECP256R1()).public_key())
    assert verify(TOKEN, Keyring([stranger, other_kind, KEY])) == VOUCHED


def test_longest_lived_certificate_around_a_key_speaks_for_it() -> None:
    """Countries renew a certificate around the same key, and lists hold both in any order."""
    old, new = (replace(KEY, valid_until_at=datetime(year, 1, 1, tzinfo=UTC), certificate=bytes([year - 2000]))
                for year in (2025, 2026))
    for keys in ([old, new], [new, old]):
        claims = verify(TOKEN, Keyring(keys))
        assert claims is not None
        assert claims.valid_until_at == new.valid_until_at


def test_withdrawn_certificate_speaks_only_where_no_other_does() -> None:
    old, new = (replace(KEY, certificate=der) for der in (b"old", b"new"))
    for keys, withdrawn, alone in (([old, new], new, False), ([old, new], old, False), ([new], new, True)):
        claims = verify(TOKEN, Keyring(keys, withdrawn=frozenset({withdrawn.fingerprint})))
        assert claims == replace(VOUCHED, key_withdrawn=alone)


def test_pass_is_valid_only_within_its_keys_life() -> None:
    later, sooner = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
    claims = verify(TOKEN, Keyring([replace(KEY, valid_from_at=later, valid_until_at=sooner)]))
    assert claims == replace(VOUCHED, valid_from_at=later, valid_until_at=sooner)
    long_life = replace(KEY, valid_from_at=later - timedelta(days=999), valid_until_at=sooner + timedelta(days=999))
    assert verify(TOKEN, Keyring([long_life])) == VOUCHED


@pytest.mark.parametrize(("error", "reason"), [
    (MalformedError("x"), Reason.MALFORMED), (UnknownFormatError("x"), Reason.UNKNOWN_FORMAT),
    (WrongCodeError("url"), Reason.WRONG_CODE), (UnknownKeyError("x"), Reason.UNKNOWN_KEY),
    (ForgedError("x"), Reason.BAD_SIGNATURE), (CodeError("x"), Reason.INTERNAL_ERROR),
])
def test_each_refused_code_has_its_reason(error: CodeError, reason: Reason) -> None:
    assert reason_of(error) is reason


def test_token_hash_depends_on_key_and_identifier() -> None:
    hashes = {token_hash(key, text) for key in (b"k1", b"k2") for text in ("cccd:1", "cmnd:1")}
    assert len(hashes) == 4
    assert {len(one) for one in hashes} == {16}


# --- documents ------------------------------------------------------------------------------------------

KINDS: dict[str, PublicKey] = {
    "Ed25519": ISSUER.public_key(),
    "P-256": ec.generate_private_key(ec.SECP256R1()).public_key(),
    "P-384": ec.generate_private_key(ec.SECP384R1()).public_key(),
    "P-521": ec.generate_private_key(ec.SECP521R1()).public_key(),
    "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
}


@pytest.mark.parametrize("public_key", KINDS.values(), ids=KINDS)
def test_key_comes_back_from_its_jwk(public_key: PublicKey) -> None:
    assert public_key_from_jwk(public_key_to_jwk(public_key) | {"use": "sig", "alg": "any"}) == public_key


moments = st.none() | st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ids = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
keys = st.builds(
    Key, kid=st.binary(min_size=1, max_size=KID_MAX_BYTES), public_key=st.sampled_from(list(KINDS.values())),
    issuer=ids, purpose=st.sampled_from(["pass", "recorder", "operator", "health"]),
    country=st.sampled_from(["", "VN"]),
    valid_from_at=moments, valid_until_at=moments,
    kinds=st.none() | st.frozensets(st.sampled_from("vtr"), min_size=1), authority=st.booleans(),
)


@given(st.lists(keys, max_size=5))
def test_keyring_comes_back_from_its_document(some: list[Key]) -> None:
    grouped = [key for issuer in dict.fromkeys(key.issuer for key in some) for key in some if key.issuer == issuer]
    assert list(keyring_from_json(keyring_to_json(Keyring(some))).keys) == grouped


def test_issuers_name_and_offset_times_are_read() -> None:
    named = Keyring([KEY])
    assert keyring_from_json(keyring_to_json(named)).keys == named.keys
    (key,) = keyring_from_json(issuers(valid_until="2026-11-23T07:00:00+07:00")).keys
    assert key.valid_until_at == datetime(2026, 11, 23, 7, tzinfo=timezone(timedelta(hours=7)))


def test_kid_may_stand_in_base64url_as_key_sets_write_it() -> None:
    listed = [{"kid": "-_8", "jwk": public_key_to_jwk(ISSUER.public_key())}]
    (key,) = keyring_from_trust_list(json.dumps(listed).encode()).keys
    assert key.kid == b"\xfb\xff"


def test_certificate_brings_its_key_and_its_life() -> None:
    der = base64.b64encode(certificate()).decode()
    (key,) = keyring_from_json(issuers(jwk=None, certificate=der, purpose="health", country="VN")).keys
    assert (key.valid_from_at, key.valid_until_at) == (
        datetime(2025, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC))
    shortened = keyring_from_json(issuers(jwk=None, certificate=der, valid_until="2026-01-01T00:00:00Z"))
    assert shortened.keys[0].valid_until_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert keyring_from_json(keyring_to_json(shortened)).keys == shortened.keys


@pytest.mark.parametrize(("document", "fault"), [
    (b"", "form"), (b"[]", "form"), (b"[" * 100_000, "form"),
    (b'{"schema":"gate.issuers/2","issuers":[]}', "schema"),
    (issuers(kid="not base64"), "base64"), (issuers(kid=""), "kid of 0 bytes"),
    (issuers(kid=key_id(bytes(KID_MAX_BYTES + 1))), "65 bytes"),
    (issuers(purpose="everything"), "everything"), (issuers(purpose=None), "purpose"),
    (issuers(jwk=None), "either a jwk or a certificate"), (issuers(certificate="AA=="), "either a jwk or a"),
    (issuers(jwk=public_key_to_jwk(ISSUER.public_key()) | {"d": "AA"}), "private key"),
    (issuers(valid_until="2026-01-01T00:00:00"), "timezone"),
    (issuers(validuntil="2026-01-01T00:00:00Z"), "validuntil"),
    (b" " * (DOCUMENT_MAX_BYTES + 1), str(DOCUMENT_MAX_BYTES)),
])
def test_issuers_out_of_form_are_refused(document: bytes, fault: str) -> None:
    with pytest.raises(DocumentError, match=fault):
        keyring_from_json(document)


@pytest.mark.parametrize(("unusable", "fault"), [
    ({"certificate": "AA=="}, "not a certificate"), ({"certificate": "%"}, "not base64"),
    ({"certificate": key_id(certificate(ed448.Ed448PrivateKey.generate()))}, "Ed448"),
    ({"jwk": {"kty": "OKP", "crv": "Ed448", "x": ""}}, "neither Ed25519"),
    ({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}, "not a key"),
    ({"jwk": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}}, "not a key"),
])
def test_key_that_cannot_be_used_is_left_out_by_name_and_the_others_stay(
    unusable: dict[str, Any], fault: str,
) -> None:
    document = json.loads(issuers())
    document["issuers"][0]["keys"].insert(0, {"kid": "AQ==", "purpose": "health", **unusable})
    keyring = keyring_from_json(json.dumps(document).encode())
    (why,) = keyring.left_out
    assert why.startswith("kcn-tan-thuan, key AQ==: ")
    assert fault in why
    assert verify(TOKEN, keyring) == VOUCHED


def test_key_without_an_issuer_is_not_published() -> None:
    with pytest.raises(ValueError, match="issuer"):
        keyring_to_json(Keyring([replace(KEY, issuer=None)]))


def test_trust_list_verifies_in_any_name() -> None:
    listed = [{"kid": key_id(KID), "jwk": public_key_to_jwk(ISSUER.public_key()), "country": "VN", "note": "ours"}]
    assert verify(TOKEN, keyring_from_trust_list(json.dumps(listed).encode())) == VOUCHED


@pytest.mark.parametrize(("entry", "fault"), [
    ({"kid": "AQ==", "certificate": "AA=="}, "not a certificate"), ({"kid": "AQ==", "certificate": "%"}, "base64"),
    ({"kid": "%", "jwk": public_key_to_jwk(ISSUER.public_key())}, "base64"), ({"kid": "AQ=="}, "either a jwk or a"),
    ({"kid": 7, "certificate": "AA=="}, "Expected `str"), ("AQ==", "Expected `object`"), (None, "Expected `object`"),
    ({"kid": "AQ==", "jwk": public_key_to_jwk(ISSUER.public_key()) | {"d": "AA"}}, "private key"),
])
def test_entry_of_a_trust_list_that_cannot_be_used_is_left_out_by_name(entry: Any, fault: str) -> None:
    good = {"kid": key_id(KID), "jwk": public_key_to_jwk(ISSUER.public_key())}
    keyring = keyring_from_trust_list(json.dumps([good, entry]).encode())
    (why,) = keyring.left_out
    assert why.startswith("entry 1: ")
    assert fault in why
    assert verify(TOKEN, keyring) == VOUCHED


@pytest.mark.parametrize("document", [b"", b"{}", b'"x"', b"[1, 2", b"\xff"])
def test_trust_list_that_is_no_list_is_refused(document: bytes) -> None:
    with pytest.raises(DocumentError):
        keyring_from_trust_list(document)


def test_key_without_a_kid_is_called_by_its_certificate_or_its_thumbprint() -> None:
    der = certificate()
    listed = [{"certificate": base64.b64encode(der).decode()}, {"jwk": public_key_to_jwk(ISSUER.public_key())}]
    certified, bare = keyring_from_trust_list(json.dumps(listed).encode()).keys
    assert certified.kid == hashlib.sha256(der).digest()[:8]
    assert bare.kid == thumbprint(ISSUER.public_key())


def test_authority_on_a_curve_of_no_jwk_is_kept_and_published_again() -> None:
    """Authorities of ICAO sign with Brainpool curves."""
    der = certificate(ec.generate_private_key(ec.BrainpoolP256R1()))
    keyring = keyring_from_json(issuers(jwk=None, certificate=base64.b64encode(der).decode(), purpose="health"))
    assert not keyring.left_out
    assert keyring_from_json(keyring_to_json(keyring)).keys == keyring.keys


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not beside this repository")
def test_every_certificate_of_a_real_trust_list_is_read() -> None:
    document = (DATA / "dcc-trust/acc_dsc.json").read_bytes()
    assert len(keyring_from_trust_list(document).keys) == len(json.loads(document)) == 803


hexes = st.binary(min_size=1, max_size=16).map(bytes.hex)
base64s = st.binary(min_size=1, max_size=8).map(key_id)


@given(st.builds(Revocations, st.frozensets(hexes), st.frozensets(ids), st.frozensets(base64s),
                 st.frozensets(st.binary(min_size=32, max_size=32).map(bytes.hex))))
def test_revocations_come_back_from_their_document(revoked: Revocations) -> None:
    assert revocations_from_json(revocations_to_json(revoked)) == revoked


@pytest.mark.parametrize("document", [
    b"{}", b'{"schema":"gate.issuers/1"}', b'{"schema":"gate.revocations/1","passes":["XY"]}',
    b'{"schema":"gate.revocations/1","keys":["!"]}', b'{"schema":"gate.revocations/1","pass":[]}',
    b'{"schema":"gate.revocations/1","fingerprints":["00"]}',
])
def test_revocations_out_of_form_are_refused(document: bytes) -> None:
    with pytest.raises(DocumentError):
        revocations_from_json(document)
