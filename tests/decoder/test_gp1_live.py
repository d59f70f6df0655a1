"""A pass on a phone: what issuer and phone signed is what a gate reads, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import base45
import pytest
import segno
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.cose import Claim, sign1
from gate.cose_key import compressed, read_p256, write_p256
from gate.decoder import gp1, gp1_live, read
from gate.errors import CodeError, ForgedError, MalformedError, UnknownKeyError, UsageError
from gate.model import Claims
from gate.trust import Key, Keyring, key_id, kid_of, verify

ISSUER, PHONE = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
KID = kid_of(ISSUER.public_key())
KEYRING = Keyring([Key(KID, ISSUER.public_key(), "kcn-tan-thuan", "pass", "VN")])
AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
POINT = compressed(PHONE.public_key())
USUAL = Claims(
    issuer="kcn-tan-thuan", subject=gp1.holder_id(bytes(range(16))), key_id=key_id(KID), pass_id="0011223344556677",
    valid_from_at=datetime(2026, 11, 1, tzinfo=UTC), valid_until_at=datetime(2027, 11, 1, tzinfo=UTC),
    areas=frozenset({"site", "line-1"}), roles=frozenset({"worker"}), phone_point=POINT,
)
PASS = gp1.issue_pass(USUAL, ISSUER)
SHOWN = gp1_live.show_pass(PASS, PHONE, AT)
INNER, OUTER = base45.b45decode(PASS[4:]), base45.b45decode(SHOWN[4:])

ids = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
moments = st.integers(0, 253_402_300_799).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
phones = st.integers(1, 2**200).map(lambda secret: ec.derive_private_key(secret, ec.SECP256R1()))
passes = st.builds(
    Claims, issuer=st.just("kcn-tan-thuan"), subject=ids, key_id=st.just(key_id(KID)),
    pass_id=st.binary(min_size=8, max_size=16).map(bytes.hex), valid_from_at=st.none() | moments,
    valid_until_at=moments, areas=st.frozensets(ids, max_size=3), roles=st.frozensets(ids, max_size=2),
)


def wrap(signed: bytes) -> bytes:
    return b"GL1:" + base45.b45encode(signed)


def shown_as(payload: bytes = INNER, claims: Any = {int(Claim.IAT): 1_800_000_000}, key: Any = PHONE) -> bytes:  # noqa: B006
    """What no page of ours would sign."""
    return wrap(sign1(payload, key, claims=claims))


@settings(max_examples=50)
@given(passes, phones, moments)
def test_shown_pass_verifies_to_what_was_issued_and_when_it_was_shown(
    vouched: Claims, phone: ec.EllipticCurvePrivateKey, at: datetime,
) -> None:
    vouched = replace(vouched, phone_point=compressed(phone.public_key()))
    shown = gp1_live.show_pass(gp1.issue_pass(vouched, ISSUER), phone, at)
    assert verify(read(shown.encode()), KEYRING) == replace(vouched, shown_at=at)


def version_of(text: str) -> int:
    symbol = segno.make_qr(text, error="m", boost_error=False)
    assert symbol.mode == "alphanumeric"
    return int(symbol.version)


def test_usual_live_code_is_a_version_13_qr() -> None:
    assert version_of(SHOWN) == 13


def test_longest_live_code_fits_a_version_14_qr_and_the_next_pass_is_not_issued() -> None:
    longest = USUAL
    with pytest.raises(UsageError, match=r"version 14-M QR holds 403"):
        for number in range(gp1.IDS_MAX):
            issued = gp1.issue_pass(longest, ISSUER)
            shown = gp1_live.show_pass(issued, PHONE, datetime.fromtimestamp(2**32 - 1, UTC))
            assert version_of(shown) <= 14
            longest = replace(longest, areas=longest.areas | {f"a{number:05}"})
    assert len(issued) > 390


@settings(max_examples=300)
@given(bit=st.integers(0, 8 * len(SHOWN) - 1))
def test_one_flipped_bit_never_verifies_to_other_claims(bit: int) -> None:
    flipped = bytearray(SHOWN.encode())
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(bytes(flipped)), KEYRING) is None


@settings(max_examples=300)
@given(bit=st.integers(0, 8 * len(OUTER) - 1))
def test_one_flipped_bit_under_the_base45_never_verifies_to_other_claims(bit: int) -> None:
    flipped = bytearray(OUTER)
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(wrap(bytes(flipped))), KEYRING) == replace(USUAL, shown_at=AT)


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_no_bytes_at_all_do_more_than_be_refused(noise: bytes) -> None:
    for payload in (b"GL1:" + noise, wrap(noise), shown_as(noise)):
        with pytest.raises(CodeError):
            verify(read(payload), KEYRING)


@pytest.mark.parametrize(("payload", "fault"), [
    (b"GL1:", "CBOR"),
    (b"GL1:bb8", "base45"),
    (b"GL1:" + b"0" * 525, "at most 528"),
    (wrap(OUTER + b"\0"), "too many"),
    (PASS.replace("GP1:", "GL1:").encode(), "not signed with ES256"),
    (shown_as(sign1(b"", PHONE)), "not signed with EdDSA"),
    (shown_as(b"pass"), "CBOR"),
    (shown_as(key=ISSUER), "not signed with ES256"),
])
def test_wrapping_out_of_form_is_malformed(payload: bytes, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        read(payload)


@pytest.mark.parametrize("claims", [None, {}, {1: 1}, {6: "now"}, {6: 1.5}, {6: -1}, {6: True}, [6, 1], 1_800_000_000])
def test_moment_that_is_missing_or_out_of_form_is_malformed(claims: Any) -> None:
    with pytest.raises(MalformedError):
        verify(read(shown_as(claims=claims)), KEYRING)


def test_another_phone_proves_nothing() -> None:
    for key in (ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())):
        with pytest.raises(ForgedError):
            verify(read(shown_as(key=key)), KEYRING)


def test_pass_that_its_holder_signed_for_a_phone_of_his_own_is_forged() -> None:
    mine = Ed25519PrivateKey.generate()
    with pytest.raises(ForgedError):
        verify(read(gp1_live.show_pass(gp1.issue_pass(USUAL, mine), PHONE, AT).encode()), KEYRING)


def test_pass_of_an_unknown_issuer_is_said_to_be_so() -> None:
    with pytest.raises(UnknownKeyError):
        verify(read(SHOWN.encode()), Keyring())


def test_pass_that_is_bound_to_no_phone_cannot_be_shown_as_one() -> None:
    plain = gp1.issue_pass(replace(USUAL, phone_point=b""), ISSUER)
    with pytest.raises(MalformedError, match="no key of a phone"):
        verify(read(gp1_live.show_pass(plain, PHONE, AT).encode()), KEYRING)


def test_pass_without_its_phone_says_that_it_needs_one() -> None:
    claims = verify(read(PASS.encode()), KEYRING)
    assert claims == USUAL
    assert claims.shown_at is None


def test_later_moment_of_the_same_pass_is_another_code() -> None:
    later = gp1_live.show_pass(PASS, PHONE, AT + timedelta(seconds=5))
    assert verify(read(later.encode()), KEYRING) == replace(USUAL, shown_at=AT + timedelta(seconds=5))


# --- COSE_Key ------------------------------------------------------------------------------------------


@given(phones)
def test_phone_key_is_read_as_it_was_written(phone: ec.EllipticCurvePrivateKey) -> None:
    point = compressed(phone.public_key())
    numbers = phone.public_key().public_numbers()
    assert read_p256(write_p256(point)) == point
    assert read_p256({1: 2, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}) == point


def change(**parts: Any) -> dict[int, Any]:
    labels = {"kty": 1, "crv": -1, "x": -2, "y": -3}
    return write_p256(POINT) | {labels[name]: value for name, value in parts.items()}


@pytest.mark.parametrize("key", [
    None, b"key", {}, change(kty=1), change(crv=2), change(x=bytes(31)), change(x="x"), change(y=bytes(32)),
    change(y=1), change(y=None), change(x=b"\xff" * 32),
])
def test_what_is_no_p256_key_is_malformed(key: Any) -> None:
    with pytest.raises(MalformedError):
        read_p256(key)


@pytest.mark.parametrize("curve", [ec.SECP384R1, ec.SECP256K1])
def test_key_of_another_curve_is_refused(curve: Callable[[], ec.EllipticCurve]) -> None:
    with pytest.raises(ValueError, match="not on P-256"):
        compressed(ec.generate_private_key(curve()).public_key())
