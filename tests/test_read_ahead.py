import os
from pathlib import Path

import pytest

from gate.documents import read_ahead
from gate.documents.read_ahead import ASK_BYTES, STEP_BYTES, ReadAhead


@pytest.fixture
def asked(monkeypatch) -> list[int]:
    """Where in the file the kernel was asked to read."""
    places: list[int] = []
    monkeypatch.setattr(read_ahead.os, "posix_fadvise", lambda file, at, length, advice: places.append(at))
    return places


def test_a_long_file_is_asked_for_whole_step_by_step_and_then_again(tmp_path, asked):
    path = tmp_path / "roster"
    path.touch()
    os.truncate(path, STEP_BYTES + 1)
    ahead = ReadAhead()
    for _ in range(2):
        ahead.step(path)
    assert asked == list(range(0, STEP_BYTES + 1, ASK_BYTES))
    ahead.step(path)
    assert asked[-STEP_BYTES // ASK_BYTES] == 0


def test_a_file_that_is_gone_or_empty_ends_nothing(tmp_path, asked):
    ahead = ReadAhead()
    ahead.step(Path("/nowhere/roster"))
    (tmp_path / "empty").touch()
    ahead.step(tmp_path / "empty")
    assert asked == []
