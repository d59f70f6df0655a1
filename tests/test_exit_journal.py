"""The journal of exits: what is noted is found again, damage is passed over, every limit is met softly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support_ledger import now, record

from gate.errors import StoreError
from gate.ledger import exit_journal
from gate.ledger.exit_journal import SLOT_BYTES, SLOTS, ExitJournal, journal_path

AT = now().utc


@pytest.fixture
def path(tmp_path):
    return tmp_path / "exits"


def test_a_note_is_found_by_the_next_process_and_not_once_it_is_cleared(path):
    journal = ExitJournal(path)
    slot, note_id = journal.note("e1", [record(left=1)], AT, True)
    again = ExitJournal(path)
    [note] = again.pending()
    assert (note.id, note.epoch, note.at, note.records[0][1]["left"]) == (note_id, "e1", AT, 1)
    journal.clear(slot)
    assert again.pending() == []


def test_notes_come_back_in_their_order_though_the_clock_was_set_back(path):
    journal = ExitJournal(path)
    for n in (3, 1, 2):
        journal.note("e1", [record(n=n)], now(n).utc, True)
    assert [note.records[0][1]["n"] for note in ExitJournal(path).pending()] == [3, 1, 2]


def test_a_full_journal_lets_people_out_and_counts_them(path):
    journal = ExitJournal(path)
    slots = [journal.note("e1", [record()], AT, True) for _ in range(SLOTS)]
    assert all(slots)
    assert journal.note("e1", [record()], AT, True) is None
    assert journal.unnoted == 1
    journal.clear(slots[5][0])
    assert journal.note("e1", [record()], AT, True) is not None


def test_a_note_that_is_too_long_is_not_kept(path):
    journal = ExitJournal(path)
    assert journal.note("e1", [record(text="x" * SLOT_BYTES)], AT, True) is None
    assert journal.unnoted == 1
    assert journal.pending() == []


@settings(max_examples=60, deadline=None)
@given(damage=st.lists(st.tuples(st.integers(0, SLOT_BYTES - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_to_a_note_never_passes_for_a_note(tmp_path_factory, damage):
    path = tmp_path_factory.mktemp("journal") / "exits"
    journal = ExitJournal(path)
    journal.note("e1", [record(left=1)], AT, True)
    [original] = journal.pending()
    raw = bytearray(path.read_bytes())
    for place, value in damage:
        raw[place] = value
    path.write_bytes(raw)
    assert ExitJournal(path).pending() in ([], [original])


def test_it_is_gone_after_an_orderly_end_and_kept_while_it_holds_something(path):
    journal = ExitJournal(path)
    journal.note("e1", [record()], AT, True)
    journal.close()
    assert path.exists()
    journal = ExitJournal(path)
    journal.clear_all()
    journal.close()
    assert not path.exists()


def test_a_start_that_fails_leaves_the_notes_to_the_next(path):
    ExitJournal(path).note("e1", [record()], AT, True)
    ExitJournal(path).close()
    assert len(ExitJournal(path).pending()) == 1


def test_a_link_that_somebody_put_there_is_not_followed(path, tmp_path):
    (tmp_path / "victim").write_bytes(b"kept")
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(StoreError, match="journal of exits"):
        ExitJournal(path)
    assert (tmp_path / "victim").read_bytes() == b"kept"


def test_only_its_owner_may_read_it(path):
    ExitJournal(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_ledger_has_a_journal_of_its_own_in_memory(tmp_path):
    assert journal_path(tmp_path / "a.db") != journal_path(tmp_path / "b.db")
    assert journal_path(tmp_path / "a.db").parent == exit_journal.FOLDER
