from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from gate.model import Move, Now, Stamp
from gate.presence import OUTSIDE, Presence, data_of, move_of

SIX = datetime(2026, 11, 23, 6, tzinfo=UTC)


def now(seconds: float, *, trusted: bool = True, wall_s: float | None = None) -> Now:
    return Now(SIX + timedelta(seconds=seconds if wall_s is None else wall_s), seconds, trusted)


moves = st.builds(
    lambda holder, place, millis, gate: Move(holder=holder, place=place, company=f"of-{holder}",
                                             stamp=Stamp(millis, 0, gate)),
    st.sampled_from("abc"), st.sampled_from((OUTSIDE, "hall", "yard")), st.integers(0, 5),
    st.sampled_from(("g1", "g2")),
)


@given(st.lists(moves, unique_by=lambda move: (move.holder, move.stamp)), st.randoms())
def test_the_same_moves_in_any_order_and_number_leave_the_same_picture(made, rng):
    shuffled = made + rng.choices(made, k=len(made)) if made else []
    rng.shuffle(shuffled)
    one, other = Presence("g1", made), Presence("g1", shuffled)
    assert {*one.everybody()} == {*other.everybody()}
    for place in ("hall", "yard"):
        assert one.at(place) == other.at(place) == sum(move.place == place for move in one.everybody())
    assert one.inside() == other.inside() == sum(move.place != OUTSIDE for move in one.everybody())


def test_who_went_in_and_out_is_outside_in_whatever_order_it_is_heard():
    there, back = Presence("g1"), Presence("g2")
    entry = there.go("an", "hall", "c1", now(0))
    back.merge(entry, 1.0)
    leaving = back.go("an", OUTSIDE, "c1", now(2))
    for order in permutations([entry, leaving, entry]):
        assert Presence("g3", order).place("an") == OUTSIDE


def test_a_move_is_later_than_what_caused_it_though_the_clock_says_otherwise():
    ahead, behind = Presence("g1"), Presence("g2")
    entry = ahead.go("an", "hall", "c1", now(300))
    behind.merge(entry, 301.0)
    leaving = behind.go("an", OUTSIDE, "c1", now(301, wall_s=-3600))
    assert leaving.stamp > entry.stamp


def test_a_gate_without_the_time_counts_on_from_what_it_heard():
    known = Presence("g1").go("an", "hall", "c1", now(0))
    lost = Presence("g2", [known])
    later = lost.go("binh", "hall", "c1", now(90, trusted=False, wall_s=-1e9))
    assert later.stamp.millis == known.stamp.millis + 90_000


def test_a_stamp_of_2038_is_told_from_one_that_is_a_little_ahead():
    presence, wrong = Presence("g1"), Presence("g2")
    ahead = wrong.go("an", "hall", "c1", now(0, wall_s=12 * 365 * 86400))
    assert presence.is_ahead(ahead.stamp, now(0))
    assert not presence.is_ahead(ahead.stamp, now(0, trusted=False))
    assert not presence.is_ahead(wrong.go("an", OUTSIDE, "c1", now(0)).stamp._replace(millis=0), now(0))


def test_who_was_let_in_counts_before_having_passed_and_once_after():
    presence = Presence("g1")
    presence.expected["an"] = "c1"
    assert (presence.inside(), presence.inside("c1"), presence.inside("c2")) == (1, 1, 0)
    presence.go("an", "hall", "c1", now(0))
    assert presence.inside() == presence.inside("c1") == 1
    presence.expected.clear()
    assert presence.inside("c1") == 1


def test_the_end_of_the_shift_forgets_who_came_before_it():
    presence = Presence("g1")
    presence.go("an", "hall", "c1", now(0))
    presence.go("binh", OUTSIDE, "c1", now(1))
    chi = presence.go("chi", "hall", "c1", now(10))
    assert presence.forget_before(chi.stamp.millis) == 1
    assert presence.place("an") is None
    assert presence.inside() == 1


def test_a_gate_tells_only_of_moves_that_nobody_else_tells_of():
    here, there = Presence("g1"), Presence("g2")
    first = here.go("an", "hall", "c1", now(0))
    there.merge(first, 1.0)
    last = there.go("an", OUTSIDE, "c1", now(2))
    here.merge(last, 3.0)
    assert list(here.made_here()) == []
    assert list(there.made_here()) == [last]


def test_net_counts_what_went_through_this_gate_alone():
    presence = Presence("g1", net={"c1": 2})
    presence.merge(Presence("g2").go("an", "hall", "c1", now(0)), 0.0)
    presence.go("binh", "hall", "c1", now(1))
    presence.go("chi", OUTSIDE, "c2", now(2))
    assert presence.net == {"c1": 3, "c2": -1}


@given(moves, st.integers(0, 1 << 50))
def test_the_event_of_a_passage_tells_which_move_it_was(move, shift_millis):
    told = {"holder": move.holder, "direction": "entry", **data_of(move, shift_millis)}
    assert move_of(told, move.stamp.gate) == move


def test_an_event_without_a_move_tells_of_none():
    assert move_of({"holder": "an", "direction": "exit"}, "g1") is None


def test_a_holder_is_counted_with_the_company_of_their_last_move():
    presence = Presence("g1")
    presence.go("an", "hall", "c1", now(0))
    assert (presence.company("an"), presence.company("binh")) == ("c1", "")
