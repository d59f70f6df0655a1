"""Our own pass: what an issuer signs is what a gate reads, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import base45
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.cose import Claim, parse_sign1, sign1, verify1, write_cwt
from gate.decoder import gp1, read
from gate.errors import CodeError, MalformedError, UsageError
from gate.model import Claims
from gate.trust import Key, Keyring, key_id, kid_of, verify

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "../shared/data"
CROSSCHECK = Path(os.environ.get("GATE_CROSSCHECK_PYTHON", ROOT / ".venv-crosscheck/bin/python"))

KEY = Ed25519PrivateKey.generate()
KID = kid_of(KEY.public_key())
KEYRING = Keyring([Key(KID, KEY.public_key(), "kcn-tan-thuan", "pass", "VN")])
USUAL = Claims(
    issuer="kcn-tan-thuan", subject=gp1.holder_id(bytes(range(16))), key_id=key_id(KID), pass_id="0011223344556677",
    valid_from_at=datetime(2026, 11, 1, tzinfo=UTC), valid_until_at=datetime(2027, 11, 1, tzinfo=UTC),
    areas=frozenset({"site", "line-1"}), roles=frozenset({"worker"}),
)
PASS = gp1.issue_pass(USUAL, KEY)

ids = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
moments = st.integers(0, 253_402_300_799).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
passes = st.builds(
    Claims, issuer=st.just("kcn-tan-thuan"), subject=ids, key_id=st.just(key_id(KID)),
    pass_id=st.binary(min_size=8, max_size=16).map(bytes.hex), valid_from_at=st.none() | moments,
    valid_until_at=moments, areas=st.frozensets(ids, max_size=3), roles=st.frozensets(ids, max_size=2),
)


def wrap(cwt: dict[int, Any], key: Any = KEY) -> bytes:
    """Claims that no issuer of ours would sign, signed and wrapped all the same."""
    return b"GP1:" + base45.b45encode(sign1(write_cwt(cwt), key, KID))


def cwt_of(**changes: Any) -> dict[int, Any]:
    cwt = {
        Claim.ISS: "kcn-tan-thuan", Claim.SUB: "h1", Claim.EXP: 1_800_000_000, Claim.CTI: bytes(8),
    } | {Claim[name]: value for name, value in changes.items()}
    return {int(label): value for label, value in cwt.items() if value is not None}


@given(passes)
def test_issued_pass_verifies_to_the_same_claims(vouched: Claims) -> None:
    assert verify(read(gp1.issue_pass(vouched, KEY).encode()), KEYRING) == vouched


def test_usual_pass_fits_a_version_10_qr_in_its_alphabet() -> None:
    import segno

    symbol = segno.make_qr(PASS, error="m", boost_error=False)
    assert symbol.mode == "alphanumeric"
    assert int(symbol.version) <= 10


def test_longest_pass_fits_a_version_10_qr_and_the_next_is_an_error_that_says_so() -> None:
    import segno

    longest = USUAL
    with pytest.raises(UsageError, match=r"holds 311: name fewer areas"):
        for number in range(gp1.IDS_MAX):
            text = gp1.issue_pass(longest, KEY)
            assert int(segno.make_qr(text, error="m", boost_error=False).version) <= 10
            longest = replace(longest, areas=longest.areas | {f"a{number}"})
    assert len(text) > 290


@settings(max_examples=400)
@given(bit=st.integers(0, 8 * len(PASS) - 1))
def test_one_flipped_bit_never_verifies_to_other_claims(bit: int) -> None:
    flipped = bytearray(PASS.encode())
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(bytes(flipped)), KEYRING) in (USUAL, None)


@settings(max_examples=400)
@given(bit=st.integers(0, 8 * len(base45.b45decode(PASS[4:])) - 1))
def test_one_flipped_bit_under_the_base45_never_verifies_to_other_claims(bit: int) -> None:
    flipped = bytearray(base45.b45decode(PASS[4:]))
    flipped[bit // 8] ^= 1 << bit % 8
    with suppress(CodeError):
        assert verify(read(b"GP1:" + base45.b45encode(bytes(flipped))), KEYRING) == USUAL


@pytest.mark.parametrize(("payload", "fault"), [
    (b"GP1:", "CBOR"),
    (b"GP1:A", "base45"),
    (b"GP1::::", "base45"),
    (b"GP1:bb8", "base45"),
    (b"GP1:\xff\xff\xff", "base45"),
    (PASS.encode() + b"\r", "base45"),
    (PASS.encode() + b" 0", "too many"),
    (b"GP1:" + b"0" * 400, "at most 403"),
    (wrap(cwt_of(), ec.generate_private_key(ec.SECP256R1())), "EdDSA"),
])
def test_wrapping_out_of_form_is_malformed(payload: bytes, fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        read(payload)


@pytest.mark.parametrize(("changes", "fault"), [
    ({"ISS": None}, "iss"), ({"ISS": "Khu Công Nghiệp"}, "iss"), ({"ISS": "a" * 65}, "iss"), ({"ISS": 1}, "iss"),
    ({"SUB": None}, "sub"), ({"SUB": b"h1"}, "sub"), ({"SUB": "H1"}, "sub"),
    ({"CTI": None}, "cti"), ({"CTI": bytes(7)}, "cti"), ({"CTI": bytes(17)}, "cti"), ({"CTI": "00112233"}, "cti"),
    ({"EXP": None}, "time"), ({"EXP": 1.5}, "time"), ({"EXP": -1}, "time"), ({"NBF": "now"}, "time"),
    ({"NBF": 2**63}, "time"),
    ({"CNF": {1: {}}}, "P-256"), ({"CNF": {}}, "no key of a phone"), ({"CNF": b"key"}, "no key of a phone"),
    ({"CNF": {1: {1: 2, -1: 1, -2: b"\xff" * 32, -3: True}}}, "P-256"),
])
def test_signed_claims_out_of_form_are_malformed(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(MalformedError, match=fault):
        verify(read(wrap(cwt_of(**changes))), KEYRING)


@pytest.mark.parametrize("areas", ["site", ["Site"], [1], {1: 2}, ["a"] * (gp1.IDS_MAX + 1)])
def test_signed_areas_out_of_form_are_malformed(areas: Any) -> None:
    with pytest.raises(MalformedError, match="ids"):
        verify(read(wrap(cwt_of() | {-65537: areas})), KEYRING)


def test_claims_that_nobody_knows_are_ignored() -> None:
    claims = verify(read(wrap(cwt_of() | {3: "audience", 6: 1, -70_000: "x"})), KEYRING)
    assert claims is not None
    assert claims.subject == "h1"


@pytest.mark.parametrize("unissuable", [
    replace(USUAL, valid_until_at=None),
    replace(USUAL, valid_until_at=USUAL.valid_until_at and USUAL.valid_until_at + timedelta(microseconds=1)),
    replace(USUAL, subject="Nguyễn Văn A"),
    replace(USUAL, pass_id="00"),
    replace(USUAL, record={"v": []}),
    replace(USUAL, areas=frozenset(f"{number}" for number in range(gp1.IDS_MAX + 1))),
])
def test_pass_that_no_gate_would_read_is_not_issued(unissuable: Claims) -> None:
    with pytest.raises(UsageError):
        gp1.issue_pass(unissuable, KEY)


def test_holder_id_is_26_plain_characters() -> None:
    assert gp1.holder_id(bytes(16)) == "a" * 26
    with pytest.raises(ValueError, match="16 random bytes"):
        gp1.holder_id(bytes(15))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not beside this repository")
def test_base45_keeps_to_rfc_9285() -> None:
    vectors = json.loads((DATA / "base45/rfc9285.json").read_text())
    for raw, text in vectors["encode"]:
        assert base45.b45encode(bytes.fromhex(raw)) == text.encode()
        assert base45.b45decode(text.encode()) == bytes.fromhex(raw)
    for text, why in vectors["reject"]:
        with pytest.raises(MalformedError):
            pytest.fail(f"{text}: {why}: {read(b'GP1:' + text.encode())}")


OTHER_IMPLEMENTATION = """
import json, sys
import cwt
given = json.load(sys.stdin)
public = cwt.COSEKey.from_pem(given["public"], kid=bytes.fromhex(given["kid"]), alg="EdDSA")
private = cwt.COSEKey.from_pem(given["private"], kid=bytes.fromhex(given["kid"]), alg="EdDSA")
codec = cwt.CWT.new()
read = codec.decode(bytes.fromhex(given["signed"]), public)
again = codec.encode_and_sign(dict(read), private)
json.dump({"claims": {k: v.hex() if isinstance(v, bytes) else v for k, v in read.items()}, "again": again.hex()},
          sys.stdout)
