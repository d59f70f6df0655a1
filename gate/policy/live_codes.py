"""Live codes: a pass that is bound to a phone opens only while the phone's signature is fresh, and once. Pure.

The phone signs whole seconds of its own clock every few seconds. A moment is fresh for `max_age_s`; `skew_s` is granted
to either side for clocks that disagree. Of each pass only later moments open than the one that opened last, so that
one picture lets nobody in beside its owner, whatever the clocks say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gate.model import Claims, Now

REMEMBERED_MAX = 1024
"""Passes whose last moment is remembered: more than one lane lets in while a moment is fresh."""


@dataclass(frozen=True, slots=True)
class LiveCodes:
    """How fresh a live code has to be, and the last moment of each pass that opened, by the pass's id."""

    max_age_s: float = 15.0
    skew_s: float = 5.0
    opened: Mapping[str, datetime] = field(default_factory=dict)

    def fault(self, claims: Claims, now: Now) -> str | None:
        """Why signed claims are not live: `unsigned`, `early` or `old`; None when nothing is against them.

        Without a trusted clock nobody can tell how old a moment is.
        """
        if not claims.phone_point:
            return None
        if claims.shown_at is None:
            return "unsigned"
        age = now.utc - claims.shown_at
        if now.trusted and age < -timedelta(seconds=self.skew_s):
            return "early"
        if now.trusted and age >= timedelta(seconds=self.max_age_s + self.skew_s):
            return "old"
        return None

    def used(self, claims: Claims) -> bool:
        """Whether this moment of the pass, or a later one, has opened already."""
        last = self.opened.get(claims.pass_id)
        return last is not None and claims.shown_at is not None and claims.shown_at <= last

    def after_entry(self, claims: Claims) -> LiveCodes:
        """What is remembered once these claims have opened; the pass that opened longest ago makes room."""
        if claims.shown_at is None:
            return self
        opened = {pass_id: at for pass_id, at in self.opened.items() if pass_id != claims.pass_id}
        if len(opened) >= REMEMBERED_MAX:
            del opened[next(iter(opened))]
        return replace(self, opened={**opened, claims.pass_id: claims.shown_at})
