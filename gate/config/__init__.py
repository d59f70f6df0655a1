"""The typed config of one gate: what an installer writes, with units in names and sane defaults.

The sentence under each key is also its help in the JSON Schema and in `docs/configuration.md`.

Reading it (YAML, every error at once with file:line:column) is `gate.config.reading`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(pattern="^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", description="a-z, 0-9 and hyphens")]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Port = Annotated[int, Meta(ge=1, le=65_535)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the config: unknown keys are errors."""


class Site(Section, frozen=True, kw_only=True):
    """Where the gate stands."""

    id: Id
    """The site's name in every topic and event."""
    kind: Literal["workplace", "checkpoint", "shop"] = "workplace"
    """What the site is: its own roster (workplace), or anyone with a signed pass (checkpoint, shop)."""
    time_zone: str = "Asia/Ho_Chi_Minh"
    """IANA name; schedules and event times are written in it."""
    area: Id = "site"
    """The area behind this gate; a pass or roster entry must name it."""
    token_key_file: Path
    """The key under which the roster hashes codes; the same at the centre and at each gate of the site."""


class Gate(Section, frozen=True, kw_only=True):
    """Which gate this is."""

    id: Id
    """The gate's name in every topic and event; unique in its site."""


class Pins(Section, frozen=True, kw_only=True):
    """Who moves the pins. There is no silent fall-back: a factory that cannot be loaded stops the start."""

    factory: Literal["lgpio", "rpigpio", "mock"]
    """The library that moves the pins; `mock` moves none (simulation)."""
    chip: Annotated[int, Meta(ge=0, le=15)] | None = None
    """Which /dev/gpiochipN holds the header's lines; left out, the library knows."""
    trace: Path | None = None
    """With `mock`: a file that gets one line (seconds, pin, level) for each change of an output."""

    @property
    def vanish(self) -> bool:
        """Whether no output outlives the process: mock pins without a trace."""
        return self.factory == "mock" and self.trace is None


class Portal(Section, frozen=True, kw_only=True):
    """The lane's timing."""

    pulse_s: Seconds = 0.6
    """How long one grant unlocks."""
    passage_s: Seconds = 5.0
    """How long a person has to begin passing."""
    pending_s: Seconds = 5.0
    """How long a valid scan waits for the person before it."""
    pending_max: Annotated[int, Meta(ge=0, le=16)] = 4
    """How many scans may wait so."""
    prealarm_s: Seconds = 10.0
    """How long the door may stand open before it beeps."""
    held_open_s: Seconds = 20.0
    """How long it may stand open before the alarm."""


class PastAge(Section, frozen=True, kw_only=True):
    """What becomes of entry when a document other than the roster has not been published again for too long."""

    document: Literal["issuers", "revocations", "schedules", "packs", "quotas", "permits"]
    """Which document."""
    max_age_h: Annotated[float, Meta(gt=0)]
    """Hours since its publication after which it is past its age; acts only on a clock that can be believed."""
    then: Literal["deny", "roster_only", "continue"]
    """Nobody enters, only whom the roster lists, or everybody as before."""


