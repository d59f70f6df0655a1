"""What a pack would have answered to a past decision, and what nobody can know of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gate.model import RosterEntry
from gate.pack_files import read_pack
from gate.policy.health.pack import pack_from_json
from gate.policy.health.replay import Change, Past, Replayed, replay

PACKS = {name: pack_from_json(read_pack(name)) for name in ("hcm-2021-10-01", "epz-2021-09-20")}
BEFORE = datetime(2021, 9, 20, 6, 55, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
DOSE = {"v": [{"dn": 1, "sd": 2, "dt": "2021-09-01"}]}
GREEN = {"v": [{"dn": 2, "sd": 2, "dt": "2021-09-01"}], "t": [{"tr": "260415000", "sc": "2021-09-19T06:00:00+07:00"}]}


def ask(reason: str, record: dict[str, Any] | None, pack: str = "hcm-2021-10-01", certificates: bool = False,
        known: bool = True) -> Replayed:
    entry = RosterEntry("an", frozenset(), facts={"health": record} if record else {}) if known else None
    return replay(PACKS[pack], Past(BEFORE, True, reason, "an"), entry, certificates)


@pytest.mark.parametrize(("reason", "record", "change"), [
    ("GRANTED", DOSE, Change.SAME), ("GRANTED", None, Change.WOULD_DENY), ("HEALTH_RULE", None, Change.SAME),
    ("HEALTH_RULE", DOSE, Change.WOULD_ADMIT), ("EXPIRED", None, Change.SAME), ("EXPIRED", DOSE, Change.SAME),
])
def test_a_pack_is_asked_as_if_it_had_been_in_force(reason: str, record: Any, change: Change) -> None:
    assert ask(reason, record).change is change


def test_the_rules_that_make_the_difference_are_named() -> None:
    assert ask("GRANTED", None) == Replayed(Change.WOULD_DENY, ("hcm-2021-10-01.1",))


def test_who_is_not_in_the_roster_cannot_be_judged() -> None:
    assert ask("GRANTED", DOSE, known=False) == Replayed(Change.UNKNOWN)


def test_a_certificate_that_nobody_kept_may_have_made_the_difference() -> None:
    assert ask("GRANTED", None, certificates=True) == Replayed(Change.UNKNOWN, ("hcm-2021-10-01.1",))
    assert ask("GRANTED", DOSE, certificates=True).change is Change.SAME


def test_a_headcount_that_nobody_kept_may_have_made_the_difference() -> None:
    assert ask("GRANTED", GREEN, "epz-2021-09-20") == Replayed(Change.UNKNOWN, ("epz-2021-09-20.4",))
    assert ask("GRANTED", None, "epz-2021-09-20") == Replayed(
        Change.WOULD_DENY, ("epz-2021-09-20.1", "epz-2021-09-20.3"))
