"""What the composition root does by itself."""

from __future__ import annotations

import threading

import pytest

from gate.app import heed_threads
from gate.model import Fault


def test_an_exception_that_ends_a_thread_ends_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> None:
        raise MemoryError("no room")

    said: list[Fault] = []
    monkeypatch.setattr(threading, "excepthook", lambda ended: None)
    with heed_threads(said.append):
        thread = threading.Thread(target=breaks, name="relay")
        thread.start()
        thread.join()
    assert said == [Fault("relay", "it has ended: MemoryError('no room')", fatal=True)]
