"""`gate decide` with what people hold up one after the other, against published documents and a config."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import support_health
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.central.db import open_database, writing
from gate.central.db.models import Identifier, Person
from gate.central.keys import enter_key
from gate.cli import NO, YES, main
from gate.cose_key import compressed
from gate.decoder import gp1, gp1_live
from gate.model import Claims
from gate.texts import SECOND_CODES
from gate.trust import Key, key_id, kid_of

NOON = datetime.fromisoformat("2026-11-23T12:00:00+07:00")
CONFIG = """
site: {{id: kcn, token_key_file: token.key, area: site}}
gate: {{id: cong-1}}
state_dir: state
documents: {{root_file: repo/metadata/1.root.json}}
pins: {{factory: mock}}
barrier: {{driver: relay, entry_pin: 17, exit_pin: 27}}
readers: [{{name: vao-1, direction: entry, driver: keypad, source: line:none}}]
admission: {admission}
"""
DUY = "079083000001||NGUYEN BAO DUY|10101983|Nam|Ha Noi|15102021"
CERTIFICATE = support_health.hc1().decode()
ISSUER, PHONE = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
PASS = gp1.issue_pass(Claims(
    "kcn", "duy", key_id(kid_of(ISSUER.public_key())), "00" * 8, None, NOON.replace(year=2027), frozenset({"site"}),
    phone_point=compressed(PHONE.public_key())), ISSUER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published site: Duy by his card, one issuer of passes, one of certificates."""
    folder = tmp_path_factory.mktemp("site")
    keys = (Key(kid_of(ISSUER.public_key()), ISSUER.public_key(), "kcn", "pass", "VN"),
            Key(support_health.KID, support_health.ISSUER.public_key(), "bo-y-te", "health", "VN"))
    for key in keys:
        enter_key(folder / "issuers.json", key)
    with writing(open_database(f"sqlite:///{folder}/central.db")) as session:
        session.add(Person(holder="duy", full_name="Nguyễn Bảo Duy", created_at=NOON, areas=["site"],
                           identifiers=[Identifier(kind="cccd", value="079083000001")]))
    publisher = ["--repo", f"{folder}/repo", "--keys", f"{folder}/keys", "--token-key", f"{folder}/token.key"]
    assert main(["central", "documents", "init", *publisher]) == 0
    assert main(["central", "documents", "publish", *publisher, "--db", f"sqlite:///{folder}/central.db",
                 "--issuers", f"{folder}/issuers.json"]) == 0
    assert main(["documents", "import", f"{folder}/repo", "--state", f"{folder}/state",
                 "--root", f"{folder}/repo/metadata/1.root.json", "--token-key", f"{folder}/token.key"]) == 0
    return folder


def decide(folder: Path, admission: str, *codes: str, json: bool = True) -> int:
    (folder / "gate.yaml").write_text(CONFIG.format(admission=admission))
    return main(["decide", *codes, "--config", str(folder / "gate.yaml"), "--at", NOON.isoformat(),
                 *(["--json"] if json else [])])


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def test_two_codes_are_decided_as_shown_one_after_the_other(
    folder: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert decide(folder, "{certificates: required}", CERTIFICATE) == NO
    assert (said(capsys)["reason"], decide(folder, "{certificates: required}", CERTIFICATE, DUY)) == (
        "NEEDS_SECOND_CODE", YES)
    answer = said(capsys)
    assert (answer["granted"], answer["holder"], answer["proof"]) == (True, "duy", "listed")


def test_the_half_that_is_missing_is_said_in_both_languages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert decide(folder, "{certificates: required}", DUY, json=False) == NO
    out = capsys.readouterr().out
    assert all(words in out for words in SECOND_CODES["after-identity"])


@pytest.mark.parametrize(("admission", "age_s", "reason"), [
    ("{}", 19, "GRANTED"), ("{}", 21, "NOT_LIVE"), ("{live_code_max_age_s: 60}", 21, "GRANTED"),
    ("{phone_skew_s: 0}", -1, "NOT_LIVE"),
])
def test_the_config_says_how_fresh_a_live_code_has_to_be(
    folder: Path, capsys: pytest.CaptureFixture[str], admission: str, age_s: int, reason: str,
) -> None:
    decide(folder, admission, gp1_live.show_pass(PASS, PHONE, NOON - timedelta(seconds=age_s)))
    assert said(capsys)["reason"] == reason
