"""What a rule may look at. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gate.model import Claims, Credential, Direction, Now, Reason, RosterEntry
from gate.view import View


@dataclass(frozen=True, slots=True)
class Context:
    """One credential at one door at one moment."""

    credential: Credential
    direction: Direction
    view: View
    now: Now

    @property
    def local(self) -> datetime:
        """The moment as the clock on the site's wall shows it."""
        return self.now.utc.astimezone(self.view.zone)

    @property
    def papers(self) -> tuple[Claims | RosterEntry, ...]:
        """Whatever vouches for this person: the signed claims, the roster's entry, or both."""
        return tuple(paper for paper in (self.credential.claims, self.credential.entry) if paper is not None)


class Objection(NamedTuple):
    """A refusal by the rule of that name; `alerts` calls the operators beside it."""

    rule: str
    reason: Reason
    alerts: bool = False


Check = Callable[[Context], Reason | Objection | None]
"""A rule's one function: None when it has nothing against the person; an objection where one line holds many rules."""
