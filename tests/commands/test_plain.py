"""Whatever a stranger writes, a terminal and a log show it as text of one line."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from gate.cli import main
from gate.commands.plain import PlainFormatter

HOSTILE = "a\x1b[31mb\u202ec\r\nERROR gate: forged\u2028\x00\x9b2J"
SHOWN = r"a\x1b[31mb\u202ec\r\nERROR gate: forged\u2028\x00\x9b2J"


def logged(**extra: object) -> str:
    record = logging.makeLogRecord({"levelname": "WARNING", "name": "gate", "msg": "%s", "args": (HOSTILE,)} | extra)
    return PlainFormatter("%(levelname)s %(name)s: %(message)s").format(record)


def test_a_log_line_is_one_line_and_steers_nothing() -> None:
    assert logged() == f"WARNING gate: {SHOWN}"


def test_a_traceback_keeps_its_lines_and_steers_nothing() -> None:
    error = ValueError(HOSTILE)
    text = logged(exc_info=(ValueError, error, None))
    assert text.isprintable() or "\n" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text.splitlines()) > 1


def test_why_a_code_is_refused_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    batch = tmp_path / "batch.jsonl"
    batch.write_text(json.dumps({"id": HOSTILE, "text": "GP1:" + HOSTILE}) + "\n")
    main(["decode", "--batch", str(batch)])
    said = capsys.readouterr()
    for stream in (said.out, said.err):
        assert all(line.isprintable() for line in stream.split("\n"))
        assert len(stream.splitlines()) == stream.count("\n")


def test_what_was_typed_comes_back_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--at", HOSTILE, "x"]) == 2
    assert "\x1b" not in capsys.readouterr().err
