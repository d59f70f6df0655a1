"""Checkpoints and the WAL: it stays small, it begins anew, and a reader that lingers costs space, not events."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from support_ledger import PATIENCE_S, ledger_at, now, record

from gate.ledger import LedgerReader, flusher
from gate.ledger.reading import READ_ROWS

BULK = 40


@pytest.fixture
def small_wal(monkeypatch):
    monkeypatch.setattr(flusher, "CHECKPOINT_WAL_BYTES", 64 * 1024)


def fill(ledger, rounds):
    for n in range(rounds):
        ticket = ledger.append([record(n=n, text="x" * 200)] * BULK, now(n))
        assert ticket.wait(PATIENCE_S)
        assert ledger.flushed(ticket.last_seq, PATIENCE_S)


def test_the_wal_begins_anew_after_a_checkpoint(tmp_path, small_wal):
    ledger = ledger_at(tmp_path, ring_events=100_000)
    ledger.start()
    fill(ledger, 100)
    assert (tmp_path / "ledger.db-wal").stat().st_size < 20 * 64 * 1024
    assert (tmp_path / "ledger.db").stat().st_size > 20 * 64 * 1024
    ledger.stop()
    assert not (tmp_path / "ledger.db-wal").exists()


def test_a_reader_that_stays_costs_no_event(tmp_path, small_wal):
    ledger = ledger_at(tmp_path, ring_events=100_000)
    ledger.start()
    fill(ledger, 1)
    lingering = sqlite3.connect(f"file:{tmp_path / 'ledger.db'}?mode=ro", uri=True, isolation_level=None)
    lingering.execute("BEGIN")
    lingering.execute("SELECT count(*) FROM event").fetchone()
    fill(ledger, 50)
    lingering.close()
    fill(ledger, 5)
    ledger.stop()
    reader = LedgerReader(tmp_path / "ledger.db")
    assert reader.prove().events == 56 * BULK > READ_ROWS
    reader.close()


def test_the_flusher_opens_nothing_but_the_wal(tmp_path):
    seen = []

    def fdatasync(descriptor):
        seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        os.fdatasync(descriptor)

    ledger = ledger_at(tmp_path, fdatasync=fdatasync)
    ledger.start()
    ledger.append([record()], now())
    ledger.stop()
    assert set(seen) == {str(tmp_path / "ledger.db-wal")}


def test_stop_gives_up_on_a_disk_that_does_not_answer_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("gate.ledger.ledger.STOP_MAX_S", 0.2)
    stuck, said = threading.Event(), []
    ledger = ledger_at(tmp_path, fdatasync=lambda _: stuck.wait(PATIENCE_S), say=said.append)
    ledger.start()
    assert ledger.append([record()], now()).wait(PATIENCE_S)
    ledger.stop()
    assert said[-1].fatal
    assert "did not take the last events" in said[-1].detail
    stuck.set()
    monkeypatch.undo()
    ledger.stop()


def test_nothing_is_left_running_or_open_after_stop(tmp_path):
    before = {thread.name for thread in threading.enumerate()}, len(list(Path("/proc/self/fd").iterdir()))
    ledger = ledger_at(tmp_path)
    ledger.start()
    ledger.append([record()], now(), way_out=True)
    ledger.stop()
    assert ({thread.name for thread in threading.enumerate()}, len(list(Path("/proc/self/fd").iterdir()))) == before
