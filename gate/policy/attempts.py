"""Wrong codes at a reader: how many, and until when that reader is locked. Pure.

Only a reader where codes can be guessed counts (a keypad): a lockout there never blocks another reader. The
lock doubles each time up to a limit; good codes wear the count down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gate.model import Decision, Reason

GUESSES = frozenset({Reason.UNKNOWN_CREDENTIAL, Reason.MALFORMED, Reason.UNKNOWN_FORMAT})
"""Refusals that tell a guesser that the code was wrong; any other refusal is of a code that exists."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One reader's wrong codes since the last good one."""

    wrong: int = 0
    lockouts: int = 0
    locked_until_mono: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Attempts:
    """The tallies of all readers that count; `guessable` names those readers."""

    guessable: frozenset[str] = frozenset()
    attempts_max: int = 5
    lockout_s: float = 30.0
    lockout_max_s: float = 900.0
    tallies: Mapping[str, Tally] = field(default_factory=dict)

    def locked(self, reader: str, mono: float) -> bool:
        """Whether this reader is locked at `mono`."""
        tally = self.tallies.get(reader)
        return tally is not None and mono < tally.locked_until_mono

    def locks_next(self, reader: str) -> bool:
        """Whether one more wrong code locks this reader."""
        return reader in self.guessable and self.tallies.get(reader, Tally()).wrong + 1 >= self.attempts_max

    def after(self, decision: Decision, mono: float) -> Attempts:
        """The tallies after one more decision; codes typed while locked count for nothing."""
        reader = decision.reader
        if reader not in self.guessable or self.locked(reader, mono):
            return self
        if decision.granted:
            # One good code outweighs one wrong one, not a whole series: its holder may be the one who guesses.
            tally = self.tallies.get(reader, Tally())
            good = replace(tally, wrong=tally.wrong - 1) if tally.wrong > 1 else Tally()
            return replace(self, tallies={**self.tallies, reader: good})
        if decision.reason not in GUESSES | {Reason.MAX_ATTEMPTS}:
            return self
        tally = self.tallies.get(reader, Tally())
        wrong = tally.wrong + 1
        if wrong < self.attempts_max:
            new = replace(tally, wrong=wrong)
        else:
            lock_s = min(self.lockout_s * 2**min(tally.lockouts, 32), self.lockout_max_s)
            new = Tally(0, tally.lockouts + 1, mono + lock_s)
        return replace(self, tallies={**self.tallies, reader: new})
