"""`gate bench`: what it prints, and when the answer is no. Nothing here looks at how fast this machine is."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from gate.cli import CANNOT, NO, USAGE, YES, main
from gate.commands import bench as command

KEYS = {"schema", "name", "value", "floor", "ratio", "limit", "unit", "runs", "reason"}


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets a test add a benchmark of its own, called `mine`."""
    def add(body: str) -> None:
        code = f"from bench.figure import cost, rate\n\ndef run(setup):\n{textwrap.indent(body, '    ')}\n"
        (tmp_path / "mine_bench.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(command._package("bench").BENCHES, "mine", "mine_bench")
        monkeypatch.delitem(sys.modules, "mine_bench", raising=False)
    return add


def bench(tmp_path: Path, *arguments: str) -> int:
    """Run `gate bench`, with everything that it makes in the test's folder."""
    return main(["bench", *arguments, "--folder", str(tmp_path / "made")])


def figures(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was printed, a figure a line."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(("name", "count"), [("codes", 15), ("ledger", 4), ("camera", 5)])
def test_each_figure_is_one_json_object(
    name: str, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench(tmp_path, name, "--quick", "--json") in (YES, NO)
    measured = figures(capsys)
    assert len(measured) == count
    for figure in measured:
        assert figure.keys() == KEYS
        assert figure["schema"] == "gate.bench/1"
        assert figure["value"] > 0 and figure["runs"] > 0
        assert figure["reason"] if figure["ratio"] is None else figure["ratio"] > 0


def test_missing_peer_leaves_its_figure_open_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command._package("bench.codes"), "CROSSCHECK", tmp_path / "no-python")
    bench(tmp_path, "codes", "--quick", "--json")
    peers = [figure for figure in figures(capsys) if figure["name"].endswith(("against cwt", "against pycose"))]
    assert len(peers) == 6
    for figure in peers:
        assert (figure["floor"], figure["ratio"]) == (None, None)
        assert "make crosscheck" in figure["reason"]


def test_ratio_within_its_limit_is_yes(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    benchmark('yield cost("at the limit", 3.0, 2.0, limit=1.5, runs=1)')
    assert bench(tmp_path, "mine", "--json") == YES
    assert figures(capsys) == [{"schema": "gate.bench/1", "name": "at the limit", "value": 3.0, "floor": 2.0,
                                "ratio": 1.5, "limit": 1.5, "unit": "ms", "runs": 1, "reason": None}]


def test_ratio_over_its_limit_is_no_and_named(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    benchmark('yield cost("too slow", 3.1, 2.0, limit=1.5, runs=1)\nyield cost("fine", 1.0, 1.0, limit=2, runs=1)')
    assert bench(tmp_path, "mine") == NO
    said = capsys.readouterr()
    assert [line.split()[-1] for line in said.out.splitlines()[1:]] == ["OVER", "ok"]
    assert said.err.endswith("over the limit: too slow\n")


def test_figure_without_a_limit_is_never_over(benchmark: Any, tmp_path: Path) -> None:
    benchmark('yield cost("for information", 100.0, 1.0, runs=1)')
    assert bench(tmp_path, "mine") == YES


def test_rate_that_falls_behind_its_peer_has_a_ratio_above_one(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    benchmark('yield rate("drain", 500.0, 1000.0, limit=1, runs=1)')
    assert bench(tmp_path, "mine", "--json") == NO
    assert figures(capsys)[0]["ratio"] == 2.0


def test_unknown_benchmark_is_refused_with_the_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(tmp_path, "warp") == USAGE
    assert "no benchmark is called warp; there are scan, camera" in capsys.readouterr().err


def test_installed_without_its_checkout_says_where_the_benchmarks_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "__file__", str(tmp_path / "site-packages" / "gate" / "commands" / "bench.py"))
    assert bench(tmp_path) == USAGE != CANNOT
    assert "run this in a checkout" in capsys.readouterr().err
