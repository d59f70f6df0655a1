"""Health packs: the shipped ones by their tables, how a gate enforces or observes them, and that they fail closed."""

from __future__ import annotations

import json
import re
from calendar import monthrange
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.errors import DocumentError
from gate.model import Claims, Credential, Direction, Now, Proof, Reason, RosterEntry
from gate.pack_files import read_cases, read_pack, shipped_packs
from gate.policy.context import Context, Objection
from gate.policy.crossing import Crossing
from gate.policy.health import rule as health
from gate.policy.health.cases import Outcome, cases_from_json, outcomes, untried
from gate.policy.health.certlogic_format import ENTRIES_MAX
from gate.policy.health.moment import MONTHS_MAX, Circumstances, Headcount, external
from gate.policy.health.pack import (
    PACKS_MAX,
    PACKS_MAX_BYTES,
    RULES_MAX,
    STEPS_MAX,
    HealthPolicy,
    Pack,
    pack_from_json,
    packs_from_json,
    packs_to_json,
)
from gate.policy.health.record import check_record, record_of, trimmed
from gate.policy.quotas import Quotas
from gate.policy.rules import judge
from gate.presence import Move, Presence, Stamp
from gate.view import DocumentSet, View

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PACKS = {name: pack_from_json(read_pack(name)) for name in shipped_packs()}
MORNING = datetime.fromisoformat("2021-10-01T06:55:00+07:00")
DECLARED = {"declaration": {"at": "2021-10-01T06:00:00+07:00"}}
ISOLATED = {**DECLARED, "isolation": {"from": "2021-09-25", "to": "2021-10-08"}}
DOSE = {"v": [{"dn": 1, "sd": 2, "dt": "2021-09-01"}]}


def context(
    record: dict[str, Any] | None = None, *, packs: tuple[str, ...] = ("declared-today",), scanned: Any = None,
    at: datetime = MORNING, trusted: bool = True, direction: Direction = Direction.ENTRY,
    published: dict[str, Pack] | None = None, roles: frozenset[str] = frozenset(), **policy: Any,
) -> Context:
    entry = RosterEntry("an", frozenset({"*"}), roles, facts={"health": record} if record else {})
    claims = Claims("VN", "", "a2lk", record=scanned) if scanned else None
    documents = DocumentSet(packs=PACKS if published is None else published)
    view = View("xuong-a", ZONE, documents, health=HealthPolicy(packs, **policy))
    return Context(Credential("citizen-id", Proof.LISTED, "an", claims, entry), direction, view, Now(at, 0.0, trusted))


# --- the shipped packs ---------------------------------------------------------------------------------


def outcomes_of(name: str) -> list[Outcome]:
    return list(outcomes(PACKS[name], cases_from_json(read_cases(name))))


@pytest.mark.parametrize("name", shipped_packs())
def test_shipped_pack_answers_its_table_of_cases(name: str) -> None:
    assert [outcome for outcome in outcomes_of(name) if not outcome.right] == []
    assert untried(PACKS[name], cases_from_json(read_cases(name))) == []


@pytest.mark.parametrize("name", shipped_packs())
def test_a_row_cut_down_to_the_fields_of_its_pack_changes_no_answer(name: str) -> None:
    pack, table = PACKS[name], json.loads(read_cases(name))
    noise = {"tg": "840539006", "ci": "URN:UVCI:01:VN:1", "is": "Bộ Y tế", "fr": "2021-01-01"}
    for person in table["people"].values():
        record = person.get("record", {})
        for kind in ("v", "t", "r"):
            record[kind] = [noise | entry for entry in record.get(kind, [])]
        person["record"] = trimmed(record, pack.fields)
        assert "URN:UVCI" not in json.dumps(person)
    assert all(outcome.right for outcome in outcomes(pack, cases_from_json(json.dumps(table).encode())))


def test_no_id_of_a_shipped_rule_names_a_health_fact() -> None:
    for pack in PACKS.values():
        for rule in pack.rules:
            assert rule.id.removeprefix(pack.id).lstrip(".").isdigit()


def test_a_table_that_is_wrong_or_leaves_a_rule_untried_is_told() -> None:
    table = json.loads(read_cases("declared-today"))
    table["cases"] = [table["cases"][0] | {"refused_by": ["declared-today.2"]}]
    cases = cases_from_json(json.dumps(table).encode())
    assert [outcome.right for outcome in outcomes(PACKS["declared-today"], cases)] == [False]
    assert untried(PACKS["declared-today"], cases) == ["declared-today.1", "declared-today.2"]


@pytest.mark.parametrize("change", [
    {"people": {}}, {"schema": "gate.policy-cases/2"}, {"people": {"declared at six": {"record": {"w": []}}}},
    {"cases": [{"who": "declared at six", "at": "2021-10-01T06:55:00", "refused_by": []}]},
])
def test_a_table_out_of_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="table of cases"):
        cases_from_json(json.dumps(json.loads(read_cases("declared-today")) | change).encode())