class Admission(Section, frozen=True, kw_only=True):
    """Which proofs open this gate, and what to do about what it cannot know."""

    accept: tuple[Literal["signed", "listed"], ...] = ("signed", "listed")
    """Which proofs open this gate."""
    signed_must_be_listed: bool | None = None
    """Whether a signed pass must also stand in the roster; left out: at a workplace, yes."""
    attempts_max: Annotated[int, Meta(ge=1, le=100)] = 5
    """Wrong number codes before the keypad locks."""
    lockout_s: Seconds = 30.0
    """How long the first lockout lasts; each next one doubles."""
    lockout_max_s: Seconds = 900.0
    """The longest lockout."""
    roster_max_age_h: Annotated[float, Meta(gt=0)] | None = None
    """Age in hours at which the roster is stale; left out, it never is."""
    on_stale_roster: Literal["deny", "continue"] = "deny"
    """What to do about a stale roster."""
    past_age: Annotated[tuple[PastAge, ...], Meta(max_length=16)] = ()
    """The same for other documents, each with its own limit."""
    on_untrusted_clock: Literal["deny", "continue"] = "continue"
    """What to do about validity, and the age of live codes, when the clock cannot be believed."""
    live_code_max_age_s: Annotated[float, Meta(ge=5, le=300)] = 15.0
    """How long a code that a phone has just signed is good; phones sign a new one every 5 s."""
    phone_skew_s: Annotated[float, Meta(ge=0, le=300)] = 5.0
    """How far a phone's clock may be from the gate's; a live code is good for that much longer."""
    certificates: Literal["ignored", "accepted", "required"] = "ignored"
    """What a health certificate is worth beside a code that says whose it is, such as an ID card: nothing; its facts
    (and entry, where nobody has to be listed); or no listed code opens without one."""
    second_code_s: Annotated[float, Meta(gt=0, le=120)] = 20.0
    """How long the first of those two codes waits for the second, held in memory only."""
    duress_codes: bool = False
    """Whether a number code whose last digit is typed one too high (0 after 9) opens as usual and calls for help."""
    proofs: dict[str, Literal["signed", "listed"]] = {}
    """A stronger proof for single rules, such as `health: signed`; weaker ones are denied PROOF_TOO_WEAK."""
    roles: Annotated[tuple[Id, ...], Meta(max_length=64)] = ()
    """Roles of which whoever enters needs one, beside the area; left out, any."""
    host: Literal["listed", "inside"] = "listed"
    """What a visitor's host has to be: on the list, or on the site too (needs `presence`)."""
    two_persons_s: Annotated[float, Meta(gt=0, le=120)] | None = None
    """Two people open together, the second within so many seconds of the first; left out, one is enough."""


class Health(Section, frozen=True, kw_only=True):
    """Which policy packs bind whoever enters, and whether they only look on."""

    packs: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=16)] = ("open",)
    """Packs of the signed `packs.json` by their ids; `open` asks nothing. One that is not published denies."""
    mode: Literal["enforce", "observe"] = "enforce"
    """`observe`: everyone passes, and the ledger keeps which rules would have refused."""
    observe_rules: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    """Rules by their ids that are only observed, while the others are enforced."""


TimeOfDay = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM on the site's wall")]


class Presence(Section, frozen=True, kw_only=True):
    """Who is inside, and what follows from it. Left out, nobody is counted."""

    outside: Annotated[str, Meta(max_length=64)] = ""
    """The area that this gate's way in leads from; left out, the street."""
    anti_passback: Literal["off", "soft", "hard", "timed"] = "off"
    """Who enters without having left: nothing, a report, a refusal, or a refusal for `anti_passback_s`."""
    anti_passback_s: Seconds = 3600.0
    """How long `timed` refuses."""
    unknown: Literal["forgive", "deny"] = "forgive"
    """What anti-passback makes of somebody of whom nothing is known."""
    occupancy_max: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    """How many people the area holds."""
    quotas: Literal["off", "shared", "share"] = "off"
    """Whether the signed `quotas.json` binds: by who is inside as all gates know it, or by this gate's own share."""
    shift_ends: Annotated[tuple[TimeOfDay, ...], Meta(max_length=8)] = ()
    """When whoever is still inside counts as gone, for a site without readers on the way out."""
    key_file: Path | None = None
    """This gate's own private key (Ed25519, PEM): under it peers believe its passages; left out, it tells none."""


class Ledger(Section, frozen=True, kw_only=True):
    """How the gate remembers (law 1)."""

    ring_events: Annotated[int, Meta(ge=1_000, le=10_000_000)] = 1_000_000
    """How many events the ledger keeps."""
    write_max_ms: Annotated[int, Meta(ge=10, le=10_000)] = 250
    """How long a grant waits for its record before it is denied."""
    flush_max_ms: Annotated[int, Meta(ge=50, le=60_000)] = 2_000
    """After a power cut, every pulse older than this has its record."""
    durability: Literal["after_write", "after_flush"] = "after_write"
    """What a grant waits for: the write, or the flush to the disk."""


