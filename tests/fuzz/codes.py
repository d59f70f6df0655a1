"""Fuzz targets for what people show: every code format, from its text to the claims that a signature vouches for."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import base45 as reference_base45
import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import decoder
from gate.admission import admit
from gate.cbor import read_cbor
from gate.cose import parse_sign1, sign1, verify1
from gate.cose_key import p256_key, read_p256, write_p256
from gate.decoder import FORMATS, base45, gp1, gp1_live, hc1, names, nzcp
from gate.decoder.inflate import INFLATED_MAX_BYTES, RAW, ZLIB, inflate
from gate.errors import ForgedError, MalformedError, WrongCodeError
from gate.inspection import Finding, answer, inspect
from gate.jws import base64url, parse_jws, verify_jws
from gate.model import PAYLOAD_MAX_BYTES, Claims, Direction, Now, Proof, Reason, Scan, Token
from gate.strict_json import canonical, read_json_object
from gate.trust import Key, Keyring
from gate.trust.proof import SIGNED
from gate.view import DocumentSet, View

from .target import Target

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KID = bytes(range(1, 9))
ED25519, P256 = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
KEYRING = Keyring(Key(KID, key.public_key(), "site", purpose, "VN", authority=True)
                  for key in (ED25519, P256) for purpose in ("pass", "health"))
"""Keys that every message may name, and that have signed nothing."""
VIEW = View(area="site", zone=ZoneInfo("UTC"), documents=DocumentSet(keyring=KEYRING))
CBOR_WORDS = (b"\xd2\x84", b"\xd8\x3d", b"\xa1\x01\x26", b"\xa2\x01\x27\x04\x48" + KID, b"\x39\x01\x03\xa1\x01",
              b"\x5f", b"\x9f", b"\xbf", b"\xff", b"\xc1", b"\xf9\x7e\x00", b"\xfb", b"\x1b" + b"\xff" * 8, b"\x5a")
JSON_WORDS = (b'"', b"{", b"}", b"[", b"]", b":", b"null", b"NaN", b"1e999", b"-0", b"\\ud800", b"\\u0000")


# --- a whole payload ------------------------------------------------------------------------------------


def decide(payload: bytes) -> tuple[Any, Finding]:
    """What the lane decides of it, and what `gate decode` says of it."""
    scan = Scan("reader", Direction.ENTRY, payload, 0.0)
    return admit(scan, VIEW, Now(NOON, 0.0)), inspect(payload, NOON, VIEW.documents)


def opens_nothing(payload: bytes, found: tuple[Any, Finding]) -> None:
    """Nobody has signed or listed it: no grant, no proof, and never our own fault."""
    decision, finding = found
    assert not decision.granted
    assert decision.reason is not Reason.INTERNAL_ERROR, decision.steps
    assert finding.proof in (Proof.NONE, Proof.CLAIMED)
    msgspec.json.encode(answer(finding, None, 0, payload))


def claimed(known: decoder.Format) -> Callable[[bytes], Token]:
    """Reads what a format claims, as `decoder.read` does."""

    def parse(payload: bytes) -> Token:
        if not known.claims(payload):
            raise MalformedError("another format's")
        return known.parse(payload)

    return parse


def is_token(_payload: bytes, token: Token) -> None:
    """What it says of a person is text of one line each, and can be written down."""
    assert all(":" in identifier and identifier.isprintable() for identifier in token.identifiers)
    msgspec.json.encode(token.person).decode()


def wrapped(wrap: Callable[[bytes], bytes], parse: Callable[[bytes], Token]) -> Callable[[bytes], Token]:
    """Reads what stands inside a wrapping that random bytes would not come through."""
    return lambda inside: parse(wrap(inside))


def unwraps_to(inside: bytes, token: Token) -> None:
    """What was wrapped comes out."""
    assert token.signed == inside


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    gp1.NAME: lambda inside: b"GP1:" + reference_base45.b45encode(inside),
    gp1_live.NAME: lambda inside: b"GL1:" + reference_base45.b45encode(inside),
    hc1.NAME: lambda inside: b"HC1:" + reference_base45.b45encode(zlib.compress(inside)),
    nzcp.NAME: lambda inside: b"NZCP:/1/" + base64.b32encode(inside).rstrip(b"="),
}


# --- what a signature vouches for -----------------------------------------------------------------------


def is_answer(_payload: bytes, claims: Claims) -> None:
    """What was signed can be told in one line of `gate.decode/1`."""
    msgspec.json.encode(answer(Finding("x", Proof.SIGNED, None, claims, claims.person), None, 0))


def is_issued_again(_payload: bytes, claims: Claims) -> None:
    """A pass that can be read can be issued, and reads the same (but for what no QR of a pass can hold)."""
    signed = sign1(gp1.write_cwt(gp1._to_cwt(claims)), ED25519, KID)
    assert gp1.read_claims(parse_sign1(signed).payload, claims.key_id) == claims


def is_one_point(_payload: bytes, point: bytes) -> None:
    """The key of a phone that could be read can be used, and has one form."""
    assert p256_key(read_p256(write_p256(point))) == p256_key(point)


def claims_target(name: str, read_claims: Callable[[bytes, str], Claims]) -> Target:
    """Reads what somebody has signed."""
    return Target(
        f"{name}-claims", lambda payload: read_claims(payload, "AQIDBAUGBwg="), (MalformedError,),
        is_issued_again if name == gp1.NAME else is_answer, max_bytes=16_384, words=CBOR_WORDS + JSON_WORDS,
    )


# --- the layers beneath ---------------------------------------------------------------------------------


def base45_is_rfc_9285(text: bytes, decoded: bytes) -> None:
    """It is what another implementation makes of it, and the only text of these bytes."""
    assert reference_base45.b45decode(text) == decoded
    assert reference_base45.b45encode(decoded) == text


def inflate_both(data: bytes) -> bytes:
    """As either wrapping, told by the first byte."""
    return inflate(data[1:], ZLIB if data[:1] == b"Z" else RAW)


def is_bounded(_data: bytes, inflated: bytes) -> None:
    """Within its limit, and found again by whoever deflates it."""
    assert len(inflated) <= INFLATED_MAX_BYTES
    assert inflate(zlib.compress(inflated), ZLIB) == inflated


def reads_the_same_again(_data: bytes, item: Any) -> None:
    """Written and read again, it is the same (compared as text: NaN is nobody's equal)."""
    assert repr(read_cbor(cbor2.dumps(item))) == repr(item)


def nobody_signed(_data: bytes, message: Any) -> None:
    """Nobody holds a key that has signed it."""
    for key in (ED25519, P256):
        try:
            verify1(message, key.public_key())
        except ForgedError:
            continue
        raise AssertionError("a signature that nobody made")


def nobody_signed_jws(data: bytes, message: Any) -> None:
    """Its parts are those of its text, and nobody holds a key that has signed it."""
    assert base64url(data.split(b".")[1]) == message.payload
    try:
        verify_jws(message, P256.public_key())
    except ForgedError:
        return
    raise AssertionError("a signature that nobody made")


def is_plain_json(_data: bytes, found: dict[str, Any]) -> None:
    """Text of it is read as the same; its canonical form, where it has one, is a fixed point."""
    assert read_json_object(msgspec.json.encode(found)) == found
    try:
        text = canonical(found)
    except MalformedError:
        return
    assert canonical(read_json_object(text)) == text


def compare_names(data: bytes) -> tuple[str, str]:
    """Two names, parted by a line end."""
    one, _, other = data.decode(errors="replace").partition("\n")
    return one, other


def is_a_relation(_data: bytes, pair: tuple[str, str]) -> None:
    """Matching goes both ways, and a name with a word matches itself."""
    one, other = pair
    assert names.names_match(one, other) is names.names_match(other, one)
    assert names.names_match(one, one) is bool(names.spellings(one))


TARGETS = (
    Target("payload", decide, (), opens_nothing, PAYLOAD_MAX_BYTES + 1,
           (b"GP1:", b"GL1:", b"HC1:", b"shc:/", b"NZCP:/1/", b'{"hdr"', b"icao.", b"|", b"|$", b"000201", b"6304",
            b"*")),
    *(Target(known.NAME, claimed(known), (MalformedError, WrongCodeError), is_token, PAYLOAD_MAX_BYTES)
      for known in FORMATS),
    *(Target(f"{known.NAME}-wrapped", wrapped(WRAPPINGS[known.NAME], known.parse),
             (MalformedError,), unwraps_to, words=CBOR_WORDS) for known in FORMATS if known.NAME in WRAPPINGS),
    *(claims_target(name, signed.read_claims) for name, signed in SIGNED.items()),
    Target("phone_point", gp1.read_phone_point, (MalformedError,), is_one_point, words=CBOR_WORDS),
    Target("wrong", decoder.wrong.recognise, (),
           lambda _payload, hint: msgspec.json.encode(decoder.wrong.HINTS[hint]) if hint else None),
    Target("base45", base45.decode, (MalformedError,), base45_is_rfc_9285),
    Target("inflate", inflate_both, (MalformedError,), is_bounded),
    Target("cbor", read_cbor, (MalformedError,), reads_the_same_again, words=CBOR_WORDS),
    Target("cose", parse_sign1, (MalformedError,), nobody_signed, words=CBOR_WORDS),
    Target("jws", parse_jws, (MalformedError,), nobody_signed_jws),
    Target("strict_json", read_json_object, (MalformedError,), is_plain_json, words=JSON_WORDS),
    Target("names", compare_names, (), is_a_relation, words=("Đ".encode(), "ΟΥ".encode(), b"\xcc\x88", b"<<")),
)