# --- at the gate ---------------------------------------------------------------------------------------


def test_a_rule_that_is_not_met_denies_with_its_id_and_nothing_else() -> None:
    assert health.rule(context(DECLARED)) is None
    assert health.rule(context()) == Objection("declared-today.2", Reason.HEALTH_RULE, False)


def test_home_isolation_denies_and_calls_the_operators() -> None:
    assert health.rule(context(ISOLATED)) == Objection("declared-today.1", Reason.HEALTH_RULE, True)


def test_no_health_rule_keeps_anybody_inside() -> None:
    assert judge(context(ISOLATED, direction=Direction.EXIT)) is None


def test_open_is_the_default_and_asks_nothing() -> None:
    assert View("a", ZONE).health.packs == ("open",)
    assert health.rule(context(ISOLATED, packs=("open",))) is None
    assert health.observed(context(ISOLATED, packs=("open",), observe_all=True)) == ()


def test_a_pack_that_nobody_published_denies() -> None:
    assert health.rule(context(DECLARED, published={})) == Objection("declared-today.missing", Reason.HEALTH_RULE)
    assert health.rule(context(DECLARED, packs=("open", "declared-today"), published={})) is not None
    watched = context(DECLARED, published={}, observe_all=True)
    assert (health.rule(watched), health.observed(watched)) == (None, ("declared-today.missing",))


def test_every_pack_of_a_gate_has_to_be_content() -> None:
    both = ("hcm-2021-10-01", "declared-today")
    assert health.rule(context(DECLARED | DOSE, packs=both)) is None
    assert health.rule(context(DECLARED, packs=both)) == Objection("hcm-2021-10-01.1", Reason.HEALTH_RULE)
    assert health.rule(context(DOSE, packs=both)) == Objection("declared-today.2", Reason.HEALTH_RULE)


def test_a_gate_that_observes_lets_everyone_pass_and_says_who_would_not() -> None:
    watched = context(observe_all=True)
    assert (health.rule(watched), health.observed(watched)) == (None, ("declared-today.2",))
    one = context(ISOLATED | {"declaration": {"at": "2021-09-30T06:00:00+07:00"}},
                  observe=frozenset({"declared-today.2"}))
    assert health.rule(one) == Objection("declared-today.1", Reason.HEALTH_RULE, True)
    assert health.observed(one) == ("declared-today.2",)


def test_a_rule_that_its_pack_only_observes_refuses_nobody() -> None:
    document = json.loads(read_pack("declared-today"))
    document["Rules"][1]["Mode"] = "observe"
    published = {"declared-today": pack_from_json(json.dumps(document).encode())}
    watched = context(published=published)
    assert (health.rule(watched), health.observed(watched)) == (None, ("declared-today.2",))


def test_without_a_right_clock_only_rules_that_ask_for_it_speak() -> None:
    assert health.rule(context(trusted=False)) is None
    assert health.rule(context(ISOLATED, trusted=False)) == Objection("declared-today.1", Reason.HEALTH_RULE, True)
    over = {"isolation": {"from": "2021-09-01", "to": "2021-09-14"}}
    assert health.rule(context(over, trusted=False)) is not None
    assert health.rule(context(DECLARED | over)) is None


def test_days_are_those_of_the_site() -> None:
    """At 06:55 in Ho Chi Minh City it is still the day before in London."""
    late = {"v": [{"dn": 1, "sd": 2, "dt": "2021-09-17"}]}
    at_the_site = context(late, packs=("hcm-2021-10-01",))
    elsewhere = replace(at_the_site, view=replace(at_the_site.view, zone=ZoneInfo("Europe/London")))
    assert health.rule(at_the_site) is None
    day_before = replace(elsewhere, now=Now(datetime.fromisoformat("2021-10-01T23:30:00+00:00"), 0.0))
    assert health.rule(day_before) is None  # half past midnight in summer time: the 2nd
    before_dawn = {"v": [{"dn": 1, "sd": 2, "dt": "2021-09-18"}]}
    assert health.rule(replace(context(before_dawn, packs=("hcm-2021-10-01",)))) is not None
    assert health.rule(context(before_dawn, packs=("hcm-2021-10-01",), at=MORNING + timedelta(hours=17, minutes=5))
                       ) is None


def test_a_scanned_certificate_and_the_roster_count_together() -> None:
    scanned = {"v": [{"dn": 2, "sd": 2, "dt": "2021-09-01", "tg": "840539006"}], "t": [], "r": []}
    packs = ("hcm-2021-10-01", "declared-today")
    assert health.rule(context(DECLARED, packs=packs, scanned=scanned)) is None
    assert record_of(context(DECLARED | DOSE, scanned=scanned).credential) == {
        **DECLARED, "v": [*scanned["v"], *DOSE["v"]], "t": [], "r": []}
    assert record_of(Credential("gp1", Proof.SIGNED, "an")) == {}


