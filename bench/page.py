"""Writes `docs/benchmarks.md`'s table and plot: `gate bench --json > FIGURES && python -m bench.page FIGURES DOCS`."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import msgspec

from bench.figure import Figure

MARK = "<!-- from here on: python -m bench.page -->"
ROW_PX, NAME_PX, BAR_PX, WIDTH_PX = 24, 430, 300, 860


def main(figures: Path, docs: Path) -> None:
    """Put what `figures` holds, a JSON object a line, into the page and its plot."""
    measured = [msgspec.json.decode(line, type=Figure) for line in figures.read_bytes().splitlines()]
    page = docs / "benchmarks.md"
    told, _, _ = page.read_text().partition(MARK)
    page.write_text(f"{told}{MARK}\n\n{_machine()}\n\n{_table(measured)}")
    (docs / "benchmarks.svg").write_text(_plot([figure for figure in measured if figure.limit is not None]))


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    model, kernel = models[0] if models else platform.machine(), platform.release().partition("-")[0]
    return (f"Measured on {datetime.now(UTC):%d %B %Y}: {len(models)} x {model}, {memory_kib / 2**20:.0f} GiB, "
            f"Linux {kernel}, Python {platform.python_version()}.")


def _table(measured: Sequence[Figure]) -> str:
    rows = ["| figure | here | floor | unit | ratio | limit | runs |", "|---|---|---|---|---|---|---|"]
    for figure in measured:
        ratio = f"**{figure.ratio:g}**" if figure.over else _number(figure.ratio)
        rows.append(f"| {figure.name} | {figure.value:g} | {_number(figure.floor)} | {figure.unit} | {ratio} "
                    f"| {_number(figure.limit)} | {figure.runs} |")
    return "\n".join(rows) + "\n"


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:g}"


def _plot(limited: Sequence[Figure]) -> str:
    """A bar for each ratio as a share of its limit; the line is the limit."""
    height_px = ROW_PX * len(limited) + 12
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{height_px}" '
             f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>']
    for row, figure in enumerate(limited):
        assert figure.ratio is not None and figure.limit is not None
        top, share = 6 + row * ROW_PX, figure.ratio / figure.limit
        width_px = min(share * BAR_PX, WIDTH_PX - NAME_PX - 60)
        parts += [f'<text x="{NAME_PX - 8}" y="{top + 16}" text-anchor="end">{escape(figure.name)}</text>',
                  f'<rect x="{NAME_PX}" y="{top + 4}" width="{width_px:.0f}" height="{ROW_PX - 8}" '
                  f'fill="{"#c0392b" if figure.over else "#2d7d46"}"/>',
                  f'<text x="{NAME_PX + width_px + 5:.0f}" y="{top + 16}">{figure.ratio:g}</text>']
    limit_px = NAME_PX + BAR_PX
    parts.append(f'<path d="M{limit_px} 0V{height_px}" stroke="black" stroke-dasharray="4 3"/></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
