"""One transaction at a time: the ring, the chain, and what is owned up to when events have to go."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support_ledger import SOURCE, ZONE, denial, entries, file_at, now

from gate import wire
from gate.errors import StoreError
from gate.ledger.database import DamagedError
from gate.ledger.file import Batch, Entry, LedgerFile
from gate.ledger.reading import LedgerReader
from gate.model import EventKind

RING = 40


def read_all(folder: Path) -> list[wire.Event]:
    reader = LedgerReader(folder / "ledger.db")
    try:
        return [wire.read_event(row.body) for row in reader.rows_after(0, 10**6)]
    finally:
        reader.close()


def prove(folder: Path):
    reader = LedgerReader(folder / "ledger.db")
    try:
        return reader.prove()
    finally:
        reader.close()


def test_events_are_chained_in_the_sites_own_time(tmp_path):
    file = file_at(tmp_path)
    file.write(Batch(entries(2)))
    first, second = read_all(tmp_path)
    assert (first.seq, second.seq) == (1, 2)
    assert first.prevhash == wire.GENESIS.hex()
    assert first.time == "2026-11-23T06:55:00.000+07:00"
    assert prove(tmp_path).bad_seq is None
    file.close()


def test_each_new_file_has_an_epoch_of_its_own(tmp_path):
    epochs = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        file = file_at(tmp_path / name)
        epochs.add(file.epoch)
        file.close()
    assert len(epochs) == 2


def test_acknowledged_events_make_room_and_leave_an_anchor(tmp_path):
    file = file_at(tmp_path, RING)
    file.write(Batch(entries(RING - 2)))
    file.write(Batch(acked_seq=10))
    file.write(Batch(entries(5)))
    kinds = [event.kind for event in read_all(tmp_path)]
    assert EventKind.LEDGER_PRUNED in kinds
    assert EventKind.EVENTS_LOST not in kinds
    proof = prove(tmp_path)
    assert (proof.bad_seq, proof.lost) == (None, 0)
    file.close()


def test_without_acknowledgement_denials_go_before_grants_and_the_loss_is_an_event(tmp_path):
    file = file_at(tmp_path, RING)
    file.write(Batch([*entries(10), *entries(20, EventKind.ACCESS_DENIED), *entries(8)]))
    file.write(Batch(entries(4)))
    events = read_all(tmp_path)
    assert sum(event.kind == EventKind.ACCESS_GRANTED for event in events) == 22
    loss = next(event for event in events if event.kind == EventKind.EVENTS_LOST)
    assert loss.data == {"from_seq": 11, "to_seq": 14, "count": 4, "refused": 0}
    assert prove(tmp_path) == (len(events), 4, None, "")
    file.close()


def test_a_loss_that_is_itself_lost_is_told_again(tmp_path):
    file = file_at(tmp_path, RING)
    written = 0
    for _ in range(60):
        file.write(Batch(entries(3)))
        written += 3
    events = read_all(tmp_path)
    losses = [event for event in events if event.kind == EventKind.EVENTS_LOST]
    granted = sum(event.kind == EventKind.ACCESS_GRANTED for event in events)
    assert len(events) <= RING
    assert min(loss.data["from_seq"] for loss in losses) == 1
    # What is counted as lost includes earlier loss events: nobody is left uncounted.
    assert sum(loss.data["count"] for loss in losses) >= written - granted
    assert prove(tmp_path).bad_seq is None
    file.close()


def test_refused_denials_are_told_with_the_next_loss_even_after_a_restart(tmp_path):
    file = file_at(tmp_path, RING)
    file.write(Batch(entries(RING - 2)))
    assert file.is_full()
    file.write(Batch(refused=7))
    file.close()
    file = file_at(tmp_path, RING)
    file.write(Batch(entries(1)))
    loss = next(event for event in read_all(tmp_path) if event.kind == EventKind.EVENTS_LOST)
    assert loss.data["refused"] == 7
    file.close()


def test_a_tampered_row_is_found(tmp_path):
    file = file_at(tmp_path)
    file.write(Batch(entries(5)))
    file.close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("UPDATE event SET body = replace(body, 'vao-1', 'vao-2') WHERE seq = 3")
    db.close()
    assert prove(tmp_path).bad_seq == 3


def test_a_tampered_row_with_a_fitting_hash_breaks_the_next_link(tmp_path):
    file = file_at(tmp_path)
    file.write(Batch(entries(5)))
    file.close()
    db = sqlite3.connect(tmp_path / "ledger.db")
    body = bytes(db.execute("SELECT body FROM event WHERE seq = 3").fetchone()[0]).replace(b"vao-1", b"vao-2")
    db.execute("UPDATE event SET body = ?, hash = ? WHERE seq = 3", (body, wire.event_hash(body)))
    db.commit()
    db.close()
    assert prove(tmp_path).bad_seq == 4


@pytest.mark.parametrize("gone", [1, 3, 5])
def test_a_row_taken_out_is_missed(tmp_path, gone):
    file = file_at(tmp_path)
    file.write(Batch(entries(5)))
    file.write(Batch(acked_seq=5))
    file.close()
    db = sqlite3.connect(tmp_path / "ledger.db")
    db.execute("DELETE FROM event WHERE seq = ?", (gone,))
    db.commit()
    db.close()
    assert prove(tmp_path).bad_seq == gone


def test_the_ledger_of_another_gate_is_refused(tmp_path):
    file_at(tmp_path).close()
    with pytest.raises(StoreError, match="is the ledger of /gate/1/kcn/cong-1"):
        LedgerFile(tmp_path / "ledger.db", source=wire.source("kcn", "cong-2"), zone=ZONE, ring_events=1000)


def test_a_file_of_another_release_is_refused(tmp_path):
    file_at(tmp_path).close()
    db = sqlite3.connect(tmp_path / "ledger.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="another release"):
        file_at(tmp_path)


def test_what_is_no_database_is_called_damaged(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DamagedError):
        file_at(tmp_path)


def test_a_failed_transaction_leaves_everything_as_it_was(tmp_path):
    file = file_at(tmp_path)
    file.write(Batch(entries(2)))
    span = file.span
    with pytest.raises(sqlite3.Error):
        file.write(Batch(entries(1), state={"key": object()}))  # type: ignore[dict-item]
    assert file.span == span
    file.write(Batch(entries(1)))
    assert [event.seq for event in read_all(tmp_path)] == [1, 2, 3]
    file.close()


class RingMachine(RuleBasedStateMachine):
    """Any mixture of events, acknowledgements and restarts keeps the books right and the chain provable."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.kept: dict[int, str] = {}

    @initialize()
    def make(self) -> None:
        self.file = file_at(self.folder, RING)

    @rule(kinds=st.lists(st.sampled_from([EventKind.ACCESS_GRANTED, EventKind.ACCESS_TAKEN, EventKind.ACCESS_DENIED]),
                         max_size=10), refused=st.integers(0, 2))
    def write(self, kinds: list[EventKind], refused: int) -> None:
        batch = [Entry(denial(), now()) if kind is EventKind.ACCESS_DENIED else entries(1, kind)[0] for kind in kinds]
        self.file.write(Batch(batch, refused=refused))

    @rule(share=st.floats(0, 1.2))
    def acknowledge(self, share: float) -> None:
        acked = self.file.span.acked_seq
        self.file.write(Batch(acked_seq=int(self.file.span.last_seq * share)))
        assert self.file.span.acked_seq >= acked

    @rule(count=st.integers(0, 10))
    def rehearse(self, count: int) -> None:
        span, wal = self.file.span, (self.folder / "ledger.db-wal").read_bytes()
        self.file.rehearse(Batch(entries(count)))
        assert self.file.span == span
        assert (self.folder / "ledger.db-wal").read_bytes() == wal

    @rule()
    def restart(self) -> None:
        span = self.file.span
        self.file.close()
        self.file = file_at(self.folder, RING)
        assert self.file.span == span

    @invariant()
    def books_are_right(self) -> None:
        if not hasattr(self, "file"):
            return
        span, events = self.file.span, read_all(self.folder)
        assert len(events) == span.rows <= RING
        assert sum(event.seq > span.acked_seq for event in events) == span.unacked
        assert not events or events[-1].seq == span.last_seq
        proof = prove(self.folder)
        assert proof.bad_seq is None, proof

    @invariant()
    def grants_go_only_when_no_denial_is_left_to_go(self) -> None:
        if not hasattr(self, "file"):
            return
        here = {event.seq: event.kind for event in read_all(self.folder)}
        acked = self.file.span.acked_seq
        gone = [seq for seq, kind in self.kept.items()
                if seq not in here and seq > acked and kind != EventKind.ACCESS_DENIED]
        if gone:
            assert not any(seq in here and kind == EventKind.ACCESS_DENIED and seq > acked
                           for seq, kind in self.kept.items())
        self.kept = here

    def teardown(self) -> None:
        self.file.close()
        shutil.rmtree(self.folder)


RingMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestRing = RingMachine.TestCase


def test_the_source_of_events_is_this_gate(tmp_path):
    file = file_at(tmp_path)
    file.write(Batch(entries(1)))
    assert read_all(tmp_path)[0].source == SOURCE
    file.close()
