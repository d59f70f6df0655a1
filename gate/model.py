"""The frozen types that flow through the gate, and the words that everything shares.

Units stand in names: `_s` seconds, `_ms` milliseconds, `_at` an aware UTC datetime, `_mono` seconds on the
monotonic clock. Reasons carry the BACnet access-event number (ASHRAE 135, BACnetAccessEvent) where one fits;
events take ONVIF's words (Access Control and Door Control service specifications).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, NamedTuple

from gate.order import Order

PAYLOAD_MAX_BYTES = 4096
"""The longest payload that any reader hands on; a version 40 QR holds 2,953 bytes."""


class Direction(StrEnum):
    """Which way a person goes through the portal."""

    ENTRY = "entry"
    EXIT = "exit"


class Proof(StrEnum):
    """What a code proved of itself (law 10)."""

    SIGNED = "signed"
    LISTED = "listed"
    CLAIMED = "claimed"
    NONE = "none"


class Reason(Enum):
    """Why a decision fell as it did; the value is the BACnet access-event number and the fault's text key."""

    GRANTED = (1, "granted")
    UNKNOWN_CREDENTIAL = (129, "unknown_credential")
    NO_ACCESS_RIGHTS = (133, "no_access_rights")
    OUT_OF_TIME_RANGE = (136, "out_of_time_range")
    LOCKDOWN = (137, "lockdown")
    PASSBACK = (138, "passback")
    MAX_ATTEMPTS = (140, "max_attempts")
    OCCUPANCY_LIMIT = (142, "occupancy_limit")
    NOT_YET_ACTIVE = (151, "not_yet_active")
    EXPIRED = (152, "expired")
    REVOKED = (153, "revoked")
    MAX_USES = (156, "max_uses")
    LOCKOUT = (161, "lockout")
    OTHER = (164, "other")
    MALFORMED = (164, "malformed")
    UNKNOWN_FORMAT = (164, "unknown_format")
    WRONG_CODE = (164, "wrong_code")
    NO_SYMBOL = (164, "no_symbol")
    UNKNOWN_KEY = (164, "unknown_key")
    BAD_SIGNATURE = (164, "bad_signature")
    PROOF_TOO_WEAK = (164, "proof_too_weak")
    ROSTER_STALE = (164, "roster_stale")
    CLOCK_UNTRUSTED = (164, "clock_untrusted")
    HEALTH_RULE = (164, "health_rule")
    PERMIT = (164, "permit")
    QUOTA = (164, "quota")
    NEEDS_SECOND_CODE = (164, "needs_second_code")
    NOT_LIVE = (164, "not_live")
    NEEDS_SECOND_PERSON = (164, "needs_second_person")
    NO_HOST = (164, "no_host")
    INTERLOCK = (164, "interlock")
    STORE_SLOW = (164, "store_slow")
    PORTAL_BUSY = (164, "portal_busy")
    INTERNAL_ERROR = (164, "internal_error")

    @property
    def bacnet(self) -> int:
        """The BACnetAccessEvent number; 164 (OTHER) where the standard has no closer word."""
        return self.value[0]


class EventKind(StrEnum):
    """Every kind of event in the ledger and on the feed."""

    ACCESS_GRANTED = "AccessGranted"
    ACCESS_TAKEN = "AccessTaken"
    ACCESS_NOT_TAKEN = "AccessNotTaken"
    ACCESS_DENIED = "AccessDenied"
    DURESS = "Duress"
    DOOR_FORCED_OPEN = "DoorForcedOpen"
    DOOR_OPEN_TOO_LONG = "DoorOpenTooLong"
    DOOR_SECURED = "DoorSecured"
    REQUEST_TO_EXIT = "RequestToExit"
    EMERGENCY = "Emergency"
    MODE_CHANGED = "ModeChanged"
    UNEXPECTED_PASSAGE = "UnexpectedPassage"
    READER_LOST = "ReaderLost"
    READER_BACK = "ReaderBack"
    DOCUMENTS_APPLIED = "DocumentsApplied"
    DOCUMENTS_REFUSED = "DocumentsRefused"
    GATE_STARTED = "GateStarted"
    GATE_STOPPED = "GateStopped"
    EVENTS_LOST = "EventsLost"
    LEDGER_PRUNED = "LedgerPruned"
    OUTPUT_FAULT = "OutputFault"
    LOCK_FAULT = "LockFault"
    SENSOR_FAULT = "SensorFault"
    TAMPER = "Tamper"
    MAINS_FAILURE = "MainsFailure"
    STORE_FAULT = "StoreFault"
    COMMAND = "Command"


class Mode(StrEnum):
    """What the whole portal is set to; only a signed command or an emergency input changes it."""

    NORMAL = "normal"
    LOCKDOWN = "lockdown"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Now:
    """One moment as the core sees it: wall time, monotonic seconds, and whether wall time can be believed."""

    utc: datetime
    mono: float
    trusted: bool = True


# --- what enters the loop ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scan:
    """One payload as a reader read it; `size` orders several codes in one view (largest first).

    `card`: a reader of cards says so (`gate.decoder.card`). No code can: a number printed on a card opens nothing.
    """

    reader: str
    direction: Direction
    payload: bytes
    read_mono: float
    size: int = 0
    card: bool = False


@dataclass(frozen=True, slots=True)
class CodeBegun:
    """A reader has the beginning of a code, whose end is yet to come: time to get ready."""

    reader: str


@dataclass(frozen=True, slots=True)
class Contact:
    """An input changed: `name` is its role (`passage`, `door`, `rex`, `emergency`, ...)."""

    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class SetMode:
    """A verified command asks for a mode, or with `for_s` for free access that ends by itself."""

    mode: Mode
    actor: str
    cause: str
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class Documents:
    """A new verified set of documents, or the report that one was refused (`view` is None)."""

    view: Any
    versions: dict[str, int]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Flushed:
    """Everything up to `up_to_seq` survives a power cut."""

    up_to_seq: int