class Tls(Section, frozen=True, kw_only=True):
    """Certificates in PEM files; `ca` checks the broker, the other two name this gate to it."""

    ca: Path | None = None
    """The authority that signed the broker's certificate; left out, the system's own list."""
    certificate: Path | None = None
    """This gate's certificate."""
    key: Path | None = None
    """Its private key."""


class Clock(Section, frozen=True, kw_only=True):
    """When wall time can be believed."""

    trust: Literal["synchronised", "always"] = "synchronised"
    """`always` is for a clock that is right without a network, such as a battery-backed one that somebody sets; after a
    jump of more than a minute it is believed again from the next start."""


class Mqtt(Section, frozen=True, kw_only=True):
    """The broker that hears of every event."""

    host: str
    """The broker's name or address."""
    port: Port = 8883
    """Usually 8883 with TLS, 1883 without."""
    version: Literal["5", "3.1.1"] = "5"
    """The MQTT version, in quotes."""
    username: str | None = None
    """The name this gate logs in with."""
    password_file: Path | None = None
    """A file whose first line is the password."""
    tls: Tls | None = None
    """Left out, the connection is not encrypted."""
    keepalive_s: Annotated[int, Meta(ge=5, le=600)] = 30
    """Silence after which the broker calls this gate offline."""
    in_flight: Annotated[int, Meta(ge=1, le=100)] = 20
    """Batches of events sent and not yet confirmed."""
    backoff_max_s: Seconds = 60.0
    """The longest wait before the next try to connect."""
    ack: Literal["recorder", "broker"] = "recorder"
    """Whose word lets the gate forget an event: the recorder's signature, or the broker's receipt."""


class Documents(Section, frozen=True, kw_only=True):
    """Where trust in documents begins, and by which road new ones come."""

    root_file: Path
    """TUF root metadata that the installer brings, compared with the publisher's by its fingerprint."""
    road: Literal["by-hand", "mqtt", "web"] = "by-hand"
    """How new documents come: `gate documents import`, over the broker, or from `url`. All are verified alike."""
    url: str | None = None
    """With `web`: the published folder, `https://...`; what is sent to the broker makes the gate look there at once."""
    ca: Path | None = None
    """With `web`: who may vouch for that server, a PEM file; left out, whom the system believes."""
    poll_s: Annotated[float, Meta(ge=10, le=86_400)] = 900.0
    """With `web`: how often to look there."""


class Device(Section, frozen=True, kw_only=True):
    """A device as configured: its driver's name, and that driver's own settings, already typed."""

    driver: str
    """The driver's name; the keys beside it are the driver's own."""
    settings: Any = None


class ReaderConfig(Section, frozen=True, kw_only=True):
    """A reader, the way it serves, and its driver's settings."""

    name: Id
    """The reader's name in events."""
    direction: Literal["entry", "exit"]
    """Which way the people go who use it."""
    driver: str
    """The driver's name; the keys beside it are the driver's own."""
    settings: Any = None


class ContactConfig(Section, frozen=True, kw_only=True):
    """An input, by the role that the portal knows it under."""

    name: Literal["passage", "door", "rex", "emergency", "interlock", "override", "tamper", "mains", "lock"]
    """The input's role: `interlock` is active while the other door of an airlock is open, `override` while the guard's
    key is turned, `mains` while the mains have failed, `lock` while the bolt is home."""
    driver: str
    """The driver's name; the keys beside it are the driver's own."""
    settings: Any = None


class Config(Section, frozen=True, kw_only=True):
    """Everything that one daemon needs: one portal, two directions."""

    site: Site
    gate: Gate
    state_dir: Path
    """The folder that this gate alone writes: ledger, documents."""
    documents: Documents
    pins: Pins
    barrier: Device
    readers: tuple[ReaderConfig, ...]
    indicators: tuple[Device, ...] = ()
    contacts: tuple[ContactConfig, ...] = ()
    portal: Portal = Portal()
    admission: Admission = Admission()
    health: Health = Health()
    presence: Presence | None = None
    ledger: Ledger = Ledger()
    clock: Clock = Clock()
    mqtt: Mqtt | None = None
