"""Whole-system scenarios as text files: a config, people and codes, and a transcript of what must happen.

A scenario is YAML; its `timeline` reads like this:

    0.0   scan in an            what happens, in seconds from the start
          > AccessGranted an    what must follow, nothing more and nothing less
          > release entry
          > show granted
    5.0   time                  a timer of the lane ran out
          > AccessNotTaken an

`= WORD N` lines count the lines that hold WORD, for timelines too long to write out. `must_fail: true` marks a
transcript that is wrong on purpose: the runner has to notice.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gate.clock import SHIFT_START
from gate.errors import UsageError

SCENARIO_MAX_BYTES = 200_000
REPEAT_MAX = 100_000
"""How often one line of a timeline may repeat."""


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A row of the roster; the person's name is also their holder id here, and `health` their health record."""

    areas: tuple[str, ...] = ("xuong-a",)
    roles: tuple[str, ...] = ()
    company: str = ""
    schedule: str = ""
    from_: datetime | None = None
    until: datetime | None = None
    health: dict[str, Any] = {}
    visit: dict[str, Any] = {}


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from", "pass_": "pass"}):
    """Something to show: `text` as it is, a `pass` signed for a holder, somebody's `number`, `card` or `certificate`.

    A pass for a `phone` is shown `live` by it, or as a `copy` without it. In the timeline `NAME@5` is a picture of a
    live code that was taken at second 5.
    """

    text: str | None = None
    pass_: str | None = None
    number: str | None = None
    duress: bool = False
    """With `number`: typed as somebody types it who is forced."""
    card: str | None = None
    certificate: str | None = None
    phone: Literal["", "live", "copy"] = ""
    areas: list[str] = []
    from_: datetime | None = None
    until: datetime | None = datetime.fromisoformat("2027-01-01T00:00:00+07:00")
    forged: bool = False


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    title: str
    timeline: str
    why: str = ""
    must_fail: bool = False
    start: datetime = SHIFT_START
    area: str = "xuong-a"
    kind: Literal["workplace", "checkpoint", "shop"] = "workplace"
    contacts: tuple[str, ...] = ("passage",)
    portal: dict[str, Any] = {}
    admission: dict[str, Any] = {}
    presence: dict[str, Any] | None = None
    quotas: dict[str, Any] | None = None
    permits: dict[str, Any] | None = None
    health: dict[str, Any] = {}
    """The config's section; the shipped packs that it names are published."""
    people: dict[str, Person] = {}
    crowd: int = 0
    codes: dict[str, Code] = {}
    schedules: dict[str, dict[str, list[list[str]]]] = {}
    holidays: list[str] = []
    published: datetime | None = None
    revoked: list[str] = []


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave: the transcript, and the difference from the expected one (empty: as it should be)."""

    title: str
    passed: bool
    transcript: tuple[str, ...]
    difference: tuple[str, ...]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        UsageError: too long, not YAML, or with a key that no scenario has.
    """
    data = path.read_bytes()
    if len(data) > SCENARIO_MAX_BYTES:
        raise UsageError(f"{path}: {len(data)} bytes; a scenario has at most {SCENARIO_MAX_BYTES}")
    try:
        return msgspec.convert(YAML(typ="safe", pure=True).load(data), Scenario)
    except (YAMLError, msgspec.ValidationError) as error:
        raise UsageError(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Timeline:
    """A timeline taken apart: timed actions, the expected transcript (empty: only counts), and the counts."""

    actions: tuple[tuple[float, str], ...]
    transcript: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]

    def difference(self, lines: Sequence[str]) -> list[str]:
        """What in `lines` is not as expected; empty when all is."""
        found: list[str] = []
        if self.transcript:
            found += difflib.unified_diff(self.transcript, lines, "expected", "happened", lineterm="", n=2)
        for word, wanted in self.counts:
            count = sum(re.search(rf"\b{re.escape(word)}\b", line) is not None for line in lines)
            if count != wanted:
                found.append(f"= {word}: expected {wanted}, happened {count}")
        if not self.transcript and not self.counts:
            found.append("the timeline expects nothing: write `>` or `=` lines")
        return found


def read_timeline(text: str) -> Timeline:
    """Take a timeline apart.

    Raises:
        UsageError: a line that begins with neither seconds, `>` nor `=`, or a count or a repetition out of bounds.
    """
    actions: list[tuple[float, str]] = []
    transcript: list[str] = []
    counts: list[tuple[str, int]] = []
    exact = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split(" #")[0].strip()
        if not line:
            continue
        if line.startswith(">"):
            exact = True
            transcript.append(f"    > {line[1:].strip()}")
            continue
        if line.startswith("="):
            word, _, count = line[1:].strip().rpartition(" ")
            if not count.isdigit():
                raise UsageError(f"timeline line {number}: {raw!r} does not end with a count")
            counts.append((word.strip(), int(count)))
            continue
        at, _, action = line.partition(" ")
        if not re.fullmatch(r"\d{1,7}(\.\d{1,3})?", at):
            raise UsageError(f"timeline line {number}: {raw!r} does not begin with seconds, > or =")
        at_s = float(at)
        if action.strip() != "time":
            actions += _expand(at_s, action.strip())
        transcript.append(f"{at_s:.2f}  {action.strip()}")
    actions.sort(key=lambda each: each[0])
    return Timeline(tuple(actions), tuple(transcript) if exact else (), tuple(counts))


def _expand(at_s: float, action: str) -> Iterator[tuple[float, str]]:
    """`repeat 400 every 1.5: scan in p{n} | +0.3 passage on` as single actions."""
    match = re.fullmatch(r"repeat (\d+) every ([\d.]+): (.+)", action)
    if match is None:
        yield at_s, action
        return
    if int(match[1]) > REPEAT_MAX:
        raise UsageError(f"{action!r}: at most {REPEAT_MAX} repetitions")
    for n in range(int(match[1])):
        for part in match[3].split("|"):
            offset, what = re.fullmatch(r"\s*(?:\+([\d.]+)\s)?\s*(.*?)\s*", part).groups()  # type: ignore[union-attr]
            yield round(at_s + n * float(match[2]) + float(offset or 0), 3), what.replace("{n}", str(n + 1))
