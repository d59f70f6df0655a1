"""`gate policy`, and health on its whole way: published, imported, decided, explained, replayed, reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support_ledger import PATIENCE_S, ledger_at, now, record

from gate.central.db import open_database, writing
from gate.central.db.models import Identifier, Person
from gate.cli import NO, USAGE, YES, main
from gate.model import EventKind
from gate.pack_files import read_cases, read_pack, shipped_packs

NOON = datetime.fromisoformat("2026-11-23T12:00:00+07:00")
CARDS = {name: f"0790900000{n:02}" for n, name in enumerate(("an", "binh", "cuc"), 1)}
HEALTH = {
    "an": {"declaration": {"at": "2026-11-23T06:00:00+07:00"}, "v": [{"dn": 2, "sd": 2, "dt": "2026-01-01"}]},
    "binh": {"declaration": {"at": "2026-11-23T06:00:00+07:00"}, "isolation": {"from": "2026-11-20"}},
}
CONFIG = """
site: {{id: kcn, token_key_file: token.key, area: site}}
gate: {{id: cong-1}}
state_dir: state
documents: {{root_file: repo/metadata/1.root.json}}
pins: {{factory: mock}}
barrier: {{driver: relay, entry_pin: 17, exit_pin: 27}}
readers: [{{name: vao-1, direction: entry, driver: keypad, source: line:none}}]
health: {health}
"""
PUBLISH = ["central", "documents", "publish", "--repo", "repo", "--keys", "keys", "--token-key", "token.key"]
IMPORT = ["documents", "import", "repo", "--state", "state", "--root", "repo/metadata/1.root.json",
          "--token-key", "token.key"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Three people, two of whom something is known, and a pack, at a gate."""
    monkeypatch.chdir(tmp_path)
    with writing(open_database("sqlite:///central.db")) as session:
        for name, card in CARDS.items():
            session.add(Person(holder=name, full_name="Nguyễn Văn An", created_at=NOON, areas=["site"],
                               identifiers=[Identifier(kind="cccd", value=card)]))
    Path("health.jsonl").write_text("".join(
        json.dumps({"who": f"cccd:{CARDS[name]}", "record": record}) + "\n" for name, record in HEALTH.items()))
    assert main(["central", "documents", "init", "--repo", "repo", "--keys", "keys", "--token-key", "token.key"]) == 0
    assert main([*PUBLISH, "--packs", "declared-today", "open", "--health", "health.jsonl"]) == 0
    assert main(IMPORT) == 0
    configure("{packs: [declared-today]}")
    capsys.readouterr()
    return tmp_path


def configure(health: str) -> None:
    Path("gate.yaml").write_text(CONFIG.format(health=health))


def decide(name: str, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    card = f"{CARDS[name]}||NGUYEN VAN AN|01011990|Nam|Ha Noi|15102021"
    main(["decide", card, "--config", "gate.yaml", "--at", NOON.isoformat(), "--json", *options])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


# --- a pack by itself ----------------------------------------------------------------------------------


def test_every_shipped_pack_passes_its_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "test", "--all"]) == YES
    assert len(capsys.readouterr().out.splitlines()) == len(shipped_packs())


def test_a_pack_that_answers_otherwise_than_its_table_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "own.json").write_bytes(read_pack("hcm-2021-10-01").replace(b', 180, "day"', b', 182, "day"'))
    (tmp_path / "own.cases.json").write_bytes(read_cases("hcm-2021-10-01"))
    assert main(["policy", "test", str(tmp_path / "own.json"), "--json"]) == NO
    (tried,) = json.loads(capsys.readouterr().out)["packs"]
    assert [each["who"] for each in tried["wrong"]] == ["recovered on 1 May", "recovered on 4 April"]
    assert main(["policy", "test", str(tmp_path / "own.json")]) == NO
    assert "bảng ghi / the table says hcm-2021-10-01.1" in capsys.readouterr().out