def test_a_record_that_no_rule_can_read_is_a_no_and_never_an_error() -> None:
    broken = [{"v": 7}, {"v": [7]}, {"v": [{"dn": "2", "sd": 2, "dt": "2021-09-01"}]}, {"v": [{"dn": 1, "dt": "x"}]},
              {"v": [{}] * (ENTRIES_MAX + 1)}]
    for record in broken:
        assert health.rule(context(record, packs=("hcm-2021-10-01",))) == Objection(
            "hcm-2021-10-01.1", Reason.HEALTH_RULE)


def test_roles_of_pass_and_roster_both_bind() -> None:
    driver = context(DOSE, packs=("hcm-3328",), roles=frozenset({"supplier-driver"}),
                     at=datetime.fromisoformat("2021-09-20T06:55:00+07:00"))
    assert health.rule(driver) == Objection("hcm-3328.3", Reason.HEALTH_RULE)
    visitor = replace(driver, credential=replace(driver.credential, claims=Claims(
        "khu-a", "an", "a2lk", roles=frozenset({"outsiders"}))))
    assert health.rule(visitor) == Objection("hcm-3328.2", Reason.HEALTH_RULE)


def test_half_of_the_staff_is_counted_where_the_gate_counts_and_the_publisher_said_how_many_belong_to_it() -> None:
    at = datetime.fromisoformat("2021-09-21T06:55:00+07:00")
    record = {"v": [{"dn": 2, "sd": 2, "dt": "2021-09-01"}], "t": [{"tr": "260415000", "sc": "2021-09-20T06:00:00Z"}]}
    nobody_counts = context(record, packs=("epz-2021-09-20",), at=at)
    full = Objection("epz-2021-09-20.4", Reason.HEALTH_RULE)
    assert health.rule(nobody_counts) == full
    stamp = Stamp(0, 0, "cong-1")
    for inside, expected in ((4, None), (5, full)):
        moves = (Move(holder=f"p{n}", place="xuong-a", company="", stamp=stamp) for n in range(inside))
        presence = Presence("cong-1", moves)
        view = replace(nobody_counts.view, presence=presence, crossing=Crossing(quotas="shared"),
                       documents=replace(nobody_counts.view.documents, quotas=Quotas(staff=10)))
        assert health.rule(replace(nobody_counts, view=view)) == expected
        presence.go("an", "xuong-a", "", nobody_counts.now)
        assert health.rule(replace(nobody_counts, view=view)) == expected, "who asks is not counted twice"


def test_headcount_is_unknown_until_somebody_counts() -> None:
    seen = external(Circumstances(MORNING.astimezone(ZONE)), {})
    assert seen["headcount"] is None
    counted = Circumstances(MORNING.astimezone(ZONE), headcount=Headcount(3, 10))
    assert external(counted, {})["headcount"] == {"present": 3, "staff": 10}


# --- days and months -----------------------------------------------------------------------------------


def ends(day: date, months: int) -> date:
    """The last day of a term of months (Civil Code of Vietnam, article 148.3)."""
    count = 12 * day.year + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, MONTHS_MAX))
def test_the_day_so_many_months_ago_is_the_earliest_whose_term_has_not_ended(today: date, months: int) -> None:
    local = datetime(today.year, today.month, today.day, 12, tzinfo=ZONE)
    earliest = date.fromisoformat(external(Circumstances(local), {})["monthsAgo"][months])
    assert ends(earliest, months) >= today
    assert ends(earliest - timedelta(days=1), months) < today


@pytest.mark.parametrize(("day", "last"), [
    ("2021-08-31", "2022-02-28"), ("2021-08-28", "2022-02-28"), ("2022-03-01", "2022-09-01"),
    ("2021-05-01", "2021-11-01"),
])
def test_six_months_are_not_180_days(day: str, last: str) -> None:
    assert ends(date.fromisoformat(day), 6) == date.fromisoformat(last)
    assert date.fromisoformat(day) + timedelta(days=180) != date.fromisoformat(last)
    recovered = {"r": [{"df": day, "du": "2030-01-01"}]}
    for moved, expected in ((0, None), (1, Reason.HEALTH_RULE)):
        at = datetime.fromisoformat(f"{last}T12:00:00+07:00") + timedelta(days=moved)
        refusal = health.rule(context(recovered, packs=("byt-8228",), at=at))
        assert (refusal.reason if refusal else None) is expected


def test_the_day_of_a_place_with_summer_time_begins_at_its_own_midnight() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert external(Circumstances(datetime(2026, 10, 25, 12, tzinfo=berlin)), {})["dayStart"] == (
        "2026-10-25T00:00:00+02:00")


