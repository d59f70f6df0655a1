"""Changes each row of the lane's tables, and expects a test to notice: `make mutation PART=rows`.

A row is changed by leaving out each of its actions, by turning their order round, and by going elsewhere: a row that
moves stays where it is, one that stays comes to rest.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gate.portal.table import AT_REST, TRANSITIONS, Action, Row, State

TESTS = ("tests/test_portal_states.py", "tests/test_portal_tells.py", "tests/test_portal.py", "tests/test_scenarios.py")
LIVES = 2


class Change(NamedTuple):
    """What stands under `key` of `table` instead, and how that is said."""

    table: dict[Any, Any]
    key: Any
    instead: Any
    told: str


def other_actions(actions: tuple[Action, ...]) -> Iterator[tuple[tuple[Action, ...], str]]:
    """Each way to do something else than these, and how it is said."""
    for place, action in enumerate(actions):
        yield actions[:place] + actions[place + 1:], f"without {action}"
    if len(actions) > 1:
        yield actions[::-1], "the other way round"


def changes() -> Iterator[Change]:
    """Every change of every row."""
    for state, rows in TRANSITIONS.items():
        for happened, row in rows.items():
            where = f"{state}, {happened}"
            elsewhere = State.REST if row.next is state else state
            yield Change(rows, happened, Row(elsewhere, row.actions), f"{where}: to {elsewhere}")
            for actions, told in other_actions(row.actions):
                yield Change(rows, happened, Row(row.next, actions), f"{where}: {told}")
    for state, resting in AT_REST.items():
        for actions, told in other_actions(resting):
            yield Change(AT_REST, state, actions, f"at rest, {state}: {told}")


CHANGES = list(changes())


def run_tests() -> int:
    """pytest's exit code, and not a word of it."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        return pytest.main(["--exitfirst", *TESTS])


def is_noticed(number: int) -> bool:
    """Whether the tests fail after one change; for a process of its own."""
    change = CHANGES[number]
    change.table[change.key] = change.instead
    return run_tests() == pytest.ExitCode.TESTS_FAILED


def share_noticed() -> float:
    """Try every change; print what nobody noticed; give the share that was, in percent."""
    if run_tests() != pytest.ExitCode.OK:
        raise SystemExit("the tests fail as the table is: mend that first")
    with multiprocessing.get_context("fork").Pool(LIVES, maxtasksperchild=1) as pool:
        noticed = pool.map(is_noticed, range(len(CHANGES)), chunksize=1)
    for change, seen in zip(CHANGES, noticed, strict=True):
        if not seen:
            print(f"survived: {change.told}")
    print(f"rows: {len(CHANGES)} changes, {sum(noticed)} noticed", flush=True)
    return 100 * sum(noticed) / len(CHANGES)
