"""What recorders and other gates say: believed under their own key, for their own purpose, until that is withdrawn."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import wire
from gate.acks import read_ack, sign_ack
from gate.cose import sign1
from gate.errors import ForgedError, MalformedError, UnknownKeyError
from gate.trust import Key, Keyring, key_id, kid_of, unseal

PRIVATE = Ed25519PrivateKey.generate()
KID = kid_of(PRIVATE.public_key())
KEY = Key(KID, PRIVATE.public_key(), "centre", "recorder")
ACK = wire.Ack("khu-a", "gate-1", "e1", 1, 7, "00" * 32)
AT = datetime(2026, 11, 23, tzinfo=UTC)


def sealed(content: bytes = b"word", key: Ed25519PrivateKey = PRIVATE) -> str:
    return base64.b64encode(sign1(content, key, KID)).decode()


def test_an_acknowledgement_reads_as_it_was_signed():
    assert read_ack(sign_ack(ACK, PRIVATE, KID, id="1", time=AT), Keyring([KEY])) == ACK


def test_what_is_signed_and_no_acknowledgement_is_refused():
    payload = wire.message("ack", "s", "1", AT, wire.SignedAck(sealed(b"{}")))
    with pytest.raises(MalformedError, match="not an acknowledgement"):
        read_ack(payload, Keyring([KEY]))


def test_of_two_keys_with_one_kid_the_signers_counts():
    other = Key(KID, Ed25519PrivateKey.generate().public_key(), "x", "recorder")
    assert unseal(sealed(), Keyring([other, KEY]), "recorder") == b"word"


@pytest.mark.parametrize(("keyring", "issuer", "text", "fault"), [
    (Keyring([KEY]), None, sealed(key=Ed25519PrivateKey.generate()), ForgedError),
    (Keyring(), None, sealed(), UnknownKeyError),
    (Keyring([KEY]), "gate-1", sealed(), UnknownKeyError),
    (Keyring([Key(KID, PRIVATE.public_key(), "centre", "pass")]), None, sealed(), UnknownKeyError),
    (Keyring([KEY], withdrawn=frozenset({key_id(KID)})), None, sealed(), UnknownKeyError),
    (Keyring([KEY], withdrawn=frozenset({KEY.fingerprint})), None, sealed(), UnknownKeyError),
    (Keyring([KEY]), None, "!", MalformedError),
    (Keyring([KEY]), None, base64.b64encode(b"x").decode(), MalformedError),
], ids=["forged", "unknown", "another's", "for passes", "withdrawn by its kid", "withdrawn by its fingerprint",
        "no base64", "no message"])
def test_what_is_not_proved_is_not_believed(keyring, issuer, text, fault):
    with pytest.raises(fault):
        unseal(text, keyring, "recorder", issuer)
