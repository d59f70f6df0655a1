"""One feed, batch by batch: chains, gaps, runs, second histories."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support_outbox import MemoryOutbox

from gate import wire
from gate.central import feed as feed_module
from gate.central.feed import Arrival, Feed, Placement, Stored, read_batch
from gate.errors import MalformedError
from gate.model import EventKind


class Shelf:
    """A feed with its rows in a dict, as a database would keep them."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.rows: dict[int, Stored] = {}

    def put(self, payload: bytes) -> Placement:
        placement = self.feed.place(read_batch(payload, "tan-thuan", "cong-a"), self._look_up)
        for new in placement.new:
            assert new.seq not in self.rows, "a stored event is never written again"
            self.rows[new.seq] = Stored(new.prev, new.hash)
        return placement

    def _look_up(self, first: int, last: int) -> dict[int, Stored]:
        return {seq: stored for seq, stored in self.rows.items() if first <= seq <= last}


@pytest.fixture
def outbox() -> MemoryOutbox:
    outbox = MemoryOutbox()
    outbox.append(30)
    return outbox


def forged(outbox: MemoryOutbox, seq: int, /, **changes: object) -> bytes:
    event = wire.read_event(outbox.rows[seq].body)
    return b"[" + msgspec.json.encode(msgspec.structs.replace(event, **changes)) + b"]"


def test_events_in_order_make_one_run(outbox: MemoryOutbox) -> None:
    shelf = Shelf()
    shelf.put(outbox.batch(1, 10))
    placement = shelf.put(outbox.batch(11, 20))
    assert [new.seq for new in placement.new] == list(range(11, 21))
    assert (shelf.feed.gaps, shelf.feed.run_of(15)) == ([], (1, 20))


def test_batch_that_comes_again_changes_nothing(outbox: MemoryOutbox) -> None:
    shelf = Shelf()
    shelf.put(outbox.batch(1, 10))
    placement = shelf.put(outbox.batch(5, 12))
    assert [new.seq for new in placement.new] == [11, 12]
    assert placement.here == list(range(5, 13)), "what was here already is acknowledged again"


def test_hole_is_a_gap_until_it_fills(outbox: MemoryOutbox) -> None:
    shelf = Shelf()
    shelf.put(outbox.batch(1, 5))
    shelf.put(outbox.batch(16, 20))
    assert (shelf.feed.gaps, shelf.feed.run_of(3), shelf.feed.run_of(18)) == ([(6, 15)], (1, 5), (16, 20))
    shelf.put(outbox.batch(9, 10))
    assert shelf.feed.gaps == [(6, 8), (11, 15)]
    shelf.put(outbox.batch(6, 15))
    assert (shelf.feed.gaps, shelf.feed.run_of(3)) == ([], (1, 20))


def test_feed_that_begins_late_has_a_gap_before_it(outbox: MemoryOutbox) -> None:
    shelf = Shelf()
    shelf.put(outbox.batch(11, 20))
    assert (shelf.feed.gaps, shelf.feed.run_of(11)) == ([(1, 10)], (11, 20))


def test_changed_event_breaks_the_chain_and_nothing_after_it_is_taken(outbox: MemoryOutbox) -> None:
    shelf = Shelf()
    shelf.put(outbox.batch(1, 10))
    shelf.put(forged(outbox, 11, data={"n": "khác"}))
    placement = shelf.put(outbox.batch(12, 14))
    assert [problem.kind for problem in placement.problems] == ["chain"]
    assert (placement.new, placement.here, shelf.feed.last_seq) == ([], [], 11)


def test_second_history_is_a_fork_and_the_first_stays(outbox: MemoryOutbox) -> None:
    shelf = Shelf()
    shelf.put(outbox.batch(1, 10))
    kept = dict(shelf.rows)
    placement = shelf.put(forged(outbox, 7, data={"n": "khác"}))
    assert [problem.kind for problem in placement.problems] == ["fork"]
    assert (placement.here, shelf.rows) == ([], kept)


