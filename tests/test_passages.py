"""A controller that counts: what becomes of passages, of peers' word, of shifts and of restarts."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from support_ledger import file_at

from gate import wire
from gate.ledger.file import Batch, Entry
from gate.model import Alert, Direction, EventKind, Move, Now, PeerMoves, Record, Stamp
from gate.passages import Passages
from gate.peers import page_of
from gate.policy.crossing import Crossing
from gate.presence import OUTSIDE, Presence

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SIX = datetime(2026, 11, 23, 6, tzinfo=ZONE).astimezone(UTC)


def at(hours: float, *, trusted: bool = True) -> Now:
    return Now(SIX + timedelta(hours=hours), 1000.0 + hours * 3600, trusted)


class Rig:
    """Passages of gate `g1`, with what it kept and told."""

    def __init__(self, crossing: Crossing | None = None, *, presence: Presence | None = None, shift: int = 0) -> None:
        self.kept: list[Move] = []
        self.told: dict[int, wire.Passages] = {}
        self.passages = Passages(
            presence or Presence("g1"), crossing or Crossing("g1"), site="khu-a", area="hall", zone=ZONE,
            keep=self.kept.extend, tell=self.told.__setitem__, shift_millis=shift)

    def passage(self, holder: str, direction: Direction, now: Now) -> Record:
        record = Record(EventKind.ACCESS_TAKEN, {"holder": holder, "direction": direction.value, "company": "c1"})
        (done,) = self.passages.complete([record], now)
        assert isinstance(done, Record)
        return done


def peers_move(holder: str, hours: float, place: str = "hall") -> Move:
    return Move(holder, place, "c1", Stamp(int(at(hours).utc.timestamp() * 1000), 0, "g2"))


def test_record_of_a_passage_says_which_move_it_was_and_the_peers_hear_of_it():
    rig = Rig()
    record = rig.passage("an", Direction.ENTRY, at(0))
    assert record.data["place"] == "hall" and record.data["stamp"] == [int(at(0).utc.timestamp() * 1000), 0]
    assert [move.holder for move in rig.told[page_of("an")].moves] == ["an"]
    rig.passage("an", Direction.EXIT, at(1))
    assert rig.passages.presence.place("an") == OUTSIDE


def test_passage_of_nobody_known_and_other_records_are_left_as_they_are():
    rig = Rig()
    effects = [Record(EventKind.ACCESS_TAKEN, {"direction": "exit"}),
               Record(EventKind.ACCESS_GRANTED, {"holder": "an"})]
    assert rig.passages.complete(effects, at(0)) == effects
    assert rig.passages.presence.inside() == 0


def test_only_news_of_a_peer_is_kept():
    rig = Rig()
    said = PeerMoves("g2", (peers_move("an", 0), peers_move("binh", 0)))
    assert rig.passages.hear(said, at(0)) == []
    rig.passages.hear(said, at(0))
    assert rig.kept == list(said.moves)


def test_a_peer_whose_clock_is_a_year_ahead_is_left_out_with_an_alert_until_it_is_right_again():
    rig = Rig()
    (raised,) = rig.passages.hear(PeerMoves("g2", (peers_move("an", 8760),)), at(0))
    assert isinstance(raised, Alert) and raised.active and "g2" in raised.detail
    assert rig.passages.presence.place("an") is None
    assert rig.passages.hear(PeerMoves("g2", (peers_move("an", 8760),)), at(0)) == []
    assert rig.passages.hear(PeerMoves("g2", (peers_move("an", 0),)), at(0)) == [Alert("presence-clock", False)]


SHIFTS = Crossing("g1", shift_ends=(time(6), time(14), time(22)))


def test_end_of_the_shift_empties_the_site_and_late_word_of_it_changes_nothing():
    rig = Rig(SHIFTS)
    rig.passages.each_turn(at(1))
    rig.passage("an", Direction.ENTRY, at(1))
    rig.passages.each_turn(at(9))
    assert rig.passages.presence.inside() == 0 and not rig.passages.presence.net
    rig.passages.hear(PeerMoves("g2", (peers_move("binh", 2),)), at(9))
    assert rig.passages.presence.inside() == 0


def test_a_shift_does_not_end_by_a_clock_that_nobody_believes():
    rig = Rig(SHIFTS)
    rig.passage("an", Direction.ENTRY, at(1))
    rig.passages.each_turn(at(9, trusted=False))
    assert rig.passages.presence.inside() == 1


def test_restart_within_a_shift_keeps_what_was_brought_in():
    before = Rig(SHIFTS)
    before.passages.each_turn(at(1))
    record = before.passage("an", Direction.ENTRY, at(1))
    kept = Presence("g1", list(before.passages.presence.everybody()), dict(before.passages.presence.net))
    after = Rig(SHIFTS, presence=kept, shift=record.data["shift"])
    after.passages.begin()
    after.passages.each_turn(at(2))
    assert after.passages.presence.net == {"c1": 1}
    assert [move.holder for page in after.told.values() for move in page.moves] == ["an"]


def test_moves_are_kept_with_the_events_that_tell_of_them(tmp_path):
    rig = Rig(SHIFTS)
    rig.passages.each_turn(at(1))
    entries = [Entry(rig.passage(holder, direction, at(1)), at(1)) for holder, direction in (
        ("an", Direction.ENTRY), ("binh", Direction.ENTRY), ("binh", Direction.EXIT), ("chi", Direction.ENTRY))]
    file = file_at(tmp_path)
    file.write(Batch(entries, moves=[peers_move("chi", 2, "yard"), peers_move("an", 0, "yard")]))
    file.close()
    again = file_at(tmp_path)
    assert {move.holder: move.place for move in again.moves} == {"an": "hall", "binh": OUTSIDE, "chi": "yard"}
    assert (again.brought_in, again.shift_millis) == ({"c1": 2}, entries[0].record.data["shift"])
    again.close()


def test_a_new_shift_begins_to_count_afresh_on_disk_too(tmp_path):
    rig, file = Rig(SHIFTS), file_at(tmp_path)
    for hour in (1, 9):
        rig.passages.each_turn(at(hour))
        file.write(Batch([Entry(rig.passage("an", Direction.ENTRY, at(hour)), at(hour))]))
    file.close()
    again = file_at(tmp_path)
    assert again.brought_in == {"c1": 1}
    again.close()