@dataclass(frozen=True, slots=True)
class ReaderState:
    """A reader went away or came back."""

    reader: str
    present: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something at the edge broke, or with no detail works again; `fatal` ends the process, outputs safe."""

    source: str
    detail: str | None
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed and nothing else happened."""


class Stamp(NamedTuple):
    """When a move was made, in the order of causes: Unix milliseconds, a tick within them, the gate."""

    millis: int
    tick: int
    gate: str


@dataclass(frozen=True, slots=True)
class Move:
    """A holder went to `place` (an area, or nothing: outside); `company` is counted with them."""

    holder: str
    place: str
    company: str
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class PeerMoves:
    """What a gate of this site said, under its signature, of those who passed it."""

    gate: str
    moves: tuple[Move, ...]


Stimulus = Scan | CodeBegun | Contact | SetMode | Order | Documents | Flushed | ReaderState | PeerMoves | Fault | Tick


# --- what admission makes of a scan --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """A payload that one format could read.

    `identifiers` are `kind:value` strings that the roster may know (it knows only their keyed hashes);
    `signed` holds the bytes whose signature `trust` checks; `person` is what the code says of its holder:
    shown by `gate decode`, never stored, logged or published (law 6).
    """

    format: str
    identifiers: tuple[str, ...] = ()
    signed: bytes | None = None
    person: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """What the signed roster says of one holder; times are aware UTC, None is unbounded."""

    holder: str
    areas: frozenset[str]
    roles: frozenset[str] = frozenset()
    schedule: str = ""
    valid_from_at: datetime | None = None
    valid_until_at: datetime | None = None
    company: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a signature vouches for (RFC 8392 names where there is one).

    `valid_until_at` is the first moment at which it is no longer good. `printed_from_at` and `printed_until_at` are
    what the code itself says, where its norm or its key's life makes that another span. A pass with a `phone_point` (a
    compressed P-256 point) is good only from that phone, which signed it at `shown_at`. `record` is the health record
    and `person` what the code says of its holder: `gate decode` shows both, and nothing stores, logs or publishes
    them (law 6). `key_withdrawn`: it vouches for nothing any more.
    """

    issuer: str
    subject: str
    key_id: str
    pass_id: str = ""
    valid_from_at: datetime | None = None
    valid_until_at: datetime | None = None
    areas: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    phone_point: bytes = b""
    shown_at: datetime | None = None
    record: dict[str, Any] | None = field(default=None, repr=False)
    person: dict[str, Any] | None = field(default=None, repr=False)
    printed_from_at: datetime | None = None
    printed_until_at: datetime | None = None
    key_withdrawn: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credential:
    """A token after trust: what is verified, and how strongly."""

    format: str
    proof: Proof
    holder: str = ""
    claims: Claims | None = None
    entry: RosterEntry | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step of admission as it went, for `gate decide --explain`."""

    number: int
    name: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Admission's whole answer to one scan; `rule` names the rule that spoke, `hint` a wrong code's kind.

    `observed` names the rules that would have refused, had this gate enforced them; `alerts` calls the operators. Where
    an operator asked instead of a code, it was `actor`, because of `cause`.
    """

    granted: bool
    reason: Reason
    direction: Direction
    reader: str
    format: str = ""
    proof: Proof = Proof.NONE
    holder: str = ""
    company: str = ""
    rule: str = ""
    hint: str = ""
    observed: tuple[str, ...] = ()
    alerts: bool = False
    duress: bool = False
    """Somebody was made to show this code: told to the operators, and never at the lane."""
    uses: int | None = None
    """How often a holder with a limited number of entries has entered here before."""
    beside: Decision | None = None
    """The first of two people who enter together."""
    actor: str = ""
    cause: str = ""
    steps: tuple[Step, ...] = ()


# --- what the portal asks for --------------------------------------------------------------------------


class Signal(StrEnum):
    """What the lane shows and sounds; a driver maps each to lamps and tones."""

    IDLE = "idle"
    READING = "reading"
    GRANTED = "granted"
    DENIED = "denied"
    CALL_GUARD = "call_guard"
    PREALARM = "prealarm"
    ALARM = "alarm"
    LOCKDOWN = "lockdown"
    FREE = "free"
    IDENTIFY = "identify"


@dataclass(frozen=True, slots=True)
class Record:
    """Write this event: `data` holds JSON values only."""

    kind: EventKind
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """Unlock in one direction for `pulse_s`; `must_record` makes the core wait for the write first (law 1)."""

    direction: Direction
    pulse_s: float
    must_record: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay released until told otherwise: a lease the core renews each second (law 5)."""

    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Secure:
    """Lock."""


@dataclass(frozen=True, slots=True)
class Show:
    """Set the lane's lamps, tones and screen; `decision` gives the screen its text."""

    signal: Signal
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Raise or clear a named alert for the operators."""

    id: str
    active: bool
    detail: str = ""


ALERTS = frozenset({
    "tamper", "mains", "lock-open", "tailgating", "no-passage",
    "emergency", "forced-open", "held-open", "output-fault", "not-locked", "store-slow", "documents-refused",
    "fault-ledger", "fault-issuers", "fault-uplink", "fault-record", "fault-indicator", "fault-release-guard",
    "presence-clock", "presence-refused",
    "ack-refused", "command-refused", "events-refused", "publish-refused", "denied-person", "duress",
})
"""Every alert that a gate raises, beside `reader-{name}` for each of its readers: a new run clears the last one's."""


Effect = Record | Release | Hold | Secure | Show | Alert