def test_late_event_must_fit_both_its_neighbours(outbox: MemoryOutbox) -> None:
    shelf = Shelf()
    shelf.put(outbox.batch(1, 5))
    shelf.put(outbox.batch(7, 10))
    assert [problem.kind for problem in shelf.put(forged(outbox, 6, data={"n": 0})).problems] == ["chain"]
    assert [problem.kind for problem in shelf.put(forged(outbox, 6, prevhash="00" * 32)).problems] == ["chain"]
    assert shelf.put(outbox.batch(6, 6)).problems == []


def test_first_event_must_follow_from_nothing(outbox: MemoryOutbox) -> None:
    assert [problem.kind for problem in Shelf().put(forged(outbox, 1, prevhash="11" * 32)).problems] == ["chain"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 8)), max_size=30))
def test_any_order_of_arrival_leaves_rows_gaps_and_runs_in_agreement(pieces: list[tuple[int, int]]) -> None:
    outbox, shelf = MemoryOutbox(), Shelf()
    outbox.append(30)
    for first, more in pieces:
        assert not shelf.put(outbox.batch(first, min(30, first + more))).problems
    top = max(shelf.rows, default=0)
    missing = {seq for first, last in shelf.feed.gaps for seq in range(first, last + 1)}
    assert shelf.feed.last_seq == top
    assert missing == set(range(1, top + 1)) - shelf.rows.keys()
    assert shelf.feed.last_hash == (shelf.rows[top].hash if top else wire.GENESIS)
    for seq in shelf.rows:
        first, last = shelf.feed.run_of(seq)
        assert set(range(first, last + 1)) <= shelf.rows.keys()
        assert first - 1 not in shelf.rows
        assert last + 1 not in shelf.rows


def test_gate_s_own_word_explains_a_loss(outbox: MemoryOutbox) -> None:
    outbox.append(1, EventKind.EVENTS_LOST, from_seq=6, to_seq=15, count=10)
    shelf = Shelf()
    shelf.put(outbox.batch(1, 5))
    assert shelf.put(outbox.batch(16, 31)).explained == [((6, 15), "EventsLost")]


def test_gaps_are_bounded(outbox: MemoryOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "GAPS_MAX", 3)
    shelf = Shelf()
    kinds = [problem.kind for seq in (2, 4, 6, 8) for problem in shelf.put(outbox.batch(seq, seq)).problems]
    assert kinds == ["gaps"]


@pytest.mark.parametrize(("fault", "changes"), {
    "another gate's": {"source": "/gate/1/tan-thuan/cong-b"},
    "no hex": {"prevhash": "z" * 64},
    "spaced hex": {"prevhash": " " * 2 + "0" * 62},
    "too large": {"seq": 2**60},
    "empty epoch": {"epoch": ""},
    "long epoch": {"epoch": "e" * 65},
}.items())
def test_event_out_of_form_is_malformed(outbox: MemoryOutbox, fault: str, changes: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        read_batch(forged(outbox, 1, **changes), "tan-thuan", "cong-a")


def test_batch_of_two_epochs_or_out_of_order_is_malformed(outbox: MemoryOutbox) -> None:
    other = MemoryOutbox(epoch="e2")
    other.append(3)
    for bodies in ([outbox.rows[1].body, other.rows[2].body], [outbox.rows[2].body, outbox.rows[1].body]):
        with pytest.raises(MalformedError):
            read_batch(wire.join_batch(bodies), "tan-thuan", "cong-a")


def test_arrival_keeps_the_bytes_as_they_came(outbox: MemoryOutbox) -> None:
    arrivals: list[Arrival] = read_batch(outbox.batch(1, 3), "tan-thuan", "cong-a")
    assert [(arrival.body, arrival.hash) for arrival in arrivals] == [
        (outbox.rows[seq].body, outbox.rows[seq].hash) for seq in (1, 2, 3)]