def test_a_pack_without_a_table_or_without_a_file_is_an_error_of_use(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_bytes(read_pack("open"))
    assert main(["policy", "test", str(tmp_path / "own.json")]) == USAGE
    assert main(["policy", "show", "no-such-pack"]) == USAGE


def test_a_pack_is_shown_in_both_languages_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", "hcm-3328"]) == YES
    out = capsys.readouterr().out
    assert "Decision 3328/QD-BCD" in out and "2021-09-15 – 2021-09-30" in out
    assert "Staff who face outsiders: GREEN." in out and "Người tiếp xúc với người ngoài: XANH." in out
    assert main(["policy", "show", "declared-today", "--json"]) == YES
    shown = json.loads(capsys.readouterr().out)
    assert [(rule["id"], rule["alert"]) for rule in shown["rules"]] == [
        ("declared-today.1", True), ("declared-today.2", False)]


# --- on its whole way ----------------------------------------------------------------------------------


def test_the_roster_decides_by_the_published_pack_and_names_the_rule_only(
    site: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert decide("an", capsys)["granted"]
    assert (decide("binh", capsys)["reason"], decide("binh", capsys)["rule"]) == ("HEALTH_RULE", "declared-today.1")
    assert decide("cuc", capsys)["rule"] == "declared-today.2"
    assert decide("binh", capsys, "--direction", "exit")["granted"]


def test_the_roster_carries_no_more_than_the_packs_look_at(site: Path) -> None:
    roster = next(Path("repo/targets").glob("*.roster.sqlite")).read_bytes()
    assert b"2026-11-23T06:00:00+07:00" in roster and b"2026-01-01" not in roster


def test_explain_says_each_rule_with_its_document_and_the_proof_used(
    site: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    rules = {said["rule"]: said for said in decide("binh", capsys)["rules"]}
    assert rules["health"]["outcome"] == "HEALTH_RULE declared-today.1"
    assert rules["declared-today.1"] == {"rule": "declared-today.1", "outcome": "refused",
                                         "document": "declared-today 1.0.0", "proof": "listed"}
    assert rules["declared-today.2"]["outcome"] == "passed"
    assert rules["revocation"]["document"] == "revocations.json v1"
    assert {said["rule"]: said["proof"] for said in decide("cuc", capsys)["rules"]}["declared-today.2"] == "none"
    assert {said["outcome"] for said in decide("an", capsys, "--direction", "exit")["rules"]} == {"binds no way out"}
    card = f"{CARDS['binh']}||NGUYEN VAN AN|01011990|Nam|Ha Noi|15102021"
    main(["decide", card, "--config", "gate.yaml", "--at", NOON.isoformat(), "--explain"])
    out = capsys.readouterr().out
    assert "declared-today.1" in out and "2026-11-20" not in out, "no fact is printed"


def test_a_gate_that_observes_grants_and_says_which_rules_would_have_refused(
    site: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    configure("{packs: [declared-today], mode: observe}")
    answer = decide("binh", capsys)
    assert (answer["granted"], answer["observed"]) == (True, ["declared-today.1"])
    configure("{packs: [declared-today], observe_rules: [declared-today.1]}")
    assert decide("binh", capsys)["granted"] and not decide("cuc", capsys)["granted"]


def test_a_gate_that_asks_for_a_pack_nobody_published_denies(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure("{packs: [hcm-3328]}")
    assert decide("an", capsys)["rule"] == "hcm-3328.missing"
    rules = {said["rule"]: said for said in decide("an", capsys)["rules"]}
    assert rules["hcm-3328.missing"]["document"] == "not published"


@pytest.fixture
def ledger(site: Path) -> Iterator[None]:
    """What the gate remembers of a morning in which nothing was asked."""
    ledger = ledger_at(site / "state")
    ledger.start()
    rows = [record(reason="GRANTED", holder=name) for name in ("an", "binh", "cuc", "gone")]
    rows += [record(EventKind.ACCESS_DENIED, reason="HEALTH_RULE", rule="old.1", holder="an"),
             record(EventKind.ACCESS_DENIED, reason="EXPIRED", holder="binh"),
             record(reason="GRANTED", holder="binh", direction="exit"),
             record(reason="GRANTED", holder="cuc", observed=["declared-today.2"])]
    assert ledger.append(rows, now()).wait(PATIENCE_S)
    yield
    ledger.stop()


def test_replay_says_what_a_pack_would_have_changed_and_what_cannot_be_known(
    ledger: None, capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["policy", "replay", "--against", "declared-today", "--config", "gate.yaml"]
    assert main([*command, "--json"]) == NO
    said = json.loads(capsys.readouterr().out)
    assert {key: said[key] for key in ("decisions", "same", "would_deny", "would_admit", "unknown")} == {
        "decisions": 7, "same": 2, "would_deny": 3, "would_admit": 1, "unknown": 1}
    assert {(each["holder"], each["change"]) for each in said["changed"]} == {
        ("binh", "would deny"), ("cuc", "would deny"), ("gone", "unknown"), ("an", "would admit")}
    assert said["by_rule"] == {"declared-today.1": 1, "declared-today.2": 2}
    assert main(command) == NO
    out = capsys.readouterr().out
    assert "3  sẽ bị từ chối / would be denied" in out
    assert "A health declaration made today." in out
    assert main(["policy", "replay", "--against", "open", "--config", "gate.yaml", "--last", "2"]) == YES


def test_replay_does_not_guess_where_certificates_may_have_been_shown(
    ledger: None, capsys: pytest.CaptureFixture[str],
) -> None:
    with Path("gate.yaml").open("a") as config:
        config.write("admission: {certificates: accepted}\n")
    assert main(["policy", "replay", "--against", "declared-today", "--config", "gate.yaml", "--json"]) == NO
    said = json.loads(capsys.readouterr().out)
    assert (said["would_deny"], said["unknown"]) == (0, 4)


def test_replay_does_not_guess_at_a_headcount(ledger: None, capsys: pytest.CaptureFixture[str]) -> None:
    main(["policy", "replay", "--against", "epz-2021-09-20", "--config", "gate.yaml", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert all("epz-2021-09-20.4" not in each["rules"] for each in said["changed"] if each["change"] == "would deny")


def test_report_says_who_would_have_been_denied(ledger: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "report", "--config", "gate.yaml", "--json"]) == YES
    said = json.loads(capsys.readouterr().out)
    assert (said["granted"], said["would_deny"], said["by_rule"]) == (5, 1, {"declared-today.2": 1})
    assert [each["holder"] for each in said["people"]] == ["cuc"]
    assert main(["policy", "report", "--config", "gate.yaml"]) == YES
    assert "1 of 5 who entered would have been denied" in capsys.readouterr().out
    assert main(["policy", "report", "--config", "gate.yaml", "--last", "0"]) == USAGE


# --- at the centre -------------------------------------------------------------------------------------


def test_a_bad_pack_is_not_signed(site: Path) -> None:
    Path("bad.json").write_bytes(read_pack("open").replace(b"gate.policy-pack/1", b"gate.policy-pack/9"))
    assert main([*PUBLISH, "--packs", "bad.json"]) != YES
    assert main([*PUBLISH, "--packs", "no-such-pack"]) == USAGE


@pytest.mark.parametrize("line", [
    b"{", b'{"who": "an"}', b'{"who": "an", "record": {"v": 7}}', b'{"who": "\xff", "record": {}}',
    b'{"who": "an", "record": {}}\n{"who": "an", "record": {}}',
])
def test_bad_health_facts_are_named_by_their_line_and_publish_nothing(
    site: Path, line: bytes, capsys: pytest.CaptureFixture[str],
) -> None:
    before = Path("repo/metadata/timestamp.json").read_bytes()
    Path("health.jsonl").write_bytes(line)
    assert main([*PUBLISH, "--health", "health.jsonl"]) != YES
    assert "health.jsonl:" in capsys.readouterr().err
    assert Path("repo/metadata/timestamp.json").read_bytes() == before


def test_packs_stay_published_and_say_which_health_facts_are_carried(
    site: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*PUBLISH, "--health", "health.jsonl"]) == YES
    assert main(IMPORT) == YES
    capsys.readouterr()
    assert decide("binh", capsys)["rule"] == "declared-today.1"
    assert main([*PUBLISH, "--health", "health.jsonl", "--keep-roster"]) == USAGE
    assert main([*PUBLISH, "--health", "none.jsonl"]) == USAGE


def test_health_facts_without_packs_are_refused(site: Path) -> None:
    assert main(["central", "documents", "init", "--repo", "repo2", "--keys", "keys2", "--token-key", "token.key"]) == 0
    other = [{"repo": "repo2", "keys": "keys2"}.get(word, word) for word in PUBLISH]
    assert main([*other, "--health", "health.jsonl"]) == USAGE
    assert main(other) == YES
