"""The ledger as the core and the uplink use it: real threads, a real disk, and a process that is really killed."""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support_ledger import PATIENCE_S, Said, denial, ledger_at, now, record

from gate import wire
from gate.errors import StoreError, UsageError
from gate.ledger import Ledger, LedgerReader
from gate.ledger.exit_journal import ExitJournal, journal_path
from gate.ledger.ledger import DATA_MAX_BYTES, RECORDS_MAX, STATE_MAX_BYTES
from gate.ledger.writer import QUEUE_MAX_ITEMS, Writer
from gate.model import EventKind

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def ledger(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    yield ledger
    ledger.stop()


class Disk:
    """An fdatasync that a test can hold up, or make fail."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.calls = 0
        self.error: OSError | None = None

    def __call__(self, descriptor: int) -> None:
        self.calls += 1
        self.entered.set()
        assert self.open.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        os.fdatasync(descriptor)


def events(ledger: Ledger) -> list[wire.Event]:
    return [wire.read_event(row.body) for row in ledger.recent(10**6)]


def test_a_ticket_says_when_its_records_are_written(ledger):
    ticket = ledger.append([record(), record()], now())
    assert ticket.wait(PATIENCE_S)
    assert (ticket.last_seq, ledger.written_seq) == (2, 2)
    assert [event.kind for event in events(ledger)] == [EventKind.ACCESS_GRANTED] * 2


def test_a_rehearsal_leaves_nothing_behind(ledger, monkeypatch):
    rehearsed = threading.Semaphore(0)
    rehearse = ledger._file.rehearse
    monkeypatch.setattr(ledger._file, "rehearse", lambda batch: (rehearse(batch), rehearsed.release()))
    for _ in range(3):
        while not rehearsed.acquire(timeout=0.1):  # it is left out while the writer is at work
            ledger.rehearse([record(EventKind.ACCESS_DENIED)], now())
        assert ledger.append([record()], now()).wait(PATIENCE_S)
    assert [(event.seq, event.kind) for event in events(ledger)] == [(n, EventKind.ACCESS_GRANTED) for n in (1, 2, 3)]


def test_a_rehearsal_that_fails_is_no_fault(tmp_path, monkeypatch):
    said = Said()
    ledger = ledger_at(tmp_path, say=said)
    ledger.start()
    real = ledger._file._put
    failing = threading.Event()

    def put(batch):
        if not failing.is_set():
            failing.set()
            raise sqlite3.OperationalError("disk I/O error")
        return real(batch)

    monkeypatch.setattr(ledger._file, "_put", put)
    ledger.rehearse([record()], now())
    assert failing.wait(PATIENCE_S)
    assert ledger.append([record()], now()).wait(PATIENCE_S)
    ledger.stop()
    assert said.faults == []


def test_flushed_is_said_and_rows_are_then_offered(tmp_path):
    said = Said()
    ledger = ledger_at(tmp_path, say=said)
    ledger.start()
    seq = [ledger.append([record()], now()).wait(PATIENCE_S), ledger.written_seq][1]
    assert ledger.flushed(seq, PATIENCE_S)
    assert [row.seq for row in ledger.rows_after(0, 10)] == [1]
    ledger.stop()
    assert said.flushed_seq == 1


def test_who_waits_for_a_record_goes_on_before_its_flush_begins(tmp_path, monkeypatch):
    asked, moved, order = threading.Event(), threading.Event(), []

    def fdatasync(descriptor):
        order.append("flush")
        os.fdatasync(descriptor)

    monkeypatch.setattr(Writer, "_stand_back", lambda writer: moved.wait(PATIENCE_S))
    ledger = ledger_at(tmp_path, fdatasync=fdatasync)
    ledger.start()
    write = ledger._file.write
    monkeypatch.setattr(ledger._file, "write", lambda batch: asked.wait(PATIENCE_S) and write(batch))
    ticket = ledger.append([record()], now())
    assert not ticket.wait(0)
    asked.set()
    assert ticket.wait(PATIENCE_S)
    order.append("move")
    moved.set()
    assert ledger.flushed(1, PATIENCE_S)
    ledger.stop()
    assert order[:2] == ["move", "flush"]


def test_a_slow_flush_delays_no_ticket_and_its_rows_are_not_offered(tmp_path):
    disk = Disk()
    ledger = ledger_at(tmp_path, fdatasync=disk)
    ledger.start()
    assert ledger.append([record()], now()).wait(PATIENCE_S)
    assert disk.entered.wait(PATIENCE_S)
    ticket = ledger.append([record()], now())
    assert ticket.wait(PATIENCE_S)
    assert not ledger.flushed(1, 0.0)
    assert ledger.rows_after(0, 10) == []
    assert len(ledger.recent(10)) == 2
    disk.open.set()
    assert ledger.flushed(ticket.last_seq, PATIENCE_S)
    assert [row.seq for row in ledger.rows_after(0, 10)] == [1, 2]
    assert ledger.hash_at(2) == ledger.rows_after(1, 1)[0].hash
    ledger.stop()


def test_commits_during_one_flush_share_the_next(tmp_path):
    disk = Disk()
    ledger = ledger_at(tmp_path, fdatasync=disk)
    ledger.start()
    ledger.append([record()], now())
    assert disk.entered.wait(PATIENCE_S)
    tickets = [ledger.append([record()], now()) for _ in range(20)]
    assert all(ticket.wait(PATIENCE_S) for ticket in tickets)
    disk.open.set()
    assert ledger.flushed(21, PATIENCE_S)
    assert disk.calls == 2
    ledger.stop()


def test_a_failed_flush_is_fatal_and_never_tried_again(tmp_path):
    disk, said = Disk(), Said()
    disk.error = OSError(errno.EIO, "Input/output error")
    disk.open.set()
    ledger = ledger_at(tmp_path, say=said, fdatasync=disk)
    ledger.start()
    assert ledger.append([record()], now()).wait(PATIENCE_S)
    fault = said.wait_fault()
    assert fault.fatal
    assert "Input/output error" in fault.detail
    late = ledger.append([record()], now())
    assert not late.wait(PATIENCE_S)
    assert late.failed
    assert not ledger.wait_flushed(0, PATIENCE_S)
    ledger.stop()
    assert disk.calls == 1
    assert said.flushed_seq == 0


@pytest.mark.parametrize("part", ["_file", "_flusher"])
def test_a_bug_in_a_thread_of_the_ledger_is_fatal_and_not_silent(tmp_path, monkeypatch, part):
    said = Said()
    ledger = ledger_at(tmp_path, say=said)
    ledger.start()

    def bug(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(getattr(ledger, part), {"_file": "write", "_flusher": "_checkpoint_is_due"}[part], bug)
    ledger.append([record()], now())
    fault = said.wait_fault()
    assert fault.fatal
    assert "a bug" in fault.detail
    assert not ledger.append([record()], now()).wait(PATIENCE_S)
    ledger.stop()


def test_stop_keeps_everything_and_the_next_start_knows_it_was_orderly(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    for n in range(50):
        ledger.append([record(n=n)], now(n))
    ledger.stop()
    again = ledger_at(tmp_path)
    again.start()
    assert again.epoch == ledger.epoch
    assert [event.data["n"] for event in events(again)] == list(range(50))
    assert (again.flushed_seq, again.was_unclean) == (50, False)
    again.stop()


def test_a_new_file_has_a_new_epoch(tmp_path, ledger):
    (tmp_path / "other").mkdir()
    other = ledger_at(tmp_path / "other")
    other.start()
    assert other.epoch != ledger.epoch
    other.stop()


def test_a_second_process_is_kept_out(tmp_path, ledger):
    with pytest.raises(UsageError, match="another process"):
        ledger_at(tmp_path).start()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="state_dir"):
        ledger_at(tmp_path / "nowhere").start()


def test_state_is_remembered_across_restarts_together_with_its_events(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    ledger.remember("mode", b"lockdown")
    ticket = ledger.append([record()], now(), state={"nonce": b"\x00\xff"})
    assert ledger.recall("nonce") == b"\x00\xff"
    assert ticket.wait(PATIENCE_S)
    ledger.stop()
    again = ledger_at(tmp_path)
    again.start()
    assert (again.recall("mode"), again.recall("nonce"), again.recall("other")) == (b"lockdown", b"\x00\xff", None)
    again.stop()


def test_an_acknowledgement_is_remembered_and_one_of_another_epoch_is_not(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    assert ledger.append([record()] * 10, now()).wait(PATIENCE_S)
    assert ledger.flushed(10, PATIENCE_S)
    ledger.delivered("another", 9)
    ledger.delivered(ledger.epoch, 11)
    ledger.delivered(ledger.epoch, 4)
    ledger.stop()
    again = ledger_at(tmp_path)
    again.start()
    assert (again.acked_seq, again.depth()) == (4, 6)
    again.stop()


def test_what_is_not_flushed_cannot_be_acknowledged(tmp_path):
    disk = Disk()
    ledger = ledger_at(tmp_path, fdatasync=disk)
    ledger.start()
    assert ledger.append([record()], now()).wait(PATIENCE_S)
    ledger.delivered(ledger.epoch, 1)
    assert ledger.append([record()], now()).wait(PATIENCE_S)
    assert ledger.acked_seq == 0
    disk.open.set()
    ledger.stop()


@pytest.mark.parametrize(("records", "state", "complaint"), [
    ([record()] * (RECORDS_MAX + 1), {}, "at most 64"),
    ([record(text="x" * DATA_MAX_BYTES)], {}, "bytes; at most"),
    ([record(thing=object())], {}, "no JSON"),
    ([], {"key": bytes(STATE_MAX_BYTES + 1)}, "state 'key'"),
])
def test_what_is_too_much_is_refused_at_once(ledger, records, state, complaint):
    with pytest.raises(UsageError, match=complaint):
        ledger.append(records, now(), state=state)


def test_the_longest_data_makes_an_event_that_a_recorder_reads(ledger):
    padding = "x" * (DATA_MAX_BYTES - len(b'{"reader":"vao-1","direction":"entry","text":""}'))
    assert ledger.append([record(text=padding)], now()).wait(PATIENCE_S)
    assert wire.read_event(ledger.recent(1)[0].body).data["text"] == padding


def test_denials_of_one_reader_and_second_become_one_event_when_the_ledger_fills(tmp_path):
    ledger = ledger_at(tmp_path, ring_events=100)
    ledger.start()
    assert all(ledger.append([record()] * 10, now()).wait(PATIENCE_S) for _ in range(8))
    for n in range(5):
        ledger.append([denial("vao-1")], now(10 + n / 10))
    ledger.append([denial("vao-2")], now(10.5))
    assert ledger.append([record()], now(12)).wait(PATIENCE_S)
    denied = [event.data for event in events(ledger) if event.kind == EventKind.ACCESS_DENIED]
    assert [(data["reader"], data.get("count", 1)) for data in denied] == [("vao-1", 5), ("vao-2", 1)]
    ledger.stop()


def test_held_denials_are_written_at_stop(tmp_path):
    ledger = ledger_at(tmp_path, ring_events=100)
    ledger.start()
    assert all(ledger.append([record()] * 10, now()).wait(PATIENCE_S) for _ in range(8))
    for _ in range(3):
        ledger.append([denial()], now(10))
    ledger.stop()
    reader = LedgerReader(tmp_path / "ledger.db")
    assert wire.read_event(reader.recent(1)[0].body).data["count"] == 3
    reader.close()


def test_a_full_ledger_refuses_denials_counts_them_and_still_takes_grants(tmp_path):
    ledger = ledger_at(tmp_path, ring_events=100)
    ledger.start()
    assert all(ledger.append([record()] * 10, now()).wait(PATIENCE_S) for _ in range(10))
    for _ in range(25):
        ledger.append([denial()], now(20))
    assert all(ledger.append([record(late=True)], now(21)).wait(PATIENCE_S) for _ in range(5))
    here = events(ledger)
    assert sum("late" in event.data for event in here) == 5
    assert not any(event.kind == EventKind.ACCESS_DENIED for event in here)
    losses = [event.data for event in here if event.kind == EventKind.EVENTS_LOST]
    assert sum(loss["refused"] for loss in losses) == 25
    assert len(here) <= 100
    ledger.stop()


def test_too_much_waiting_for_a_stalled_disk_fails_at_once_and_is_counted(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    held, reached = threading.Event(), threading.Event()
    write = ledger._file.write

    def stalled(batch):
        reached.set()
        assert held.wait(PATIENCE_S)
        return write(batch)

    ledger._file.write = stalled  # a disk that does not answer a write cannot be had otherwise
    ledger.append([record()], now())
    assert reached.wait(PATIENCE_S)
    denied = [ledger.append([denial()], now()) for _ in range(QUEUE_MAX_ITEMS // 2 + 3)]
    granted = [ledger.append([record()], now()) for _ in range(QUEUE_MAX_ITEMS // 2 + 2)]
    assert sum(ticket.failed for ticket in denied) == 3
    assert sum(ticket.failed for ticket in granted) == 2
    held.set()
    assert granted[0].wait(PATIENCE_S)
    ledger.stop()


def test_a_damaged_ledger_is_set_aside_and_the_gate_goes_on(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    ledger.append([record()], now())
    ledger.stop()
    path = tmp_path / "ledger.db"
    path.write_bytes(path.read_bytes().replace(b"vao-1", b"vao-9"))
    again = ledger_at(tmp_path)
    again.start()
    assert again.damaged_copy is not None
    assert b"vao-9" in again.damaged_copy.read_bytes()
    assert again.epoch != ledger.epoch
    assert again.append([record()], now()).wait(PATIENCE_S)
    again.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_lets_nobody_in_and_forgets_nobody_who_left(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        said = Said()
        ledger = ledger_at(tmp_path, say=said)
        ledger.start()
        (tmp_path / "somebody-elses").write_bytes(b"")
        with pytest.raises(OSError, match="No space"), (tmp_path / "somebody-elses").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        written = 0
        while (ticket := ledger.append([record(n=written)], now())).wait(PATIENCE_S):
            written += 1
        assert ticket.failed
        assert not said.wait_fault().fatal
        assert not ledger.append([record(EventKind.ACCESS_TAKEN, left=True)], now(), way_out=True).wait(PATIENCE_S)
        assert not ledger.append([denial()], now()).wait(PATIENCE_S)
        (tmp_path / "somebody-elses").unlink()
        assert ledger.append([record(last=True)], now()).wait(PATIENCE_S)
        kinds = [event.kind for event in events(ledger)]
        assert kinds[written:] == [EventKind.EVENTS_LOST, EventKind.ACCESS_TAKEN, EventKind.ACCESS_GRANTED]
        assert events(ledger)[written].data == {"count": 0, "refused": 1}
        ledger.stop()
        reader = LedgerReader(tmp_path / "ledger.db")
        assert reader.prove().bad_seq is None
        reader.close()
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_way_out_survives_a_kill_that_came_before_the_write(tmp_path):
    child = _child(tmp_path, "exit")
    assert child.stdout.readline() == "noted\n"
    child.kill()
    child.wait(PATIENCE_S)
    for _ in range(2):  # and it is taken in once
        ledger = ledger_at(tmp_path)
        ledger.start()
        left = [event for event in events(ledger) if event.data.get("left")]
        assert len(left) == 1
        ledger.stop()


def test_a_way_out_that_was_taken_in_is_offered_only_once_it_is_flushed(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    ledger.stop()
    ExitJournal(journal_path(ledger.path)).note(ledger.epoch, [record(left=True)], now().utc, True)
    disk = Disk()
    ledger = ledger_at(tmp_path, fdatasync=disk)
    ledger.start()
    assert ledger.written_seq == 1
    assert ledger.rows_after(0, 10) == []
    disk.open.set()
    assert ledger.flushed(1, PATIENCE_S)
    assert len(ledger.rows_after(0, 10)) == 1
    ledger.stop()


def test_after_every_kill_all_that_was_written_is_there_and_the_chain_holds(tmp_path):
    rng = random.Random(7)
    promised = 0
    for _ in range(30):
        child = _child(tmp_path, "loop")
        for _ in range(rng.randrange(1, 40)):
            promised = max(promised, int(child.stdout.readline()))
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate(timeout=PATIENCE_S)
        promised = max([promised, *map(int, rest.splitlines())])
    ledger = ledger_at(tmp_path, ring_events=1_000_000)
    ledger.start()
    assert ledger.was_unclean
    assert ledger.written_seq >= promised > 0
    numbers = [event.data["n"] for event in events(ledger)]
    assert numbers == list(range(1, len(numbers) + 1))
    ledger.stop()
    reader = LedgerReader(tmp_path / "ledger.db")
    assert reader.prove() == (len(numbers), 0, None, "")
    reader.close()


def _child(folder: Path, what: str) -> subprocess.Popen[str]:
    """A gate process of its own; it prints a line for each promise that it was given."""
    return subprocess.Popen([sys.executable, __file__, what, str(folder)], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"})


def _append_for_ever(folder: Path) -> None:
    ledger = ledger_at(folder, ring_events=1_000_000)
    ledger.start()
    n = ledger.written_seq
    while True:
        n += 1
        way_out = n % 3 == 0
        ticket = ledger.append([record(n=n)], now(), way_out=way_out)
        if not way_out:
            assert ticket.wait(PATIENCE_S)
            sys.stdout.write(f"{ticket.last_seq}\n")
            sys.stdout.flush()


def _leave_while_the_disk_stalls(folder: Path) -> None:
    ledger = ledger_at(folder)
    ledger.start()
    ledger._file.write = lambda batch: threading.Event().wait()
    ledger.append([record(left=True)], now(), way_out=True)
    sys.stdout.write("noted\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    {"loop": _append_for_ever, "exit": _leave_while_the_disk_stalls}[sys.argv[1]](Path(sys.argv[2]))
