"""Who waits for a second person, where two people have to enter together. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gate.model import Decision, Direction, Reason


@dataclass(frozen=True, slots=True)
class TwoPersons:
    """Whether this gate asks for two, for how long the first waits, and who that is."""

    within_s: float | None = None
    first: Decision | None = None
    until_mono: float = 0.0

    def waiting(self, mono: float) -> Decision | None:
        """Who waits for a second person."""
        return self.first if self.first is not None and mono < self.until_mono else None

    def beside(self, holder: str, mono: float) -> Decision | None:
        """Who waits, if that is somebody else than `holder`."""
        first = self.waiting(mono)
        return first if first is not None and holder not in ("", first.holder) else None

    def after(self, decision: Decision, mono: float) -> TwoPersons:
        """What is remembered after one more decision: the first person waits, the second takes them along."""
        if self.within_s is None or decision.direction is Direction.EXIT:
            return self
        if decision.granted:
            return replace(self, first=None)
        if decision.reason is Reason.NEEDS_SECOND_PERSON and decision.holder:
            let_in = replace(decision, granted=True, reason=Reason.GRANTED, rule="", steps=())
            return replace(self, first=let_in, until_mono=mono + self.within_s)
        return self
