"""Each rule by a table, their order, and the rule that `docs/writing-a-rule.md` writes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gate.clock import SHIFT_START
from gate.model import Claims, Credential, Decision, Direction, Mode, Now, Proof, Reason, RosterEntry
from gate.policy.ages import PastAge
from gate.policy.context import Context, Objection
from gate.policy.rules import RULES, Rule, judge
from gate.policy.schedule import schedules_from_json
from gate.policy.together import TwoPersons
from gate.presence import Presence
from gate.texts import TEXTS
from gate.trust import Revocations
from gate.view import DocumentSet, NoRoster, View

NOW = Now(SHIFT_START, 0.0)
ENTRY = RosterEntry("an", frozenset({"xuong-a"}))
CLAIMS = Claims("khu-a", "an", "a2lk", "00" * 8)
FIRST = Decision(True, Reason.GRANTED, Direction.ENTRY, "in", holder="an")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def context(*, entry: RosterEntry | None = ENTRY, claims: Claims | None = None, now: Now = NOW,
            direction: Direction = Direction.ENTRY, documents: dict[str, Any] | None = None, **view: Any) -> Context:
    schedules = schedules_from_json(
        b'{"schema": "gate.schedules/1", "schedules": {"ca-ngay": {"mon": [["07:00", "18:00"]]}}}')
    in_force = DocumentSet(schedules=schedules, published_at=SHIFT_START - DAY, **(documents or {}))
    credential = Credential("gp1", Proof.SIGNED if claims else Proof.LISTED, "an", claims, entry)
    return Context(credential, direction, View("xuong-a", ZoneInfo("Asia/Ho_Chi_Minh"), in_force, **view), now)


UNTRUSTED = replace(NOW, trusted=False)
CASES = [
    ("nothing against them", {}, None),
    ("lockdown", {"mode": Mode.LOCKDOWN}, Reason.LOCKDOWN),
    ("free", {"mode": Mode.FREE}, None),
    ("holder revoked", {"documents": {"revocations": Revocations(holders=frozenset({"an"}))}}, Reason.REVOKED),
    ("pass revoked", {"claims": CLAIMS, "documents": {"revocations": Revocations(passes=frozenset({"00" * 8}))}},
     Reason.REVOKED),
    ("another pass revoked", {"claims": CLAIMS, "documents": {"revocations": Revocations(frozenset({"11"}))}}, None),
    ("certificate revoked", {"claims": replace(CLAIMS, key_withdrawn=True)}, Reason.REVOKED),
    ("key revoked", {"claims": CLAIMS, "documents": {"revocations": Revocations(keys=frozenset({"a2lk"}))}},
     Reason.REVOKED),
    ("clock untrusted, continue", {"now": UNTRUSTED}, None),
    ("clock untrusted, deny", {"now": UNTRUSTED, "continue_on_untrusted_clock": False}, Reason.CLOCK_UNTRUSTED),
    ("roster a day old, two allowed", {"roster_max_age": 2 * DAY}, None),
    ("roster a day old, an hour allowed", {"roster_max_age": timedelta(hours=1)}, Reason.ROSTER_STALE),
    ("stale, continue", {"roster_max_age": timedelta(hours=1), "continue_on_stale_roster": True}, None),
    ("stale cannot be known", {"roster_max_age": timedelta(hours=1), "now": UNTRUSTED}, None),
    ("revocations old, deny", {"past_age": (PastAge("revocations", HOUR),)}, Reason.ROSTER_STALE),
    ("revocations old, only the roster counts, listed", {"past_age": (PastAge("revocations", HOUR, True),)}, None),
    ("revocations old, only the roster counts, not listed", {
        "entry": None, "claims": replace(CLAIMS, areas=frozenset({"xuong-a"})),
        "past_age": (PastAge("revocations", HOUR, True),)}, Reason.ROSTER_STALE),
    ("revocations not yet old", {"past_age": (PastAge("revocations", 2 * DAY),)}, None),
    ("revocations old by a clock not believed", {"past_age": (PastAge("revocations", HOUR),), "now": UNTRUSTED}, None),
    ("roster entry over", {"entry": replace(ENTRY, valid_until_at=SHIFT_START)}, Reason.EXPIRED),
    ("roster entry not yet", {"entry": replace(ENTRY, valid_from_at=SHIFT_START + DAY)}, Reason.NOT_YET_ACTIVE),
    ("roster entry begins now", {"entry": replace(ENTRY, valid_from_at=SHIFT_START)}, None),
    ("pass over, entry good", {"claims": replace(CLAIMS, valid_until_at=SHIFT_START)}, Reason.EXPIRED),
    ("over, but the clock is not known", {"entry": replace(ENTRY, valid_until_at=SHIFT_START), "now": UNTRUSTED}, None),
    ("another area", {"entry": replace(ENTRY, areas=frozenset({"kho-b"}))}, Reason.NO_ACCESS_RIGHTS),
    ("no area at all", {"entry": replace(ENTRY, areas=frozenset())}, Reason.NO_ACCESS_RIGHTS),
    ("pass narrows the entry", {"claims": replace(CLAIMS, areas=frozenset({"kho-b"}))}, Reason.NO_ACCESS_RIGHTS),
    ("pass alone", {"entry": None, "claims": replace(CLAIMS, areas=frozenset({"xuong-a"}))}, None),
    ("pass alone without areas", {"entry": None, "claims": CLAIMS}, Reason.NO_ACCESS_RIGHTS),
    ("a role of this gate", {"entry": replace(ENTRY, roles=frozenset({"driver"})), "roles": frozenset({"driver"})},
     None),
    ("another role", {"entry": replace(ENTRY, roles=frozenset({"worker"})), "roles": frozenset({"driver"})},
     Reason.NO_ACCESS_RIGHTS),
    ("no role at all", {"roles": frozenset({"driver"})}, Reason.NO_ACCESS_RIGHTS),
    ("pass narrows the roles", {"entry": replace(ENTRY, roles=frozenset({"driver"})), "roles": frozenset({"driver"}),
                                "claims": replace(CLAIMS, roles=frozenset({"guest"}))}, Reason.NO_ACCESS_RIGHTS),
    ("a listed code where its area has to be signed", {"proofs": {"area": Proof.SIGNED}}, Reason.PROOF_TOO_WEAK),
    ("a signed pass there", {"proofs": {"area": Proof.SIGNED}, "claims": CLAIMS}, None),
    ("listed health facts where they have to be signed",
     {"proofs": {"health": Proof.SIGNED}, "entry": replace(ENTRY, facts={"health": {"v": [{}]}}), "claims": CLAIMS},
     Reason.PROOF_TOO_WEAK),
    ("no listed health facts there", {"proofs": {"health": Proof.SIGNED}}, None),
    ("first entry of one", {"entry": replace(ENTRY, facts={"visit": {"uses": 1}})}, None),
    ("no entry left", {"entry": replace(ENTRY, facts={"visit": {"uses": 1}}), "uses": {"an": 1}}, Reason.MAX_USES),
    ("another's entries", {"entry": replace(ENTRY, facts={"visit": {"uses": 1}}), "uses": {"binh": 1}}, None),
    ("one person where two are asked for", {"two_persons": TwoPersons(10.0)}, Reason.NEEDS_SECOND_PERSON),
    ("the same person again", {"two_persons": TwoPersons(10.0, FIRST, 5.0)}, Reason.NEEDS_SECOND_PERSON),
    ("a second person", {"two_persons": TwoPersons(10.0, replace(FIRST, holder="binh"), 5.0)}, None),
    ("a second person too late", {"two_persons": TwoPersons(10.0, replace(FIRST, holder="binh"), 0.0)},
     Reason.NEEDS_SECOND_PERSON),
    ("before the shift", {"entry": replace(ENTRY, schedule="ca-ngay")}, Reason.OUT_OF_TIME_RANGE),
    ("in the shift", {"entry": replace(ENTRY, schedule="ca-ngay"), "now": replace(NOW, utc=SHIFT_START + HOUR)}, None),
]


@pytest.mark.parametrize(("what", "case", "reason"), CASES, ids=[case[0] for case in CASES])
def test_rule(what: str, case: dict[str, Any], reason: Reason | None) -> None:
    answer = judge(context(**case))
    assert (answer[1] if answer else None) is reason


@pytest.mark.parametrize(("what", "case", "reason"), CASES, ids=[case[0] for case in CASES])
def test_no_rule_binds_exit(what: str, case: dict[str, Any], reason: Reason | None) -> None:
    assert judge(context(**case, direction=Direction.EXIT)) is None


HOST = replace(ENTRY, holder="chi")
GUEST = replace(ENTRY, facts={"visit": {"host": "chi"}})


@pytest.mark.parametrize(("what", "listed", "case", "reason"), [
    ("listed", HOST, {}, None),
    ("not listed", None, {}, Reason.NO_HOST),
    ("expired", replace(HOST, valid_until_at=SHIFT_START), {}, Reason.NO_HOST),
    ("expired by a wrong clock", replace(HOST, valid_until_at=SHIFT_START), {"now": UNTRUSTED}, None),
    ("withdrawn", HOST, {"documents": {"revocations": Revocations(holders=frozenset({"chi"}))}}, Reason.NO_HOST),
    ("outside", HOST, {"host_inside": True}, Reason.NO_HOST),
    ("inside", HOST, {"host_inside": True, "inside": "chi"}, None),
])
def test_a_visitor_needs_a_host(what: str, listed: RosterEntry | None, case: dict[str, Any],
                                reason: Reason | None) -> None:
    class Listed(NoRoster):
        def holder(self, holder: str) -> RosterEntry | None:
            return listed if holder == "chi" else None

    case, presence = dict(case), Presence("g")
    if inside := case.pop("inside", ""):
        presence.go(inside, "xuong-a", "", NOW)
    documents = {"roster": Listed(), **case.pop("documents", {})}
    answer = judge(context(entry=GUEST, documents=documents, presence=presence, **case))
    assert (answer[1] if answer else None) is reason


def test_lockdown_speaks_before_any_other_rule() -> None:
    everything = context(mode=Mode.LOCKDOWN, entry=replace(ENTRY, valid_until_at=SHIFT_START, areas=frozenset()),
                         documents={"revocations": Revocations(holders=frozenset({"an"}))})
    assert judge(everything) == Objection("lockdown", Reason.LOCKDOWN)
    assert judge(everything, RULES[1:]) == Objection("revocation", Reason.REVOKED)


def test_the_page_lists_every_rule_in_order_with_the_proof_that_it_needs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "access-rules.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \|.*\| ([a-z]+) \|$", page, re.M)
    assert rows == [(rule.name, rule.needs.value) for rule in RULES]


def test_no_rules_deny() -> None:
    assert judge(context(), ()) == Objection("no-rules", Reason.INTERNAL_ERROR)


def test_every_reason_has_a_text_in_both_languages_and_a_next_step() -> None:
    assert set(TEXTS) == set(Reason)
    assert all(all(text) for text in TEXTS.values())


def test_the_rule_of_the_page_works() -> None:
    page = (Path(__file__).parents[2] / "docs" / "writing-a-rule.md").read_text()
    (source,) = re.findall(r'```python\n(""".*?)```', page, re.S)
    written: dict[str, Any] = {}
    exec(source, written)
    sunday = replace(NOW, utc=datetime.fromisoformat("2026-11-22T12:00:00+07:00"))
    rules = (Rule("sunday", written["rule"], Proof.CLAIMED),)
    assert judge(context(now=sunday), rules) == Objection("sunday", Reason.OUT_OF_TIME_RANGE)
    assert judge(context(now=replace(sunday, trusted=False)), rules) is None
    assert judge(context(), rules) is None