# --- what is no pack -----------------------------------------------------------------------------------


def pack_with(**changes: Any) -> bytes:
    return json.dumps({**json.loads(read_pack("declared-today")), **changes}).encode()


def rule_with(**changes: Any) -> bytes:
    document = json.loads(read_pack("declared-today"))
    document["Rules"] = [document["Rules"][1] | changes]
    return json.dumps(document).encode()


COSTLY: Any = True
for _ in range(3):
    COSTLY = {"reduce": [{"var": "payload.v"}, COSTLY, 0]}
COSTLY = {"and": [COSTLY] * (STEPS_MAX // ENTRIES_MAX**3 + 1) + [True]}

NO_PACKS = {
    "not JSON": b"{", "not UTF-8": b'{"schema": "\xff"}', "too long": b" " * (PACKS_MAX_BYTES + 1),
    "another schema": pack_with(schema="gate.policy-pack/2"), "another language": pack_with(Engine="JSONLOGIC"),
    "another version of it": pack_with(EngineVersion="1.0.0"), "a key that nobody knows": pack_with(Rulez=[]),
    "an id with a slash": pack_with(Identifier="a/b"), "no version": pack_with(Version="1"),
    "no source": pack_with(Source=""), "English only": pack_with(Description=[{"lang": "en", "desc": "x"}]),
    "no rules": pack_with(Rules=[]), "a day that is none": pack_with(ValidFrom="2021-02-30"),
    "a moment for a day": pack_with(ValidFrom="2021-02-03T00:00:00Z"),
    "too many rules": pack_with(Rules=[json.loads(read_pack("declared-today"))["Rules"][1]] * (RULES_MAX + 1)),
    "one id twice": pack_with(Rules=[json.loads(read_pack("declared-today"))["Rules"][1]] * 2),
    "a rule that is called like another pack's": rule_with(Identifier="hcm-3328.1"),
    "no CertLogic": rule_with(Logic={"or": [True, False]}), "a rule in English only": rule_with(
        Description=[{"lang": "en", "desc": "x"}]),
    "a field that no record has": rule_with(AffectedFields=["name.first"]), "too costly": rule_with(Logic=COSTLY),
    "another mode": rule_with(Mode="ignore"), "deep beyond reading": b"[" * 100_000,
}


@pytest.mark.parametrize("document", NO_PACKS.values(), ids=NO_PACKS)
def test_what_is_no_pack_is_refused_whole(document: bytes) -> None:
    with pytest.raises(DocumentError):
        pack_from_json(document)


def test_packs_are_joined_and_read_back() -> None:
    joined = packs_to_json([read_pack(name) for name in shipped_packs()])
    assert list(packs_from_json(joined)) == shipped_packs()


@pytest.mark.parametrize("packs", [["open", "open"], ["open"] * (PACKS_MAX + 1)])
def test_one_pack_twice_or_too_many_are_refused(packs: list[str]) -> None:
    with pytest.raises(DocumentError):
        packs_to_json([read_pack(name) for name in packs])


def test_one_bad_pack_refuses_all() -> None:
    with pytest.raises(DocumentError, match="unrecognised operator"):
        packs_to_json([read_pack("open"), rule_with(Logic={"or": [True, False]})])


@pytest.mark.parametrize("record", [
    7, {"w": []}, {"v": 7}, {"v": [{"dn": 1.5}]}, {"v": [{"dn": None}]}, {"v": [{"a": "x" * 81}]},
    {"t": [{}] * (ENTRIES_MAX + 1)}, {"declaration": {"at": "2021-10-01T06:00:00"}}, {"declaration": {}},
    {"isolation": {"to": "2021-10-01"}}, {"isolation": {"from": "2021-10-01", "until": "2021-10-08"}},
    {"contact": {"at": "2021-10-01T06:00:00Z"}},
])
def test_what_is_no_health_record_is_refused(record: Any) -> None:
    with pytest.raises(DocumentError, match="health record"):
        check_record(record)


def test_the_pack_of_the_page_works() -> None:
    page = (Path(__file__).parents[2] / "docs" / "writing-a-rule.md").read_text()
    (written,) = re.findall(r"```json\n(\{.*?\n\})\n```", page, re.DOTALL)
    published = {"my-site": pack_from_json(written.encode())}
    assert health.rule(context(DECLARED, packs=("my-site",), published=published)) is None
    assert health.rule(context(packs=("my-site",), published=published)) == Objection("my-site.1", Reason.HEALTH_RULE)


def test_the_page_of_packs_names_each_that_is_shipped_with_its_days() -> None:
    page = (Path(__file__).parents[2] / "docs" / "health-packs.md").read_text()
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE)) == set(PACKS)
