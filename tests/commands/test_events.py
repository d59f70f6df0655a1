"""`gate events`: what a person at the gate, or an auditor with a copy of the file, gets to see."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support_ledger import PATIENCE_S, denial, ledger_at, now, record

from gate import wire
from gate.cli import CANNOT, NO, USAGE, YES, main
from gate.model import EventKind

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def ledger(tmp_path):
    ledger = ledger_at(tmp_path)
    ledger.start()
    ledger.append([record(EventKind.GATE_STARTED), denial(holder="h-\x1b[31m1"), record(holder="=1+1")], now())
    ledger.append([record(EventKind.ACCESS_TAKEN)], now(2))
    assert ledger.append([record(n=5)], now(4)).wait(PATIENCE_S)
    yield ledger
    ledger.stop()


@pytest.fixture
def path(ledger, tmp_path):
    """The file of a gate that is running."""
    return str(tmp_path / "ledger.db")


def test_tail_shows_the_latest_in_both_languages(path, capsys):
    assert main(["events", "tail", "-n", "4", "--ledger", path]) == YES
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("2026-11-23 06:55:00.000+07:00  #2  Từ chối / Access denied  "
                               "Mã đã hết hạn / This code has expired  reader=vao-1")


def test_tail_shows_only_the_kinds_asked_for(path, capsys):
    assert main(["events", "tail", "--kind", "AccessTaken", "--ledger", path]) == YES
    assert capsys.readouterr().out.count("\n") == 1


def test_nothing_in_an_event_steers_the_terminal(path, capsys):
    main(["events", "tail", "--ledger", path])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[31m" in out


def test_json_lines_hold_the_bytes_that_the_hash_is_of(path, capsys):
    assert main(["events", "tail", "--json", "--ledger", path]) == YES
    for line in capsys.readouterr().out.splitlines():
        item = json.loads(line)
        assert item["schema"] == "gate.event/1"
        body = line.split('"event":', 1)[1][:-1].encode()
        assert wire.event_hash(body).hex() == item["hash"]


def test_tail_follows_a_running_gate(ledger, path):
    tail = subprocess.Popen([sys.executable, "-m", "gate", "events", "tail", "-f", "-n", "1", "--ledger", path],
                            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(REPO)})
    try:
        assert "#5" in tail.stdout.readline()
        ledger.append([record(EventKind.DOOR_SECURED)], now(9))
        assert "Cửa đã đóng / Door secured" in tail.stdout.readline()
    finally:
        tail.kill()
        tail.communicate()


def test_verify_says_that_an_untouched_ledger_is_intact(path, capsys):
    assert main(["events", "verify", "--ledger", path]) == YES
    assert capsys.readouterr().out.startswith("NGUYÊN VẸN / INTACT: 5 sự kiện / events")


def test_verify_names_the_first_event_that_was_changed(ledger, path, capsys):
    ledger.stop()
    db = sqlite3.connect(path)
    db.execute("UPDATE event SET body = CAST(replace(CAST(body AS TEXT), 'vao-1', 'vao-2') AS BLOB) WHERE seq >= 3")
    db.commit()
    db.close()
    assert main(["events", "verify", "--ledger", path]) == NO
    assert "BỊ HỎNG / BROKEN: sự kiện / event 3" in capsys.readouterr().out
    assert main(["events", "verify", "--json", "--ledger", path]) == NO
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["intact"], answer["bad_seq"]) == ("gate.events.verify/1", False, 3)


def test_csv_has_a_row_for_each_event_and_no_formula(path, capsys):
    assert main(["events", "export", "--format", "csv", "--ledger", path]) == YES
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["seq"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert rows[1]["reason"] == "EXPIRED"
    assert rows[2]["holder"] == "'=1+1"
    assert json.loads(rows[4]["data"]) == {"n": 5}


def test_export_can_begin_where_the_last_one_ended(path, capsys):
    assert main(["events", "export", "--after", "3", "--ledger", path]) == YES
    assert [json.loads(line)["seq"] for line in capsys.readouterr().out.splitlines()] == [4, 5]


def test_reading_leaves_the_ledger_of_a_stopped_gate_as_it_was(ledger, path, capsys):
    ledger.stop()
    before = Path(path).read_bytes()
    assert main(["events", "verify", "--ledger", path]) == YES
    assert Path(path).read_bytes() == before
    again = ledger_at(Path(path).parent)
    again.start()
    assert (again.written_seq, again.was_unclean) == (5, False)
    again.stop()


@pytest.mark.parametrize("content", [None, b"no database"])
def test_what_is_no_ledger_is_named_with_what_to_do(tmp_path, content, capsys):
    file = tmp_path / "other.db"
    if content is not None:
        file.write_bytes(content * 500)
    assert main(["events", "verify", "--ledger", str(file)]) == CANNOT
    assert "other.db: no ledger can be read there" in capsys.readouterr().err


def test_a_negative_number_of_lines_is_a_usage_error(path, capsys):
    assert main(["events", "tail", "-n", "-1", "--ledger", path]) == USAGE