"""


@pytest.mark.skipif(not CROSSCHECK.exists(), reason="no environment with the cwt package (GATE_CROSSCHECK_PYTHON)")
def test_another_implementation_reads_our_passes_and_we_read_its() -> None:
    # The other one judges exp by its own clock, so this pass is valid now.
    now = datetime.now(UTC).replace(microsecond=0)
    vouched = replace(USUAL, valid_from_at=now - timedelta(days=1), valid_until_at=now + timedelta(days=1))
    signed = read(gp1.issue_pass(vouched, KEY).encode()).signed
    assert signed is not None
    given_to_it = {
        "signed": "d2" + signed.hex(),  # it knows no untagged COSE (RFC 8392 7.2 leaves that to the application)
        "kid": KID.hex(),
        "public": KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "private": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }
    answer = json.loads(subprocess.run(
        [CROSSCHECK, "-c", OTHER_IMPLEMENTATION], input=json.dumps(given_to_it), capture_output=True, text=True,
        check=True, timeout=60,
    ).stdout)
    assert vouched.valid_from_at
    assert vouched.valid_until_at
    assert answer["claims"] == {
        "1": vouched.issuer, "2": vouched.subject, "4": vouched.valid_until_at.timestamp(),
        "5": vouched.valid_from_at.timestamp(), "7": vouched.pass_id, "-65537": ["line-1", "site"],
        "-65538": ["worker"],
    }
    payload = verify1(parse_sign1(bytes.fromhex(answer["again"])), KEY.public_key())
    assert gp1.read_claims(payload, vouched.key_id) == vouched
