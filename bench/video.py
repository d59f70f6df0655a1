"""Codes as they come before a camera (`bench.clips`): how many frames until the first read.

`python -m bench.video` prints the table of docs/camera.md. A clip that is not read to its end counts as one frame
longer than it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from statistics import fmean

from bench.clips import CLIPS, FRAMES, frames
from bench.figure import Figure, Setup, cost
from bench.photos import LADDER, PYZBAR, ZXING, zbar, zxing
from gate.decoder.frame import Frame, frame_of
from gate.decoder.ladder import LadderReader

SEEDS = 8
Engines = Callable[[], Mapping[str, Callable[[Frame], object]]]
"""The engines for one clip: some remember the frames before."""


def run(setup: Setup) -> Iterator[Figure]:
    """The ladder against zxing-cpp called once a frame."""
    seeds = setup.runs(SEEDS, 1)
    for name in CLIPS:
        waited = measure(name, seeds, lambda: {LADDER: LadderReader().read, ZXING: zxing})
        yield cost(f"video, {name}: frames to the first read, against zxing-cpp", fmean(waited[LADDER]),
                   fmean(waited[ZXING]), limit=1, unit="frames", runs=seeds)


def measure(name: str, seeds: int, engines: Engines) -> dict[str, list[int]]:
    """For each engine the number of the frame in which each clip's code was first read."""
    waited: dict[str, list[int]] = {}
    for seed in range(seeds):
        first = Counter(dict.fromkeys(readers := engines(), FRAMES + 1))
        for number, image in enumerate(frames(name, seed), start=1):
            frame = frame_of(image)
            for engine in [engine for engine in readers if first[engine] > FRAMES]:
                if readers[engine](frame):
                    first[engine] = number
            if max(first.values()) <= FRAMES:
                break
        for engine, number in first.items():
            waited.setdefault(engine, []).append(number)
    return waited


def main() -> None:
    """Print the table: the mean, and in brackets how many clips were not read at all."""
    engines: Engines = lambda: {LADDER: LadderReader().read, ZXING: zxing, PYZBAR: zbar}  # noqa: E731
    print(f"| clip | {' | '.join(engines())} |")
    print("|---" * (1 + len(engines())) + "|")
    for name in CLIPS:
        waited = measure(name, SEEDS, engines)
        print(f"| {name} |", " | ".join(_cell(numbers) for numbers in waited.values()), "|", flush=True)


def _cell(numbers: list[int]) -> str:
    never = sum(number > FRAMES for number in numbers)
    return f"{fmean(numbers):.1f}" + (f" ({never})" if never else "")


if __name__ == "__main__":
    main()
