"""Health cards, NZ passes and seals of ICAO as their publishers made them get the verdict that each file says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support_health import card, shc, wrap_shc
from support_health import judge as judge_our_own

from gate.drivers.images import read_image
from gate.inspection import Finding, inspect
from gate.model import Proof, Reason, Token
from gate.trust import keyring_from_trust_list, verify
from gate.view import DocumentSet

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
CARDS, NEGATIVE = DATA / "smart-health-cards", DATA / "smart-health-cards/negative"
needs_data = pytest.mark.skipif(not CARDS.is_dir(), reason="the shared test data is not beside this repository")

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def believing(*entries: dict[str, Any]) -> DocumentSet:
    return DocumentSet(keyring=keyring_from_trust_list(json.dumps(entries).encode()))


# --- SMART Health Cards ---------------------------------------------------------------------------------


@cache
def card_issuers() -> DocumentSet:
    keys = json.loads((CARDS / "issuer/.well-known/jwks.json").read_text())["keys"]
    return believing(*({"kid": key["kid"], "jwk": key} for key in keys))


def codes_of(case: dict[str, Any]) -> Iterator[bytes]:
    """The codes of a case as a reader would hand them on; a bare JWS is put into digits first."""
    for name in case["files"]:
        file = NEGATIVE / name
        match case["type"]:
            case "qrnumeric":
                yield file.read_bytes()
            case "qr":
                yield from (symbol.payload for symbol in read_image(str(file)))
            case "jws":
                yield wrap_shc(file.read_bytes().strip())
            case "healthcard":
                yield from (wrap_shc(one.encode()) for one in json.loads(file.read_text())["verifiableCredential"])
            case "jwspayload":
                yield shc(file.read_text())
            case "fhirbundle":
                content = card()
                content["vc"]["credentialSubject"]["fhirBundle"] = "BUNDLE"
                yield shc(json.dumps(content).replace('"BUNDLE"', file.read_text()))


def cases() -> list[dict[str, Any]]:
    return json.loads((NEGATIVE / "expected.json").read_text()) if NEGATIVE.is_dir() else []  # type: ignore[no-any-return]


NOT_JUDGED_HERE = {
    "test-example-00-g-qr-code-0-single_qr_segment.png": "how a printer cut the symbol: no reader can tell",
    "test-example-00-a-fhirBundle-trailing_chars.json": "blanks after plain JSON, which a JSON reader passes over",
}
"""Cases whose error no reader of the code can see, each with why (docs/code-formats.md)."""
ONE_IS_GENUINE = {"test-example-00-e-file-multi-jws-issues.smart-health-card"}
"""A file of two cards: each gets its own answer."""


@needs_data
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["files"][0])
def test_published_negative_case_gets_its_verdict(case: dict[str, Any]) -> None:
    if case["files"][0] in NOT_JUDGED_HERE:
        return
    our_own = case["type"] in ("jwspayload", "fhirbundle")
    found = [judge_our_own(code) if our_own else inspect(code, MOMENT, card_issuers())
             for code in codes_of(case)]
    assert found
    if case["files"][0] in ONE_IS_GENUINE:
        assert {(one.proof, one.reason) for one in found} > {(Proof.SIGNED, None)}
        return
    for one in found:
        if case["errors"]:
            assert one.reason is not None
        elif "NOT_YET_VALID" in case["warnings"]:
            assert one.reason is Reason.NOT_YET_ACTIVE
        else:
            assert (one.proof, one.reason) == (Proof.SIGNED, None), one.detail


@needs_data
def test_published_card_is_proved_and_its_doses_are_read() -> None:
    found = inspect((CARDS / "example-00-f-qr-code-numeric-value-0.txt").read_bytes().strip(), MOMENT, card_issuers())
    assert (found.proof, found.reason) == (Proof.SIGNED, None), found.detail
    assert found.claims is not None
    assert found.claims.record is not None
    assert [dose["dt"] for dose in found.claims.record["v"]] == ["2021-01-01", "2021-01-29", "2022-09-05"]
    assert found.person == {
        "name": "Anyperson John B.", "family_name": "Anyperson", "given_name": "John B.", "dob": "1951-01-20",
    }


@needs_data
def test_parts_of_a_published_card_are_known_as_parts() -> None:
    parts = sorted(CARDS.glob("example-02-f-*.txt"))
    assert len(parts) == 3
    for part in parts:
        found = inspect(part.read_bytes().strip(), MOMENT, card_issuers())
        assert (found.reason, found.hint) == (Reason.WRONG_CODE, "part")


@needs_data
def test_published_card_without_facts_about_covid_19_is_proved_and_says_none() -> None:
    message = (CARDS / "example-02-d-jws.txt").read_bytes().strip()
    claims = verify(Token("shc", signed=message), card_issuers().keyring)
    assert claims is not None
    assert claims.record == {"v": [], "t": [], "r": []}


# --- NZ COVID Pass --------------------------------------------------------------------------------------


@cache
def nz_issuer() -> DocumentSet:
    (method,) = json.loads((DATA / "nz-covid-pass/valid/did.json").read_text())["verificationMethod"]
    kid = base64.b64encode(method["id"].partition("#")[2].encode()).decode()
    return believing({"kid": kid, "jwk": method["publicKeyJwk"], "country": "NZ"})


@needs_data
@pytest.mark.parametrize(("name", "proof", "reason"), [
    ("valid/nzcp", Proof.SIGNED, None), ("invalid/nzcp-expired-payload", Proof.SIGNED, Reason.EXPIRED),
    ("invalid/nzcp-notactive-payload", Proof.SIGNED, Reason.NOT_YET_ACTIVE),
    ("invalid/nzcp-modified-payload", Proof.NONE, Reason.BAD_SIGNATURE),
])
def test_published_nz_pass_gets_its_verdict(name: str, proof: Proof, reason: Reason | None) -> None:
    text = (DATA / f"nz-covid-pass/{name}.txt").read_bytes().strip()
    found = inspect(text, MOMENT, nz_issuer())
    assert (found.proof, found.reason) == (proof, reason), found.detail
    for symbol in read_image(str(DATA / f"nz-covid-pass/{name}.png")):
        assert inspect(symbol.payload, MOMENT, nz_issuer()) == found


# --- ICAO VDS-NC ----------------------------------------------------------------------------------------


def sealed(name: str) -> Finding:
    csca = base64.b64encode((DATA / "vds-nc/au-csca.der").read_bytes()).decode()
    pinned = believing({"kid": "AAAA", "certificate": csca, "country": "AU"})
    return inspect((DATA / f"vds-nc/{name}.json").read_bytes(), MOMENT, pinned)


@needs_data
def test_published_seal_is_proved_by_its_pinned_authority() -> None:
    found = sealed("au-valid")
    assert (found.proof, found.reason) == (Proof.SIGNED, None), found.detail
    assert found.claims is not None
    assert found.claims.record is not None
    assert [(dose["dn"], dose["dt"]) for dose in found.claims.record["v"]] == [(1, "2021-04-02"), (2, "2021-10-03")]


@needs_data
def test_published_seal_of_an_authority_that_nobody_pinned_is_of_an_unknown_key() -> None:
    assert sealed("single-vaccine").reason is Reason.UNKNOWN_KEY
    assert sealed("not-a-vds").reason is Reason.UNKNOWN_FORMAT
