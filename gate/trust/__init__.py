"""Whom the gate believes: issuers' keys, revocations, the roster; and what a token proves against them. Pure.

    keys       Key, Keyring, Revocations, and the roster as admission sees it
    documents  both directions of `issuers.json` and `revocations.json`, and the plain list of `gate decode`
    proof      a token's signature, checked before its claims are read
    sealed     what recorders and other gates say under their signature
"""

from gate.trust.documents import (
    DOCUMENT_MAX_BYTES,
    KID_MAX_BYTES,
    keyring_from_json,
    keyring_from_trust_list,
    keyring_to_json,
    revocations_from_json,
    revocations_to_json,
)
from gate.trust.keys import Key, Keyring, Purpose, Revocations, Roster, key_id, kid_of, token_hash
from gate.trust.proof import ISSUER_DISAGREES, prove, read_proved, reason_of, verify
from gate.trust.sealed import unseal, unseal_with

__all__ = [
    "DOCUMENT_MAX_BYTES",
    "ISSUER_DISAGREES",
    "KID_MAX_BYTES",
    "Key",
    "Keyring",
    "Purpose",
    "Revocations",
    "Roster",
    "key_id",
    "keyring_from_json",
    "keyring_from_trust_list",
    "keyring_to_json",
    "kid_of",
    "prove",
    "read_proved",
    "reason_of",
    "revocations_from_json",
    "revocations_to_json",
    "token_hash",
    "unseal",
    "unseal_with",
    "verify",
]
