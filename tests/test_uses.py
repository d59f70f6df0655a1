"""A code that is good for so many entries: what is used up stays used up, whatever happens to the process."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from support_ledger import PATIENCE_S, ledger_at, now

from gate import portal
from gate.errors import DocumentError
from gate.model import Contact, Decision, Direction, Flushed, Mode, Reason, Record, SetMode, Tick
from gate.policy.visits import count_uses, read_visit

GUEST = Decision(True, Reason.GRANTED, Direction.ENTRY, "in", holder="khach", uses=1)


def records(*facts: tuple[float, portal.Fact]) -> list[Record]:
    """What a lane records of these, a second 0 being its start."""
    lane, found = portal.Portal(), []
    for second, fact in facts:
        lane, effects = portal.on(lane, fact, now(second))
        found += [effect for effect in effects if isinstance(effect, Record)]
    return found


def told(*facts: tuple[float, portal.Fact]) -> list[tuple[str, int | None]]:
    return [(record.kind.value, record.data.get("uses")) for record in records(*facts)]


def test_an_entry_counts_from_its_grant_and_a_grant_that_lapses_is_given_back() -> None:
    taken = [(0.0, GUEST), (1.0, Contact("passage", True)), (2.0, Contact("passage", False))]
    assert told(*taken) == [("AccessGranted", 2), ("AccessTaken", 2)]
    kept = [(0.1, portal.Written(5)), (0.2, Flushed(5))]
    assert told((0.0, GUEST), *kept, (9.0, Tick())) == [("AccessGranted", 2), ("AccessNotTaken", 1)]
    assert told((0.0, GUEST), (1.0, SetMode(Mode.LOCKDOWN, "operator", "drill")))[-1] == ("AccessNotTaken", 1)
    assert told((0.0, GUEST), (0.1, portal.NotWritten())) == [("AccessGranted", 2), ("AccessDenied", 1)]


def test_a_refusal_and_a_way_out_use_up_nothing() -> None:
    assert told((0.0, replace(GUEST, granted=False, reason=Reason.MAX_USES))) == [("AccessDenied", None)]
    assert told((0.0, replace(GUEST, direction=Direction.EXIT, uses=None))) == [("AccessGranted", None)]


def test_what_the_core_counts_is_what_was_taken() -> None:
    uses: dict[str, int] = {}
    count_uses(uses, records((0.0, GUEST)))
    assert uses == {}, "the one in the lane may show the code again"
    count_uses(uses, records((0.0, GUEST), (1.0, Contact("passage", True)), (2.0, Contact("passage", False))))
    assert uses == {"khach": 2}


def test_an_entry_stays_used_up_when_the_process_is_killed_after_its_grant(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            ledger = ledger_at(tmp_path)
            ledger.start()
            ticket = ledger.append(records((0.0, GUEST)), now())
            assert ticket.wait(PATIENCE_S)  # now the relay may move
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    again = ledger_at(tmp_path)
    again.start()
    assert again.uses == {"khach": 2}
    again.stop()


@pytest.mark.parametrize("fact", [{"uses": 0}, {"uses": "many"}, {"guest": "an"}, []])
def test_a_visit_out_of_form_is_refused_with_the_fault(fact):
    with pytest.raises(DocumentError, match="the visit"):
        read_visit(fact)
