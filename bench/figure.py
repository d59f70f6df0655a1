"""What a benchmark says, and how it takes times: interleaved, so that a busy machine troubles both sides alike."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

SCHEMA = "gate.bench/1"
WARM_UP = 3
"""Rounds that are not counted: imports, caches, the first page faults."""


class Figure(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    """One measurement; `floor` is the peer's figure or the budget, `ratio` is smaller where we are better.

    Both are null where the peer is not there, and `reason` says why.
    """

    name: str
    value: float
    floor: float | None = None
    ratio: float | None = None
    limit: float | None = None
    unit: str
    runs: int
    reason: str | None = None

    @property
    def over(self) -> bool:
        """Whether it is worse than it may be."""
        return self.ratio is not None and self.limit is not None and self.ratio > self.limit


@dataclass(frozen=True, slots=True)
class Setup:
    """Where benchmarks keep what they make, how thorough they are, and where they tell of progress."""

    folder: Path
    quick: bool
    say: Callable[[str], None]

    def runs(self, full: int, quick: int) -> int:
        """How often to measure."""
        return quick if self.quick else full


def cost(
    name: str, value: float, floor: float, *, runs: int, limit: float | None = None, unit: str = "ms",
) -> Figure:
    """A figure of which less is better."""
    return Figure(name=name, value=_digits(value), floor=_digits(floor), ratio=_digits(value / floor), limit=limit,
                  unit=unit, runs=runs)


def alone(name: str, value: float, reason: str, *, runs: int, unit: str = "ms") -> Figure:
    """A figure whose peer is not there."""
    return Figure(name=name, value=_digits(value), unit=unit, runs=runs, reason=reason)


def rate(
    name: str, value: float, floor: float, *, runs: int, limit: float | None = None, unit: str = "events/s",
) -> Figure:
    """A figure of which more is better: the ratio says how many times as fast the floor is."""
    return Figure(name=name, value=_digits(value), floor=_digits(floor), ratio=_digits(floor / value), limit=limit,
                  unit=unit, runs=runs)


def interleaved(tasks: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call of each task, in rounds of random order."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    order = list(tasks)
    for number in range(WARM_UP + rounds):
        random.shuffle(order)
        for name in order:
            began = time.perf_counter()
            tasks[name]()
            if number >= WARM_UP:
                taken[name].append(time.perf_counter() - began)
    return taken


def p50(samples: Sequence[float]) -> float:
    """The median."""
    return statistics.median(samples)


def p99(samples: Sequence[float]) -> float:
    """The value that one sample in a hundred exceeds."""
    return sorted(samples)[max(0, -(-len(samples) * 99 // 100) - 1)]


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
