"""The recorder's signed acknowledgement, both directions: `wire.Ack` as JSON in a COSE_Sign1. Pure."""

from __future__ import annotations

import base64
from datetime import datetime

import msgspec

from gate import wire
from gate.cose import PrivateKey, sign1
from gate.errors import MalformedError
from gate.strict_json import NOT_IN_FORM
from gate.trust import Keyring, Purpose, unseal

PURPOSE: Purpose = "recorder"
"""The purpose that a key must have in the issuers document to make a gate forget anything."""


def sign_ack(ack: wire.Ack, private_key: PrivateKey, kid: bytes, *, id: str, time: datetime) -> bytes:
    """The payload of `down/ack`."""
    signed = sign1(msgspec.json.encode(ack), private_key, kid)
    return wire.message("ack", wire.source(ack.site, ack.gate), id, time,
                        wire.SignedAck(base64.b64encode(signed).decode()))


def read_ack(payload: bytes, keyring: Keyring) -> wire.Ack:
    """Believe an acknowledgement: its signature is proved before anything inside it is read.

    Raises:
        MalformedError: not in the form of an acknowledgement.
        UnknownKeyError: no recorder's key has this kid.
        ForgedError: that key did not sign it.
    """
    envelope = wire.read_message(payload, "ack", wire.SignedAck)
    try:
        return msgspec.json.decode(unseal(envelope.sign1, keyring, PURPOSE), type=wire.Ack)
    except NOT_IN_FORM as error:
        raise MalformedError(f"not an acknowledgement: {error}") from error
