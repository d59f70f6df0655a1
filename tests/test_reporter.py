"""What operators hear of a gate without asking."""

from __future__ import annotations

from typing import Any

from gate import wire
from gate.clock import SHIFT_START
from gate.inbox import Inbox
from gate.model import Now
from gate.portal import Portal
from gate.reporter import Reporter


class Ledger:
    """How far a ledger has come, as a test says."""

    epoch = "e1"
    written_seq = 0

    def depth(self) -> int:
        return 0

    def remember(self, key: str, value: bytes) -> None:
        pass


class Voice:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def status(self, status: wire.Status) -> None:
        self.said.append(status)

    info = state = health = status


def at(mono: float) -> Now:
    return Now(SHIFT_START, mono)


def reporter(ledger: Ledger, voice: Voice, readers: dict[str, bool] | None = None) -> Reporter:
    return Reporter(lane=Portal, ledger=ledger, voice=voice, inbox=Inbox(), readers=readers or {},
                    stuck=lambda now: [], began=at(0))


def test_a_reader_that_is_gone_makes_the_gate_degraded_until_it_is_back() -> None:
    readers, voice = {"in": True}, Voice()
    report = reporter(Ledger(), voice, readers).report
    for second, there in enumerate((True, False, False, True)):
        readers["in"] = there
        report(at(second))
    assert [said.status for said in voice.said if isinstance(said, wire.Status)] == ["online", "degraded", "online"]


def test_state_is_said_each_ten_seconds() -> None:
    voice = Voice()
    report = reporter(Ledger(), voice).report
    for second in range(25):
        report(at(second))
    assert len([said for said in voice.said if isinstance(said, wire.State)]) == 3
