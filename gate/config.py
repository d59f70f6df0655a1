"""The typed config of one gate: what an installer writes, with units in names and sane defaults.

Reading it (YAML, every error at once with file:line:column) is `gate.yaml_config`.
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
    kind: Literal["workplace", "checkpoint", "shop"] = "workplace"
    time_zone: str = "Asia/Ho_Chi_Minh"
    area: Id = "site"
    token_key_file: Path
    """The key under which the roster hashes codes; the same at the centre and at each gate of the site."""


class Gate(Section, frozen=True, kw_only=True):
    """Which gate this is."""

    id: Id


class Pins(Section, frozen=True, kw_only=True):
    """Who moves the pins. There is no silent fall-back: a factory that cannot be loaded stops the start."""

    factory: Literal["lgpio", "rpigpio", "mock"]
    chip: Annotated[int, Meta(ge=0, le=15)] | None = None


class Portal(Section, frozen=True, kw_only=True):
    """The lane's timing."""

    pulse_s: Seconds = 0.6
    passage_s: Seconds = 5.0
    pending_s: Seconds = 5.0
    pending_max: Annotated[int, Meta(ge=0, le=16)] = 4
    prealarm_s: Seconds = 10.0
    held_open_s: Seconds = 20.0
    repeat_s: Seconds = 3.0


class Admission(Section, frozen=True, kw_only=True):
    """Which proofs open this gate, and what to do about what it cannot know."""

    accept: tuple[Literal["signed", "listed"], ...] = ("signed", "listed")
    signed_must_be_listed: bool = True
    attempts_max: Annotated[int, Meta(ge=1, le=100)] = 5
    lockout_s: Seconds = 30.0
    lockout_max_s: Seconds = 900.0
    roster_max_age_h: Annotated[float, Meta(gt=0)] | None = None
    on_stale_roster: Literal["deny", "continue"] = "deny"
    on_untrusted_clock: Literal["deny", "continue"] = "continue"


class Ledger(Section, frozen=True, kw_only=True):
    """How the gate remembers (law 1)."""

    ring_events: Annotated[int, Meta(ge=1_000, le=10_000_000)] = 1_000_000
    write_max_ms: Annotated[int, Meta(ge=10, le=10_000)] = 250
    flush_max_ms: Annotated[int, Meta(ge=50, le=60_000)] = 2_000
    durability: Literal["after_write", "after_flush"] = "after_write"


class Tls(Section, frozen=True, kw_only=True):
    """Certificates in PEM files; `ca` checks the broker, the other two name this gate to it."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Mqtt(Section, frozen=True, kw_only=True):
    """The broker that hears of every event."""

    host: str
    port: Port = 8883
    version: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password_file: Path | None = None
    tls: Tls | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=600)] = 30
    in_flight: Annotated[int, Meta(ge=1, le=100)] = 20
    backoff_max_s: Seconds = 60.0
    ack: Literal["recorder", "broker"] = "recorder"


class Documents(Section, frozen=True, kw_only=True):
    """Where trust in documents begins."""

    root_file: Path
    """TUF root metadata that the installer brings, compared with the publisher's by its fingerprint."""


class Device(Section, frozen=True, kw_only=True):
    """A device as configured: its driver's name, and that driver's own settings, already typed."""

    driver: str
    settings: Any = None


class ReaderConfig(Section, frozen=True, kw_only=True):
    """A reader, the way it serves, and its driver's settings."""

    name: Id
    direction: Literal["entry", "exit"]
    driver: str
    settings: Any = None


class ContactConfig(Section, frozen=True, kw_only=True):
    """An input, by the role that the portal knows it under."""

    name: Literal["passage", "door", "rex", "emergency"]
    driver: str
    settings: Any = None


class Config(Section, frozen=True, kw_only=True):
    """Everything that one daemon needs: one portal, two directions."""

    site: Site
    gate: Gate
    state_dir: Path
    documents: Documents
    pins: Pins
    barrier: Device
    readers: tuple[ReaderConfig, ...]
    indicators: tuple[Device, ...] = ()
    contacts: tuple[ContactConfig, ...] = ()
    portal: Portal = Portal()
    admission: Admission = Admission()
    ledger: Ledger = Ledger()
    mqtt: Mqtt | None = None
