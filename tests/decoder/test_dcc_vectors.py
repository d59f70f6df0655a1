"""Every vector of two public sets of EU certificates gets the verdict that its own file says."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gate.decoder.eu_record import read_person, read_record
from gate.drivers.images import read_image
from gate.errors import MalformedError, UsageError
from gate.inspection import Finding, inspect
from gate.model import Proof, Reason
from gate.trust import keyring_from_trust_list
from gate.view import DocumentSet

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
DGC, QUALITY = DATA / "dgc-testdata", DATA / "dcc-quality-assurance"
needs_data = pytest.mark.skipif(not DGC.is_dir(), reason="the shared test data is not beside this repository")

REFUSED_FOR = {
    "EXPECTEDUNPREFIX": {Reason.UNKNOWN_FORMAT, Reason.MALFORMED},
    "EXPECTEDB45DECODE": {Reason.MALFORMED},
    "EXPECTEDCOMPRESSION": {Reason.MALFORMED},
    "EXPECTEDDECODE": {Reason.MALFORMED},
    "EXPECTEDVERIFY": {Reason.BAD_SIGNATURE, Reason.UNKNOWN_KEY, Reason.MALFORMED},
    "EXPECTEDSCHEMAVALIDATION": {Reason.MALFORMED},
    "EXPECTEDKEYUSAGE": {Reason.UNKNOWN_KEY},
    "EXPECTEDEXPIRATIONCHECK": {Reason.EXPIRED, Reason.NOT_YET_ACTIVE},
}


def vectors() -> list[str]:
    return sorted(str(file.relative_to(DGC)) for file in DGC.rglob("*.json")) if DGC.is_dir() else []


@cache
def doubtful() -> frozenset[tuple[str, str]]:
    with (DGC / "doubtful.csv").open() as file:
        return frozenset((row["vector"], row["check"]) for row in csv.DictReader(file))


def judged(vector: dict[str, Any]) -> Finding:
    """What the gate finds with the vector's own certificate as its trust list, at the vector's own moment."""
    context = vector["TESTCTX"]
    certificate = context["CERTIFICATE"]
    kid = hashlib.sha256(base64.b64decode(certificate)).digest()[:8]
    trusted = [{"kid": base64.b64encode(kid).decode(), "certificate": certificate}]
    at = datetime.fromisoformat(context["VALIDATIONCLOCK"])
    documents = DocumentSet(keyring=keyring_from_trust_list(json.dumps(trusted).encode()))
    return inspect(vector["PREFIX"].encode(), at if at.tzinfo else at.replace(tzinfo=UTC), documents)


def plain(value: Any) -> Any:
    """A JSON value as the record has it: no nulls, no blanks around texts, moments as instants."""
    match value:
        case dict():
            return {name: plain(part) for name, part in value.items() if part is not None}
        case list():
            return [plain(part) for part in value]
        case str() if "T" in value:
            try:
                moment = datetime.fromisoformat(value)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            except ValueError:
                return value.strip()
        case str():
            return value.strip()
    return value


@needs_data
@pytest.mark.parametrize("name", vectors())
def test_vector_gets_its_verdict(name: str) -> None:
    vector = json.loads((DGC / name).read_text())
    expected = {check: verdict for check, verdict in vector["EXPECTEDRESULTS"].items()
                if check in REFUSED_FOR and (name, check) not in doubtful()}
    found = judged(vector)
    failing = {check for check, verdict in expected.items() if not verdict}
    unasked = REFUSED_FOR.keys() - expected.keys()
    may_refuse_for = set().union(*(REFUSED_FOR[check] for check in failing | unasked))
    if expected.get("EXPECTEDVERIFY"):
        assert found.proof is Proof.SIGNED, found.detail
    if failing:
        assert found.reason in may_refuse_for, found.detail
    elif found.reason is None:
        assert found.proof is Proof.SIGNED
    else:
        assert found.reason in may_refuse_for, found.detail


@needs_data
@pytest.mark.parametrize("name", vectors())
def test_record_of_a_vector_says_what_its_json_says(name: str) -> None:
    vector = json.loads((DGC / name).read_text())
    found = judged(vector)
    if found.claims is None or (name, "EXPECTEDVALIDJSON") in doubtful() or "JSON" not in vector:
        return
    if not vector["EXPECTEDRESULTS"].get("EXPECTEDVALIDJSON"):
        return
    said = vector["JSON"]
    assert plain(found.claims.record) == {kind: plain(said.get(kind) or []) for kind in "vtr"}
    assert found.person is not None
    assert found.person["dob"] == said["dob"]
    assert found.person["family_name"] == (said["nam"].get("fn") or "").strip()


@needs_data
def test_picture_of_each_vector_reads_as_its_text(tmp_path: Path) -> None:
    differing = []
    for name in vectors():
        vector = json.loads((DGC / name).read_text())
        asked = vector["EXPECTEDRESULTS"].get("EXPECTEDPICTUREDECODE")
        if asked is None or "2DCODE" not in vector:
            continue
        picture = tmp_path / "code.png"
        picture.write_bytes(base64.b64decode(vector["2DCODE"]))
        texts = []
        with suppress(UsageError):  # one of them is no image, on purpose
            texts = [symbol.payload for symbol in read_image(str(picture))]
        if (texts == [vector["PREFIX"].encode()]) is not asked:
            differing.append(name)
    assert differing == []


EMPTY = {"Test.png"}
"""A file of no bytes (docs/code-formats.md)."""


def pictures() -> list[Path]:
    images = (file for file in DGC.rglob("*") if file.suffix.lower() == ".png" and file.name not in EMPTY)
    return sorted(images) if DGC.is_dir() else []


@needs_data
@pytest.mark.parametrize("picture", pictures(), ids=lambda file: "/".join(file.parts[-3:]))
def test_picture_beside_the_vectors_is_a_code_that_is_read(picture: Path) -> None:
    (symbol,) = read_image(str(picture))
    assert inspect(symbol.payload, datetime(2021, 6, 1, tzinfo=UTC), acceptance_list()).format == "hc1"


# --- dcc-schema: bodies without a signature -------------------------------------------------------------


def bodies() -> list[str]:
    schemas = DATA / "dcc-schema"
    return sorted(str(file.relative_to(schemas)) for folder in ("test", "examples")
                  for file in (schemas / folder).rglob("*.json"))


@needs_data
@pytest.mark.parametrize("name", bodies())
def test_body_beside_the_schema_gets_its_verdict(name: str) -> None:
    body = json.loads((DATA / "dcc-schema" / name).read_text())
    if name.startswith("test/invalid"):
        with pytest.raises(MalformedError):
            (read_record(body), read_person(body))
    else:
        assert read_person(body)["name"]
        assert sum(map(len, read_record(body).values())) == 1


# --- dcc-quality-assurance: certificates as 50 countries issued them ------------------------------------

SEVERAL_KINDS_OR_ENTRIES = {"TSI/1.3.0/specialcases/MULTI_1.png", "TSI/1.3.0/specialcases/MULTI_2.png"}
"""Refused as SpecialCaseHandling.md demands, although their signatures are genuine."""


def issued() -> list[dict[str, str]]:
    if not QUALITY.is_dir():
        return []
    with (QUALITY / "expected.csv").open() as file:
        return list(csv.DictReader(file))


@cache
def acceptance_list() -> DocumentSet:
    return DocumentSet(keyring=keyring_from_trust_list((DATA / "dcc-trust/acc_dsc.json").read_bytes()))


@needs_data
@pytest.mark.parametrize("code", issued(), ids=lambda code: code["path"])
def test_certificate_as_issued_gets_its_verdict(code: dict[str, str]) -> None:
    (symbol,) = read_image(str(QUALITY / code["path"]))
    assert hashlib.sha256(symbol.payload).hexdigest() == code["text_sha256"]
    issued_at, expires_at = (datetime.fromtimestamp(int(code[name]), UTC) for name in ("iat", "exp"))
    found = inspect(symbol.payload, issued_at, acceptance_list())
    if code["signature"] == "no-key-in-list":
        assert (found.proof, found.reason) == (Proof.NONE, Reason.UNKNOWN_KEY)
    elif code["path"] in SEVERAL_KINDS_OR_ENTRIES:
        assert (found.proof, found.reason) == (Proof.SIGNED, Reason.MALFORMED)
    else:
        assert (found.proof, found.reason) == (Proof.SIGNED, None), found.detail
        assert found.claims is not None
        assert found.claims.record is not None
        assert (found.claims.issuer, found.claims.key_id) == (code["iss"], code["kid"])
        assert (found.claims.printed_from_at, found.claims.printed_until_at) == (issued_at, expires_at)
        assert "".join(kind for kind in "vtr" if found.claims.record[kind]) == code["kind"]
