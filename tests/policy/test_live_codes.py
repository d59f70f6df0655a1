"""Live codes: fresh, once, and never without the phone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.model import Claims, Now
from gate.policy.live_codes import REMEMBERED_MAX, LiveCodes

AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
BOUND = Claims("khu-a", "an", "key", "00" * 8, phone_point=b"\x02" + bytes(32))
LIVE = LiveCodes(max_age_s=15, skew_s=5)


def shown(second: float) -> Claims:
    return replace(BOUND, shown_at=AT + timedelta(seconds=second))


def now(second: float, trusted: bool = True) -> Now:
    return Now(AT + timedelta(seconds=second), 1000.0 + second, trusted)


@pytest.mark.parametrize(("age_s", "fault"), [
    (-5.001, "early"), (-5, None), (0, None), (15, None), (19.999, None), (20, "old"), (3600, "old"), (-3600, "early"),
])
def test_a_moment_is_good_for_its_age_and_the_skew_on_both_sides(age_s: float, fault: str | None) -> None:
    assert LIVE.fault(shown(0), now(age_s)) == fault


def test_a_bound_pass_without_its_phone_is_never_live() -> None:
    assert LIVE.fault(BOUND, now(0)) == "unsigned"
    assert LIVE.fault(BOUND, now(0, trusted=False)) == "unsigned"


def test_a_plain_pass_has_no_moment_to_be_judged_by() -> None:
    plain = replace(BOUND, phone_point=b"")
    assert LIVE.fault(plain, now(0)) is None
    assert LIVE.after_entry(plain) is LIVE
    assert not LIVE.used(plain)


def test_a_moment_opens_once_and_earlier_ones_never_after_it() -> None:
    live = LIVE.after_entry(shown(5))
    assert [live.used(shown(second)) for second in (0, 5, 6)] == [True, True, False]
    assert not live.used(replace(shown(5), pass_id="11" * 8))


def test_without_a_trusted_clock_age_is_not_judged() -> None:
    assert LIVE.fault(shown(0), now(10**6, trusted=False)) is None


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=60))
def test_no_moment_of_any_pass_opens_twice(scans: list[tuple[int, int]]) -> None:
    live, opened = LIVE, set()
    for number, second in scans:
        claims = replace(shown(second), pass_id=f"{number:016x}")
        if not live.used(claims):
            assert (number, second) not in opened
            opened.add((number, second))
            live = live.after_entry(claims)


def test_what_is_remembered_is_bounded_and_the_oldest_makes_room() -> None:
    live = LIVE
    for number in range(REMEMBERED_MAX + 1):
        live = live.after_entry(replace(shown(0), pass_id=f"{number:016x}"))
    assert len(live.opened) == REMEMBERED_MAX
    assert live.used(replace(shown(0), pass_id=f"{1:016x}"))
    assert not live.used(replace(shown(0), pass_id=f"{0:016x}"))
