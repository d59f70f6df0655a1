"""`gate bench [NAME...]`: measures this machine against floors and peers; the benchmarks lie in `bench/`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gate.errors import UsageError

if TYPE_CHECKING:
    from bench.figure import Figure

HELP = "measure speed and memory against floors and peers"
FOLDER = Path("var/bench")
WITHIN, OVER = 0, 1
COLUMNS = ("figure", "value", "floor", "unit", "ratio", "limit", "runs")


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks (default: all of them)")
    parser.add_argument("--json", action="store_true", help="one gate.bench/1 object a figure")
    parser.add_argument("--quick", action="store_true", help="few runs and small sizes: shows that it works, no more")
    parser.add_argument("--folder", type=Path, default=FOLDER,
                        help="where rosters and databases are made, some to be used again (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Measure; 1 when a ratio is over its limit."""
    benches, figure = _package("bench").BENCHES, _package("bench.figure")
    if unknown := [name for name in args.names if name not in benches]:
        raise UsageError(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(benches)}")
    args.folder.mkdir(parents=True, exist_ok=True)
    setup = figure.Setup(args.folder.resolve(), args.quick, lambda text: print(f"bench: {text}", file=sys.stderr))
    over = []
    if not args.json:
        print(_row(COLUMNS))
    for name in args.names or benches:
        setup.say(name)
        for measured in import_module(benches[name]).run(setup):
            over += [measured.name] if measured.over else []
            _show([measured], args.json)
    if over:
        setup.say(f"over the limit: {', '.join(over)}")
    return OVER if over else WITHIN


def _package(name: str) -> Any:
    """A module of the benchmarks, which lie beside the package in a checkout and are not installed with it.

    Raises:
        UsageError: they are not there.
    """
    beside = Path(__file__).resolve().parents[2]
    if not (beside / "bench" / "figure.py").is_file():
        raise UsageError(f"the benchmarks are not installed with the gate: run this in a checkout ({beside}/bench "
                         "is not there)")
    if str(beside) not in sys.path:
        sys.path.insert(0, str(beside))
    return import_module(name)


def _show(figures: Iterable[Figure], as_json: bool) -> None:
    import msgspec

    for figure in figures:
        if as_json:
            print(msgspec.json.encode(figure).decode(), flush=True)
        else:
            mark = f"  {figure.reason}" if figure.reason else _mark(figure)
            print(_row([figure.name, figure.value, figure.floor, figure.unit, figure.ratio, figure.limit,
                        figure.runs]) + mark, flush=True)


def _mark(figure: Figure) -> str:
    return "" if figure.limit is None else "  OVER" if figure.over else "  ok"


def _row(cells: Iterable[object]) -> str:
    first, *others = ("-" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells)
    return f"{first:58}" + "".join(f"{other:>11}" for other in others)
