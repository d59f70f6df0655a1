"""What admission may look at: the signed documents in force and the gate's own settings, frozen together. Pure.

A `View` is replaced as a whole, never changed, so that a decision sees one set of documents from start to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gate.model import Mode, Proof, RosterEntry
from gate.policy.ages import PastAge
from gate.policy.attempts import Attempts
from gate.policy.crossing import Crossing
from gate.policy.health.pack import HealthPolicy, Pack
from gate.policy.live_codes import LiveCodes
from gate.policy.pairs import Pairs
from gate.policy.permits import Permits
from gate.policy.quotas import Quotas
from gate.policy.schedule import Schedules
from gate.policy.together import TwoPersons
from gate.presence import Presence
from gate.trust import Keyring, Revocations, Roster


class NoRoster:
    """The roster of a gate that has none yet: it knows nobody."""

    def find(self, identifiers: tuple[str, ...]) -> RosterEntry | None:
        return None

    def holder(self, holder: str) -> RosterEntry | None:
        return None


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """One verified set of documents, together as they were published."""

    keyring: Keyring = field(default_factory=Keyring)
    roster: Roster = field(default_factory=NoRoster)
    revocations: Revocations = field(default_factory=Revocations)
    schedules: Schedules = field(default_factory=Schedules)
    packs: Mapping[str, Pack] = field(default_factory=dict)
    quotas: Quotas | None = None
    permits: Permits | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    published_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


NO_DOCUMENTS = DocumentSet()
"""In force until the first import: nobody is listed, nobody's key is known, everybody is denied."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything one decision may depend on, apart from the scan and the moment."""

    area: str
    zone: ZoneInfo
    documents: DocumentSet = NO_DOCUMENTS
    mode: Mode = Mode.NORMAL
    attempts: Attempts = field(default_factory=Attempts)
    accept: frozenset[Proof] = frozenset({Proof.SIGNED, Proof.LISTED})
    signed_must_be_listed: bool = True
    roster_max_age: timedelta | None = None
    continue_on_stale_roster: bool = False
    continue_on_untrusted_clock: bool = True
    past_age: tuple[PastAge, ...] = ()
    live_codes: LiveCodes = field(default_factory=LiveCodes)
    pairs: Pairs = field(default_factory=Pairs)
    health: HealthPolicy = field(default_factory=HealthPolicy)
    duress_codes: bool = False
    """Whether a number whose last digit is one too high means that its holder is forced."""
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    """A stronger proof than a rule's own line asks for, by the rule's name."""
    roles: frozenset[str] = frozenset()
    """Roles of which one is needed here; empty: any."""
    host_inside: bool = False
    two_persons: TwoPersons = field(default_factory=TwoPersons)
    crossing: Crossing = field(default_factory=Crossing)
    presence: Presence = field(default_factory=lambda: Presence(""))
    """Changes in place: the core's thread alone reads it and writes it."""
    uses: dict[str, int] = field(default_factory=dict)
    """How often holders with a limited number of entries have entered here; changes in place too."""
