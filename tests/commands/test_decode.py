"""`gate decode`: one JSON line a code, and an exit code that a script can trust."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import segno
import support_health
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.cli import main
from gate.decoder import gp1
from gate.documents import SetNote
from gate.documents.roster_builder import build_roster
from gate.documents.roster_file import RosterRow
from gate.jwk import public_key_to_jwk
from gate.model import Claims
from gate.token_key import make_token_key
from gate.trust import Key, Keyring, Revocations, key_id, keyring_to_json, kid_of, revocations_to_json

FIELDS = [
    "schema", "id", "index", "format", "proof", "reason", "issuer", "valid_from", "valid_until", "holder", "record",
]
CARD = "001090123456|123456789|NGUYỄN VĂN A|01011990|Nam|Hà Nội|15102021"
ISSUER = Ed25519PrivateKey.generate()
KID = kid_of(ISSUER.public_key())
PASS = gp1.issue_pass(Claims(
    issuer="kcn-tan-thuan", subject="h1", key_id=key_id(KID), pass_id="0011223344556677",
    valid_from_at=datetime(2026, 1, 1, tzinfo=UTC), valid_until_at=datetime(2027, 1, 1, tzinfo=UTC),
    areas=frozenset({"site"}),
), ISSUER)
TRUST = [{"kid": key_id(KID), "jwk": public_key_to_jwk(ISSUER.public_key()), "country": "VN"}]
IN_TIME = "--at=2026-11-23T06:55:00+07:00"

Decode = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def decode(capsys: pytest.CaptureFixture[str]) -> Decode:
    """Run `gate decode` and give its exit code, its answers and what it said on stderr."""

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        code = main(["decode", *arguments])
        said = capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines()], said.err

    return run


@pytest.fixture
def trust(tmp_path: Path) -> str:
    file = tmp_path / "trust.json"
    file.write_text(json.dumps(TRUST))
    return f"--trust={file}"


def batch(folder: Path, *lines: Any) -> str:
    file = folder / "batch.jsonl"
    file.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return f"--batch={file}"


def test_card_is_said_to_claim_and_its_holder_is_shown(decode: Decode) -> None:
    code, (answer,), _ = decode(CARD)
    assert code == 0
    assert list(answer) == FIELDS
    assert (answer["schema"], answer["id"], answer["index"]) == ("gate.decode/1", "1", 0)
    assert (answer["format"], answer["proof"], answer["reason"]) == ("cccd", "claimed", None)
    assert answer["holder"]["name"] == "NGUYỄN VĂN A"


def test_vietnamese_stays_readable_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    main(["decode", CARD])
    assert "NGUYỄN VĂN A" in capsys.readouterr().out


def test_pass_is_signed_by_whom_the_trust_list_names(decode: Decode, trust: str) -> None:
    code, (answer,), _ = decode(PASS, trust, IN_TIME)
    assert code == 0
    assert (answer["proof"], answer["reason"], answer["issuer"]) == ("signed", None, "kcn-tan-thuan")
    assert (answer["valid_from"], answer["valid_until"]) == ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert answer["holder"] == {"id": "h1", "pass": "0011223344556677", "areas": ["site"], "roles": []}


@pytest.mark.parametrize(("moment", "reason"), [
    ("2025-12-31T23:59:59Z", "NOT_YET_ACTIVE"), ("2026-01-01T00:00:00Z", None),
    ("2026-12-31T23:59:59Z", None), ("2027-01-01T00:00:00Z", "EXPIRED"),
])
def test_validity_is_judged_at_the_moment_given(
    decode: Decode, trust: str, moment: str, reason: str | None,
) -> None:
    code, (answer,), _ = decode(PASS, trust, f"--at={moment}")
    assert (answer["proof"], answer["reason"]) == ("signed", reason)
    assert code == (1 if reason else 0)


def test_entry_of_a_trust_list_that_cannot_be_used_is_told_and_the_rest_is_believed(
    decode: Decode, tmp_path: Path,
) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps([{"kid": "AQ==", "certificate": "AA==", "country": "XX"}, *TRUST]))
    code, (answer,), said = decode(PASS, f"--trust={file}", IN_TIME)
    assert (code, answer["proof"]) == (0, "signed")
    assert "list.json" in said
    assert "entry 0" in said
    assert "not a certificate" in said
    _, (answer,), said = decode(batch(tmp_path, {"id": 1, "text": PASS, "trust": [{"kid": "AQ=="}, *TRUST]}), IN_TIME)
    assert answer["proof"] == "signed"
    assert "entry 0" in said


def test_pass_proves_nothing_without_a_trust_list(decode: Decode) -> None:
    code, (answer,), _ = decode(PASS)
    assert (code, answer["format"], answer["proof"], answer["reason"]) == (1, "gp1", "none", "UNKNOWN_KEY")
    assert answer["holder"] is None


def test_wrong_code_is_explained_in_both_languages(decode: Decode) -> None:
    code, (answer,), said = decode("WIFI:T:WPA;S:xuong;;")
    assert (code, answer["reason"]) == (1, "WRONG_CODE")
    assert "Đây là mã Wi-Fi" in said
    assert "This is a Wi-Fi QR" in said
    assert "xuong" not in said


def test_one_no_among_many_answers_makes_the_exit_code_a_no(decode: Decode) -> None:
    code, answers, _ = decode(CARD, "xin chào", "12345678902")
    assert code == 1
    assert [answer["reason"] for answer in answers] == [None, "UNKNOWN_FORMAT", None]
    assert [answer["id"] for answer in answers] == ["1", "2", "3"]


def test_image_is_named_by_its_path_and_read(decode: Decode, trust: str, tmp_path: Path) -> None:
    image = tmp_path / "pass.png"
    segno.make_qr(PASS, error="m").save(image, scale=4)
    code, (answer,), _ = decode(str(image), trust, IN_TIME)
    assert (code, answer["id"], answer["proof"]) == (0, str(image), "signed")


def test_image_without_a_code_says_no_symbol(decode: Decode, tmp_path: Path) -> None:
    from PIL import Image

    image = tmp_path / "wall.png"
    Image.new("L", (200, 200), 255).save(image)
    code, (answer,), _ = decode(str(image))
    assert (code, answer["id"], answer["reason"]) == (1, str(image), "NO_SYMBOL")


def test_raw_gives_the_payload_as_text_or_bytes_and_hides_nothing_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["decode", "--raw", "a\u202eb\x1b[31m", "a\udcff"])
    out = capsys.readouterr().out
    assert "\u202e" not in out
    assert "\x1b" not in out
    first, second = map(json.loads, out.splitlines())
    assert first["text"] == "a\u202eb\x1b[31m"
    assert second["bytes"] == "Yf8="


def test_batch_answers_every_line_and_exits_0(decode: Decode, tmp_path: Path) -> None:
    code, answers, said = decode(batch(
        tmp_path,
        {"id": "card", "text": CARD},
        {"id": 2, "text": PASS, "trust": TRUST, "at": "2026-11-23T00:00:00Z"},
        {"id": "late", "text": PASS, "trust": TRUST, "at": "2028-01-01T00:00:00Z"},
        "\n",
        "not json\n",
        {"id": "both", "text": "a", "image": "b.png"},
        {"id": "neither"},
        {"id": "when", "text": "a", "at": "2026-11-23"},
        {"id": "gone", "image": "gone.png"},
        {"id": "stranger", "text": PASS, "trust": "gone.json"},
        {"id": "empty", "text": ""},
    ))
    assert code == 0
    assert [(answer["id"], answer["proof"], answer["reason"]) for answer in answers] == [
        ("card", "claimed", None), (2, "signed", None), ("late", "signed", "EXPIRED"),
        (None, "none", "MALFORMED"), ("both", "none", "MALFORMED"), ("neither", "none", "MALFORMED"),
        ("when", "none", "MALFORMED"), ("gone", "none", "MALFORMED"), ("stranger", "none", "MALFORMED"),
        ("empty", "none", "MALFORMED"),
    ]
    assert "line 5" in said
    assert "11 lines, done" in said


def test_moment_of_a_batch_without_an_offset_is_utc(decode: Decode, tmp_path: Path) -> None:
    _, answers, _ = decode(batch(
        tmp_path, *({"id": at, "text": PASS, "trust": TRUST, "at": at}
                    for at in ("2026-12-31T23:59:59.5", "2027-01-01T00:00:00", "2027-01-01T06:59:59+07:00")),
    ))
    assert [answer["reason"] for answer in answers] == [None, "EXPIRED", None]


def test_health_certificate_shows_its_holder_its_record_and_its_own_end(decode: Decode, tmp_path: Path) -> None:
    keys = [{"kid": key_id(support_health.KID), "jwk": public_key_to_jwk(support_health.ISSUER.public_key())}]
    file = tmp_path / "health.json"
    file.write_text(json.dumps(keys))
    code, (answer,), said = decode(support_health.hc1().decode(), f"--trust={file}", IN_TIME)
    assert (code, answer["format"], answer["proof"], answer["reason"]) == (0, "hc1", "signed", None)
    assert (answer["issuer"], answer["valid_until"]) == ("VN", "2027-01-01T00:00:00Z")
    assert answer["holder"]["name"] == "Nguyễn Bảo Duy"
    assert answer["record"] == {"v": [support_health.VACCINATION], "t": [], "r": []}
    assert said == ""


def test_part_of_a_health_card_is_explained_in_both_languages(decode: Decode) -> None:
    code, (answer,), said = decode("shc:/1/3/5676")
    assert (code, answer["reason"]) == (1, "WRONG_CODE")
    assert "một phần của thẻ sức khỏe" in said
    assert "a part of a health card" in said


def test_batch_takes_the_options_where_a_line_says_nothing(decode: Decode, trust: str, tmp_path: Path) -> None:
    listed = tmp_path / "list.json"
    listed.write_text("[]")
    _, answers, _ = decode(trust, IN_TIME, batch(
        tmp_path, {"id": 1, "text": PASS}, {"id": 2, "text": PASS, "trust": str(listed)},
    ))
    assert [answer["reason"] for answer in answers] == [None, "UNKNOWN_KEY"]


def test_batch_of_thousands_reads_standard_input_and_shows_progress(
    decode: Decode, monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = b"".join(json.dumps({"id": number, "text": CARD}).encode() + b"\n" for number in range(2_500))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    code, answers, said = decode("--batch=-")
    assert code == 0
    assert [answer["id"] for answer in answers] == list(range(2_500))
    assert "2000 lines" in said


@pytest.mark.parametrize("arguments", [
    [], ["a", "--batch=x"], ["a", "--at=yesterday"], ["a", "--at=2026-11-23T06:55:00"], ["a", "--trust=gone.json"],
    ["--batch=gone.jsonl"], ["gone.png"],
])
def test_call_that_cannot_work_is_a_usage_error(decode: Decode, arguments: list[str]) -> None:
    code, answers, said = decode(*arguments)
    assert (code, answers) == (2, [])
    assert said


def test_config_of_a_gate_tells_who_is_listed_and_what_is_revoked(decode: Decode, tmp_path: Path) -> None:
    token_key = make_token_key(tmp_path / "token.key")
    folder = tmp_path / "state/documents/sets/1-1"
    folder.mkdir(parents=True)
    build_roster(folder / "roster.sqlite", [RosterRow("h1", ("cccd:001090123456",), areas=("site",))], token_key)
    (folder / "issuers.json").write_bytes(
        keyring_to_json(Keyring([Key(KID, ISSUER.public_key(), "kcn-tan-thuan", "pass")])))
    (folder / "revocations.json").write_bytes(
        revocations_to_json(Revocations(passes=frozenset({"0011223344556677"}))))
    (folder / "schedules.json").write_text('{"schema": "gate.schedules/1", "schedules": {}}')
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    (folder / "set.json").write_bytes(msgspec.json.encode(
        SetNote(versions={}, targets={}, published_at=moment, expires_at=moment)))
    (tmp_path / "state/documents/current").symlink_to("sets/1-1")
    (tmp_path / "root.json").write_text("{}")
    (tmp_path / "gate.yaml").write_text(
        "site: {id: demo, token_key_file: token.key}\ngate: {id: gate-1}\nstate_dir: state\n"
        "documents: {root_file: root.json}\npins: {factory: mock}\nbarrier: {driver: none}\n"
        "readers: [{name: keypad-in, direction: entry, driver: keypad, source: 'line:keypad.pty'}]\n"
    )
    code, answers, _ = decode(f"--config={tmp_path / 'gate.yaml'}", IN_TIME, CARD, PASS, "12345678902")
    assert code == 1
    assert [(answer["proof"], answer["reason"]) for answer in answers] == [
        ("listed", None), ("signed", "REVOKED"), ("claimed", None),
    ]


@pytest.mark.parametrize("text", ["x" * 5_000, "a/b" * 100])
def test_text_that_is_no_possible_path_is_still_a_text(decode: Decode, text: str) -> None:
    code, (answer,), _ = decode(text)
    assert (code, answer["id"], answer["proof"]) == (1, "1", "none")
