"""What a gate refuses by who is inside: its settings for the rules of anti-passback, occupancy and quotas. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

from gate.presence import OUTSIDE


@dataclass(frozen=True, slots=True)
class Crossing:
    """The gate `gate` leads from `outside` (a place, OUTSIDE: the street) into its area."""

    gate: str = ""
    outside: str = OUTSIDE
    anti_passback: Literal["off", "soft", "hard", "timed"] = "off"
    timed_s: float = 0.0
    forgive_unknown: bool = True
    occupancy_max: int | None = None
    quotas: Literal["off", "shared", "share"] = "off"
    shift_ends: tuple[time, ...] = ()
    """Times of day, on the site's wall, at which whoever is still inside counts as gone."""

    def shift_began(self, local: datetime) -> datetime | None:
        """When the shift began that is on at `local`; None where presence never expires by the clock."""
        ends = (datetime.combine(local.date() - timedelta(days=days), end, local.tzinfo)
                for days in (0, 1) for end in self.shift_ends)
        return max((end for end in ends if end <= local), default=None)
