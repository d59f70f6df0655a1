"""Why a gate answered as it did: every rule, its document, the proof of what it was told, and no fact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gate.admission import examine
from gate.clock import SHIFT_START
from gate.explanation import Said, explain
from gate.model import Claims, Credential, Direction, Now, Proof, RosterEntry, Scan
from gate.pack_files import read_pack
from gate.policy import area
from gate.policy.health.pack import HealthPolicy, pack_from_json
from gate.policy.rules import RULES
from gate.view import DocumentSet, View

NOW = Now(SHIFT_START, 0.0)
CARD = b"001090123456||NGUYEN VAN A|01011990|Nam|Ha Noi|15102021"
ISOLATED = {"isolation": {"from": "2026-11-20"}, "declaration": {"at": "2026-11-23T06:00:00+07:00"}}


class OnePerson:
    """A roster that lists one card."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.entry = RosterEntry("an", frozenset({"kho"}), facts={"health": record} if record else {})

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return self.entry if "cccd:001090123456" in identifiers else None

    def holder(self, holder: str) -> RosterEntry | None:
        return None


def said(record: dict[str, Any], policy: HealthPolicy, payload: bytes = CARD,
         direction: Direction = Direction.ENTRY) -> dict[str, Said]:
    documents = DocumentSet(roster=OnePerson(record), versions={"targets": 7}, packs={
        "declared-today": pack_from_json(read_pack("declared-today"))})
    view = View("xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), documents, health=policy)
    case = examine(Scan("in", direction, payload, 0.0), view, NOW)
    return {each.rule.strip(): each for each in explain(case)}


def test_every_rule_answers_for_itself_not_only_the_first_that_refuses() -> None:
    rules = said(ISOLATED, HealthPolicy(("declared-today",)))
    assert {rule.name for rule in RULES} <= set(rules)
    assert rules["revocation"] == Said("revocation", "passed", "revocations.json v7", "listed")
    assert rules["area"] == Said("area", "NO_ACCESS_RIGHTS", "", "listed")
    assert rules["health"] == Said("health", "HEALTH_RULE declared-today.1", "packs.json v7", "listed")


def test_a_health_rule_is_told_with_its_packs_version_and_who_vouches_for_the_facts() -> None:
    policy = HealthPolicy(("declared-today", "open", "hcm-3328"), observe=frozenset({"declared-today.1"}))
    rules = said(ISOLATED, policy)
    assert rules["declared-today.1"][1:] == ("refused, only observed", "declared-today 1.0.0", "listed")
    assert rules["declared-today.2"][1:] == ("passed", "declared-today 1.0.0", "listed")
    assert rules["hcm-3328.missing"][1:] == ("refused", "not published", "listed")
    assert said({}, HealthPolicy(("declared-today",)))["declared-today.2"].proof == "none"


def test_a_certificate_beside_the_roster_is_named_as_a_proof() -> None:
    documents = DocumentSet(packs={"declared-today": pack_from_json(read_pack("declared-today"))})
    view = View("xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), documents, health=HealthPolicy(("declared-today",)))
    case = examine(Scan("in", Direction.ENTRY, CARD, 0.0), view, NOW)
    entry = RosterEntry("an", frozenset(), facts={"health": ISOLATED})
    claims = Claims("VN", "", "a2lk", record={"v": [{"dn": 2}]})
    credential = Credential("hc1", Proof.LISTED, "an", claims, entry)
    rules = {each.rule.strip(): each for each in explain(type(case)(case.scan, view, NOW, credential=credential))}
    assert rules["declared-today.1"].proof == "signed + listed"


def test_nothing_is_said_of_a_code_that_reached_no_rule_and_no_rule_binds_a_way_out() -> None:
    assert said(ISOLATED, HealthPolicy(), b"hello") == {}
    out = said(ISOLATED, HealthPolicy(("declared-today",)), direction=Direction.EXIT)
    assert {each.outcome for each in out.values()} == {"binds no way out"}


def test_a_rule_that_raises_is_told_as_the_fault_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: object) -> None:
        raise RuntimeError("a bug")

    rules = tuple(replace(rule, check=broken) if rule.check is area.rule else rule for rule in RULES)
    monkeypatch.setattr("gate.explanation.RULES", rules)
    assert said(ISOLATED, HealthPolicy())["area"].outcome == "INTERNAL_ERROR"
