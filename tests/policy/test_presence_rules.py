"""What the rules make of who is inside: anti-passback, occupancy and quotas."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gate.clock import SHIFT_START
from gate.errors import DocumentError
from gate.model import Credential, Direction, Now, Proof, Reason, RosterEntry
from gate.policy import anti_passback
from gate.policy.context import Context
from gate.policy.crossing import Crossing
from gate.policy.quotas import quotas_from_json
from gate.policy.rules import judge
from gate.presence import OUTSIDE, Presence
from gate.view import DocumentSet, View

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOW = Now(SHIFT_START, 100.0)
HOUR = timedelta(hours=1)
QUOTAS = b"""{"schema": "gate.quotas/1", "site": {"max": 4, "staff": 9}, "companies": {"cty-a": {"max": 2},
    "cty-b": {"percent": 50, "staff": 5}},
    "shares": {"g1": {"site": 3, "companies": {"cty-a": 1}}, "g2": {"site": 1}}}"""


def judged(crossing: Crossing, inside: dict[str, str] | None = None, *, who: str = "an", company: str = "cty-a",
           left: tuple[str, ...] = (), at: Now = NOW, direction: Direction = Direction.ENTRY,
           quotas: bytes | None = QUOTAS, expected: dict[str, str] | None = None) -> Any:
    """The refusal of `who` an hour after those `inside` came in here, by their companies, and those who `left` went."""
    presence, before = Presence("g1"), replace(NOW, utc=NOW.utc - HOUR)
    for holder, theirs in (inside or {}).items():
        presence.go(holder, "hall", theirs, before)
    for holder in left:
        presence.go(holder, OUTSIDE, company, before)
    presence.expected = expected or {}
    documents = DocumentSet(quotas=quotas_from_json(quotas) if quotas else None)
    entry = RosterEntry(who, frozenset({"hall"}), company=company)
    context = Context(Credential("number", Proof.LISTED, who, None, entry), direction,
                      View("hall", ZONE, documents, crossing=crossing, presence=presence), at)
    return (judge(context) or (None, None))[1], anti_passback.observed(context)


HARD = Crossing("g1", anti_passback="hard")


@pytest.mark.parametrize(("name", "crossing", "told", "reason"), [
    ("hard, inside", HARD, {"inside": {"an": "cty-a"}}, Reason.PASSBACK),
    ("hard, outside", HARD, {"inside": {"an": "cty-a"}, "left": ("an",)}, None),
    ("hard, another is inside", HARD, {"inside": {"binh": "cty-a"}}, None),
    ("hard, on the way out", HARD, {"inside": {"an": "cty-a"}, "direction": Direction.EXIT}, None),
    ("hard, a code that names nobody", HARD, {"inside": {"": "cty-a"}, "who": ""}, None),
    ("off", Crossing("g1"), {"inside": {"an": "cty-a"}}, None),
    ("unknown, forgiven", HARD, {}, None),
    ("unknown, not forgiven", replace(HARD, forgive_unknown=False), {}, Reason.PASSBACK),
    ("not where the way in begins", replace(HARD, outside="yard"), {"inside": {"an": "cty-a"}, "left": ("an",)},
     Reason.PASSBACK),
    ("timed, an hour of two", replace(HARD, anti_passback="timed", timed_s=7200), {"inside": {"an": "cty-a"}},
     Reason.PASSBACK),
    ("timed, over", replace(HARD, anti_passback="timed", timed_s=3600), {"inside": {"an": "cty-a"}}, None),
    ("timed, over by a wrong clock", replace(HARD, anti_passback="timed", timed_s=3600),
     {"inside": {"an": "cty-a"}, "at": replace(NOW, trusted=False)}, Reason.PASSBACK),
    ("a place left", Crossing("g1", occupancy_max=2), {"inside": {"binh": "c"}}, None),
    ("full", Crossing("g1", occupancy_max=1), {"inside": {"binh": "c"}}, Reason.OCCUPANCY_LIMIT),
    ("full of themselves", Crossing("g1", occupancy_max=1), {"inside": {"an": "c"}}, None),
    ("full by who was just let in", Crossing("g1", occupancy_max=1), {"expected": {"binh": "c"}},
     Reason.OCCUPANCY_LIMIT),
    ("let in oneself", Crossing("g1", occupancy_max=1), {"expected": {"an": "c"}}, None),
    ("company within its number", Crossing("g1", quotas="shared"), {"inside": {"binh": "cty-a", "chi": "cty-b"}}, None),
    ("company full", Crossing("g1", quotas="shared"), {"inside": {"binh": "cty-a", "chi": "cty-a"}}, Reason.QUOTA),
    ("company full by half its staff", Crossing("g1", quotas="shared"),
     {"inside": {"binh": "cty-b", "chi": "cty-b"}, "company": "cty-b"}, Reason.QUOTA),
    ("company without a number", Crossing("g1", quotas="shared"), {"inside": dict.fromkeys("xyz", "d"), "company": "d"},
     None),
    ("site full", Crossing("g1", quotas="shared"), {"inside": dict.fromkeys("wxyz", "d"), "company": "d"},
     Reason.QUOTA),
    ("no numbers published", Crossing("g1", quotas="shared"), {"quotas": None}, Reason.QUOTA),
    ("share left", Crossing("g1", quotas="share"), {"inside": {"binh": "cty-b"}}, None),
    ("share of the company used up", Crossing("g1", quotas="share"), {"inside": {"binh": "cty-a"}}, Reason.QUOTA),
    ("share on its way in", Crossing("g1", quotas="share"), {"expected": {"binh": "cty-a"}}, Reason.QUOTA),
    ("share that came back", Crossing("g1", quotas="share"), {"inside": {"binh": "cty-a"}, "left": ("binh",)}, None),
    ("no share of the company", Crossing("g1", quotas="share"), {"company": "cty-b"}, Reason.QUOTA),
    ("share of a site without a number", Crossing("g1", quotas="share"),
     {"company": "d", "quotas": b'{"schema": "gate.quotas/1", "companies": {"cty-a": {"max": 1}}}'}, None),
    ("a gate without a share", Crossing("g3", quotas="share"), {"company": "d"}, Reason.QUOTA),
], ids=lambda value: value if isinstance(value, str) else "")
def test_who_is_inside_decides(name, crossing, told, reason):
    assert judged(crossing, **told) == (reason, ())


def test_soft_anti_passback_lets_in_and_reports():
    assert judged(replace(HARD, anti_passback="soft"), {"an": "cty-a"}) == (None, ("anti-passback",))
    assert judged(replace(HARD, anti_passback="soft"), {"binh": "cty-a"}) == (None, ())


@pytest.mark.parametrize(("document", "fault"), [
    (b"[]", "quotas.json"),
    (b'{"schema": "gate.quotas/2"}', "gate.quotas/1"),
    (b'{"schema": "gate.quotas/1", "site": {}}', "site: give either max, or percent and staff"),
    (b'{"schema": "gate.quotas/1", "companies": {"c": {"percent": 50}}}', "c: give either max"),
    (b'{"schema": "gate.quotas/1", "companies": {"c": {"percent": 101, "staff": 5}}}', "<= 100"),
    (b'{"schema": "gate.quotas/1", "companies": {"c": {"max": -1}}}', ">= 0"),
    (b'{"schema": "gate.quotas/1", "site": {"max": 3}, "shares": {"a": {"site": 2}, "b": {"site": 2}}}',
     "site: its shares come to 4, and its limit is 3"),
    (b" " * 1_000_001, "at most 1000000"),
])
def test_quotas_out_of_form_are_refused_with_the_fault(document, fault):
    with pytest.raises(DocumentError, match=fault):
        quotas_from_json(document)


def test_a_shift_begins_when_the_one_before_ends():
    crossing = Crossing(shift_ends=(time(14), time(6)))
    day = datetime(2026, 11, 23, tzinfo=ZONE)
    assert crossing.shift_began(day.replace(hour=5)) == day.replace(hour=14) - timedelta(days=1)
    assert crossing.shift_began(day.replace(hour=6)) == day.replace(hour=6)
    assert crossing.shift_began(day.replace(hour=23)) == day.replace(hour=14)
    assert Crossing().shift_began(day) is None
