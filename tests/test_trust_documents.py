"""What documents of trust say to the last member: whose key, from which certificate, and what stands against one."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support_health import EXPIRES_AT, ISSUED_AT, ISSUER, certificate, hc1, judge, seal

from gate.decoder import read
from gate.errors import DocumentError
from gate.jwk import public_key_to_jwk
from gate.model import Reason
from gate.trust import (
    DOCUMENT_MAX_BYTES,
    KID_MAX_BYTES,
    Key,
    Keyring,
    key_id,
    keyring_from_json,
    keyring_from_trust_list,
    keyring_to_json,
    kid_of,
    revocations_from_json,
    verify,
)

VACCINATION = "1.3.6.1.4.1.1847.2021.1.2"
CSCA = ec.generate_private_key(ec.SECP384R1())
AUTHORITY = Key(b"csca", CSCA.public_key(), "icao", "health", "VN", ISSUED_AT, EXPIRES_AT, authority=True)


def text_of(der: bytes) -> str:
    return base64.b64encode(der).decode()


def issuers(**key: Any) -> bytes:
    return json.dumps({"schema": "gate.issuers/1", "issuers": [{"id": "byt", "keys": [key]}]}).encode()


def key_of(**key: Any) -> Key:
    (read,) = keyring_from_json(issuers(purpose="health", **key)).keys
    return read


# --- names ----------------------------------------------------------------------------------------------


def test_kid_of_our_issuers_is_the_beginning_of_the_hash_of_the_key() -> None:
    """The public key of RFC 8032 7.1, test 1."""
    public_key = Ed25519PublicKey.from_public_bytes(
        bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
    assert kid_of(public_key).hex() == "06e3fd8fda29bb60"


def test_certificate_without_a_kid_is_called_by_its_hash() -> None:
    der = certificate()
    assert key_of(certificate=text_of(der)).kid == sha256(der).digest()[:8]


def test_keyring_that_knows_nobody_finds_nobody() -> None:
    assert Keyring().find(b"kid", "pass") == ()
    assert Keyring().find(None, "pass") == ()


# --- what a certificate brings along --------------------------------------------------------------------


def test_certificate_brings_its_kinds_and_whether_it_is_an_authority() -> None:
    assert key_of(certificate=text_of(certificate(usages=(VACCINATION,)))).kinds == {"v"}
    assert key_of(certificate=text_of(certificate(authority=True))).authority
    by_hand = key_of(certificate=text_of(certificate(usages=(VACCINATION,), authority=True)), kinds=["t"],
                     authority=False)
    assert (by_hand.kinds, by_hand.authority) == ({"t"}, False)


def test_times_of_a_document_are_kept_in_utc() -> None:
    key = key_of(kid="AQ==", jwk=public_key_to_jwk(ISSUER.public_key()), valid_from="2026-01-01T07:00:00+07:00",
                 valid_until="2027-01-01T07:00:00+07:00")
    assert (key.valid_from_at, key.valid_until_at) == (
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert key.valid_from_at is not None and key.valid_from_at.tzinfo is UTC
    assert key.valid_until_at is not None and key.valid_until_at.tzinfo is UTC


def test_seal_that_names_no_end_is_printed_until_its_signers() -> None:
    found = judge(seal(certificate(by=CSCA)), AUTHORITY)
    assert found.claims is not None, found.detail
    assert found.claims.printed_until_at == EXPIRES_AT


@pytest.mark.parametrize(("purpose", "reason"), [("health", None), ("pass", Reason.UNKNOWN_KEY)])
def test_authority_vouches_for_its_own_purpose_only(purpose: Any, reason: Reason | None) -> None:
    signer = certificate(by=CSCA)
    found = judge(seal(signer), replace(AUTHORITY, purpose=purpose))
    assert found.reason is reason


def test_seal_names_the_certificate_that_it_brought_along() -> None:
    """So that one signer can be revoked without its authority."""
    signer = certificate(by=CSCA)
    found = judge(seal(signer), AUTHORITY)
    assert found.claims is not None, found.detail
    assert found.claims.key_id == key_id(sha256(signer).digest()[:8])


def test_signer_is_withdrawn_by_the_fingerprint_of_its_certificate_alone() -> None:
    signer, other = certificate(by=CSCA), certificate()
    listed = key_of(kid="aw==", certificate=text_of(other), country="VN")
    for code, key, der in ((seal(signer), AUTHORITY, signer), (hc1(kid=b"k"), listed, other)):
        for withdrawn, gone in ((sha256(der).hexdigest(), True), ("00" * 32, False)):
            claims = verify(read(code), Keyring([key], withdrawn=frozenset({withdrawn})))
            assert claims is not None
            assert claims.key_withdrawn is gone


# --- what stands against a document ---------------------------------------------------------------------

JWK = public_key_to_jwk(ISSUER.public_key())


@pytest.mark.parametrize(("key", "fault"), [
    ({"kid": "%", "jwk": JWK}, "^a kid is not base64"),
    ({"jwk": JWK, "certificate": "AA=="}, "^key of no kid: give either"),
    ({"kid": "AQ=="}, "^key AQ==: give either"),
])
def test_fault_of_a_key_is_told_with_its_name(key: dict[str, Any], fault: str) -> None:
    with pytest.raises(DocumentError, match=fault):
        keyring_from_json(issuers(purpose="health", **key))


def test_certificate_that_is_not_base64_is_told_with_the_name_of_its_key() -> None:
    (why,) = keyring_from_json(issuers(kid="AQ==", purpose="health", certificate="%")).left_out
    assert why == "byt, key AQ==: the certificate is not base64: '%'"


def test_revoked_key_that_is_not_base64_is_told() -> None:
    with pytest.raises(DocumentError, match=r"^a revoked key is not base64"):
        revocations_from_json(b'{"schema":"gate.revocations/1","keys":["%"]}')


def test_longest_kid_and_document_are_read() -> None:
    longest = issuers(purpose="health", kid=key_id(bytes(KID_MAX_BYTES)), jwk=JWK)
    assert len(keyring_from_json(longest.ljust(DOCUMENT_MAX_BYTES)).keys) == 1
    with pytest.raises(DocumentError, match=str(DOCUMENT_MAX_BYTES)):
        keyring_from_json(longest.ljust(DOCUMENT_MAX_BYTES + 1))


def test_entry_of_a_list_that_is_no_key_is_told_by_its_place() -> None:
    keyring = keyring_from_trust_list(json.dumps([{"kid": "AQ==", "jwk": JWK}, 7]).encode())
    assert len(keyring.keys) == 1
    assert [why.partition(":")[0] for why in keyring.left_out] == ["entry 1"]


def test_published_key_keeps_what_was_said_of_it() -> None:
    key = key_of(kid="AQ==", jwk=JWK, country="VN", kinds=["v", "r"], authority=True)
    assert keyring_from_json(keyring_to_json(Keyring([key]))).keys == (key,)
