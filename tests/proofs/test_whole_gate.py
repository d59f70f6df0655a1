"""The short form of the simulation: no promise breaks, and each breaks once its mechanism is taken away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from proofs.simulation.disk import Disk
from proofs.whole_gate import Result, main, run

from gate import portal
from gate.central.feed import Feed
from gate.drivers.release import Release
from gate.effector import Effector
from gate.ledger import Ledger
from gate.ledger.exit_journal import ExitJournal
from gate.portal.actions import Actions

pytestmark = pytest.mark.slow

SEEDS = range(1, 11)
SEEDS_MAX = 25


def first_broken() -> Result | None:
    """The first run in which a promise breaks."""
    return next((result for result in map(run, range(1, SEEDS_MAX)) if result.broken), None)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_promise_breaks(seed: int) -> None:
    result = run(seed)
    assert not result.broken, "\n".join([result.broken, *result.trace])


def test_a_run_is_a_function_of_its_seed() -> None:
    first, again = run(7, 3000), run(7, 3000)
    assert (first.steps, first.covered) == (again.steps, again.covered)


def test_a_record_goes_on_where_it_ended(tmp_path, capsys) -> None:
    arguments = ["--steps", "500", "--jobs", "1", "--progress", str(tmp_path / "progress")]
    main([*arguments, "--total", "1000"])
    before = (tmp_path / "progress").read_bytes()
    main([*arguments, "--total", "2000"])
    assert (tmp_path / "progress").read_bytes().startswith(before)
    assert "0 violations" in capsys.readouterr().out


def release_at_once(self, rows, now):
    self.append(rows, now)
    return [portal.Written(self.ledger.written_seq)]


def wait_for_ways_out(self, rows, now, *, way_out=False):
    ticket = self.ledger.append(rows, now, way_out=way_out) if rows else None
    if ticket is not None and way_out:
        ticket.wait(1.0)
    return ticket


def nothing(*_: object) -> None:
    return None


def never(*_: object) -> bool:
    return False


SABOTAGES: dict[str, tuple[type, str, Callable[..., object], str]] = {
    "no wait for the write": (Effector, "write", release_at_once, "without its written record"),
    "ways out wait": (Effector, "append", wait_for_ways_out, "a way out waits for nothing"),
    "ways out are not noted": (ExitJournal, "note", nothing, "a kill loses no way out"),
    "flushed is said too early": (Disk, "fdatasync", nothing, "is lost|loses no passage|chain"),
    "rows are sent before their flush": (
        Ledger, "flushed_seq", property(lambda self: self.written_seq), "chain|is lost|loses"),
    "no alarm for a late flush": (Actions, "watch_flush", nothing, "late|stuck"),
    "releases do not end": (Release, "due", never, "a release ends"),
    "the recorder takes everything for new": (
        Feed, "_take", lambda self, arrival, known: (setattr(self, "last_seq", arrival.seq), (None, True))[1], "twice"),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_promise_breaks_without_its_mechanism(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, instead, promise = SABOTAGES[name]
    monkeypatch.setattr(where, what, instead)
    broken = first_broken()
    assert broken is not None
    assert any(word in broken.broken for word in promise.split("|")), broken.broken
