"""How old a document may grow, and what then. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class PastAge:
    """Past `limit` since its publication a document is old: then nobody enters, or only whom the roster lists."""

    document: str
    limit: timedelta
    roster_only: bool = False
