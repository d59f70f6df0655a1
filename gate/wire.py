"""What travels over MQTT: topics, messages, and the hash chain of events. Pure.

Every payload is a CloudEvent 1.0 in structured JSON (`up/event`: a CloudEvents batch, an array of 1 to 64).
An event's canonical bytes are what the ledger stores, the feed carries and the recorder hashes, unchanged:
`prevhash` (the hash of the event before) stands inside them, so the hash of an event is the SHA-256 of its
bytes and binds the whole chain. Bytes are never re-encoded on the way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from gate import __version__
from gate.errors import MalformedError
from gate.model import EventKind
from gate.strict_json import NOT_IN_FORM

VERSION = "gate/1"
BATCH_MAX_EVENTS = 64
EVENT_MAX_BYTES = 8192
BATCH_MAX_BYTES = BATCH_MAX_EVENTS * EVENT_MAX_BYTES
PASSAGES_MAX = 2048
"""Moves on one page of presence: at 64 pages, 131,072 people whom one gate saw last."""
COMMAND_MAX_BYTES = 4096
REASON_MAX_CHARS = 300
OPEN_MAX_MINUTES = 720
"""The longest timed opening: a shift."""
DOCUMENT_CHUNK_BYTES = 128 * 1024
GENESIS = bytes(32)
"""The hash before the first event of an epoch."""

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


def is_id(text: str) -> bool:
    """Whether `text` may name a site or a gate: 1 to 64 of `[a-z0-9-]`, no hyphen at either end."""
    return _ID.fullmatch(text) is not None


def up(site: str, gate: str, *tail: str) -> str:
    """The topic on which a gate speaks: `gate/1/{site}/{gate}/up/...`."""
    return "/".join((VERSION, site, gate, "up", *tail))


def down(site: str, gate: str, *tail: str) -> str:
    """The topic on which a gate is spoken to: `gate/1/{site}/{gate}/down/...`."""
    return "/".join((VERSION, site, gate, "down", *tail))


def presence(site: str, gate: str, *tail: str) -> str:
    """The topic on which a gate tells its peers who passed: `gate/1/{site}/presence/{gate}`."""
    return "/".join((VERSION, site, "presence", gate, *tail))


def gate_of_presence(site: str, topic: str) -> str:
    """Whose page of passages a topic carries.

    Raises:
        MalformedError: it is no such topic of this site.
    """
    parts = topic.split("/")
    if len(parts) != 6 or parts[:4] != ["gate", "1", site, "presence"] or not is_id(parts[4]):
        raise MalformedError(f"{topic} is no topic for passages of {site}")
    return parts[4]


def documents(site: str, *tail: str) -> str:
    """The topics on which a publisher's documents lie: `gate/1/{site}/documents/...`."""
    return "/".join((VERSION, site, "documents", *tail))


def source(site: str, gate: str) -> str:
    """The CloudEvents source of a gate."""
    return f"/{VERSION}/{site}/{gate}"


def parse_topic(topic: str) -> tuple[str, str, str] | None:
    """Split a topic into (site, gate, rest as `up/...`), or None when it is not one of ours."""
    parts = topic.split("/")
    if len(parts) < 6 or parts[0] != "gate" or parts[1] != "1" or not (is_id(parts[2]) and is_id(parts[3])):
        return None
    return parts[2], parts[3], "/".join(parts[4:])


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event of the ledger as a CloudEvent; identity is (source, epoch, seq).

    `time` is RFC 3339 with the site's offset; `synced` says whether the gate believed its clock then.
    """

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: str
    epoch: str
    seq: int
    prevhash: str
    synced: bool
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        """The EventKind's word, without the CloudEvents prefix."""
        return self.type.removeprefix(EVENT_TYPE)


EVENT_TYPE = "gate.event."
_encoder = msgspec.json.Encoder()
_event = msgspec.json.Decoder(Event)
_array = msgspec.json.Decoder(list[msgspec.Raw])


def seal(
    *, source: str, epoch: str, seq: int, prev: bytes, kind: EventKind, time: datetime, synced: bool,
    data: dict[str, Any],
) -> tuple[bytes, bytes]:
    """Make an event's canonical bytes and its hash; `time` must be aware."""
    body = _encoder.encode(Event(
        id=f"{epoch}.{seq}", source=source, type=EVENT_TYPE + kind, time=time.isoformat(timespec="milliseconds"),
        epoch=epoch, seq=seq, prevhash=prev.hex(), synced=synced, data=data,
    ))
    return body, event_hash(body)


def event_hash(body: bytes) -> bytes:
    """The SHA-256 over the canonical bytes, which hold the hash before."""
    return hashlib.sha256(body).digest()


def read_event(body: bytes) -> Event:
    """Read one event's canonical bytes.

    Raises:
        MalformedError: not an event, or longer than EVENT_MAX_BYTES.
    """
    if len(body) > EVENT_MAX_BYTES:
        raise MalformedError(f"event of {len(body)} bytes; at most {EVENT_MAX_BYTES} are read")
    try:
        event = _event.decode(body)
    except NOT_IN_FORM as error:
        raise MalformedError(f"not an event: {error}") from error
    if event.seq < 1 or not event.type.startswith(EVENT_TYPE) or len(event.prevhash) != 64:
        raise MalformedError("not an event: seq, type or prevhash is out of form")
    return event


def join_batch(bodies: Sequence[bytes]) -> bytes:
    """The payload of `up/event`: stored bytes side by side in one array, never re-encoded."""
    if not 1 <= len(bodies) <= BATCH_MAX_EVENTS:
        raise ValueError(f"a batch carries 1 to {BATCH_MAX_EVENTS} events, not {len(bodies)}")
    return b"[" + b",".join(bodies) + b"]"


def split_batch(payload: bytes) -> list[bytes]:
    """The canonical bytes of each event of an `up/event` payload.

    Raises:
        MalformedError: not an array of 1 to 64 within BATCH_MAX_BYTES.
    """
    if len(payload) > BATCH_MAX_BYTES:
        raise MalformedError(f"batch of {len(payload)} bytes; at most {BATCH_MAX_BYTES} are read")
    try:
        bodies = [bytes(raw) for raw in _array.decode(payload)]
    except NOT_IN_FORM as error:
        raise MalformedError(f"not a batch: {error}") from error
    if not 1 <= len(bodies) <= BATCH_MAX_EVENTS:
        raise MalformedError(f"a batch carries 1 to {BATCH_MAX_EVENTS} events, not {len(bodies)}")
    return bodies


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Any other payload: a CloudEvent whose `type` is `gate.{name}` and whose `data` is a Struct of this module."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: str
    data: msgspec.Raw


class Status(msgspec.Struct, frozen=True):
    """`up/status`: one of starting, online, degraded, stopped, offline (the last will)."""

    status: str
    detail: str = ""


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """`up/info`: what runs there."""

    version: str = __version__
    schema: int = 1
    readers: dict[str, str] = {}
    documents: dict[str, int] = {}


class State(msgspec.Struct, frozen=True, kw_only=True):
    """`up/state`, each 10 s: what it is doing now. `outbox` counts events not yet acknowledged."""

    mode: str
    portal: str
    outbox: int
    epoch: str
    written_seq: int
    clock_trusted: bool
    nonce: str = ""
    occupancy: int | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`up/health`, each minute: figures for whoever looks after the machine."""

    uptime_s: float
    resident_kib: int
    scans: int
    dropped: int
    readers: dict[str, bool] = {}


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """`up/live`: a copy of an event at once, before it is durable and without a sequence number."""

    kind: str
    event: dict[str, Any]
    durable: bool = False


class AlertState(msgspec.Struct, frozen=True):
    """`up/alert/{id}`, retained; an empty payload clears it."""

    id: str
    detail: str


class Ack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a recorder vouches for: every event of this epoch from `from_seq` to `up_to_seq` is in its database.

    `hash` is the chain's at `up_to_seq`, in hex. A run that begins later than the gate's oldest unacknowledged
    event proves a loss on the way: the gate forgets nothing and sends again. `greeting` says that the recorder has
    just begun and has nothing after `up_to_seq` (0: nothing at all): what was sent since may be lost, and is sent
    again.
    """

    site: str
    gate: str
    epoch: str
    from_seq: int
    up_to_seq: int
    hash: str
    greeting: bool = False


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator asks of one gate; `nonce` is the newest that it published, `counter` higher than ever before.

    `minutes` belong to open-for; `direction` to open; `holder` to override and reset-passback, which takes an `area`
    instead, or neither: everybody.
    """

    site: str
    gate: str
    verb: str
    actor: str
    reason: Annotated[str, msgspec.Meta(max_length=REASON_MAX_CHARS)]
    nonce: str
    counter: Annotated[int, msgspec.Meta(ge=1, lt=2**53)]
    minutes: Annotated[float, msgspec.Meta(ge=0, le=OPEN_MAX_MINUTES)] = 0.0
    direction: Literal["entry", "exit"] = "entry"
    holder: Annotated[str, msgspec.Meta(max_length=128)] = ""
    area: Annotated[str, msgspec.Meta(max_length=64)] = ""


class SignedCommand(msgspec.Struct, frozen=True):
    """`down/command/{verb}`: a `Command` as JSON in a COSE_Sign1 (EdDSA), in base64; the answer goes to `client`."""

    client: str
    sign1: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`up/reply/{client}`: what became of the command whose message id was `command`.

    `refusal` is empty when it is done; of one that was `repeated`, `detail` is the last counter under its key.
    """

    command: str
    verb: str
    done: bool
    refusal: str = ""
    detail: str = ""


class Passed(msgspec.Struct, frozen=True, array_like=True):
    """Where a holder went: the place (an area, or nothing: outside), their company, and the stamp of the move."""

    holder: str
    place: str
    company: str
    millis: int
    tick: int


class Passages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one gate says of those who passed it last and whose holder id falls on this page."""

    site: str
    gate: str
    moves: Annotated[list[Passed], msgspec.Meta(max_length=PASSAGES_MAX)]


class SignedPassages(msgspec.Struct, frozen=True):
    """`presence/{gate}/{page}`, retained: `Passages` as JSON in a COSE_Sign1 (EdDSA), in base64."""

    sign1: str


class SignedAck(msgspec.Struct, frozen=True):
    """`down/ack`: an `Ack` as JSON inside a COSE_Sign1 (EdDSA), in base64."""

    sign1: str


def message(name: str, source: str, id: str, time: datetime, data: msgspec.Struct) -> bytes:
    """Wrap `data` as the CloudEvent `gate.{name}`."""
    return _encoder.encode(Message(
        id=id, source=source, type=f"gate.{name}", time=time.isoformat(timespec="milliseconds"),
        data=msgspec.Raw(_encoder.encode(data)),
    ))


Data = TypeVar("Data", bound=msgspec.Struct)


def read_message(payload: bytes, name: str, kind: type[Data]) -> Data:
    """Read the `data` of a CloudEvent of type `gate.{name}`.

    Raises:
        MalformedError: longer than BATCH_MAX_BYTES, another type, or not in the form of `kind`.
    """
    if len(payload) > BATCH_MAX_BYTES:
        raise MalformedError(f"message of {len(payload)} bytes; at most {BATCH_MAX_BYTES} are read")
    try:
        envelope = msgspec.json.decode(payload, type=Message)
        if envelope.type != f"gate.{name}":
            raise MalformedError(f"a message of type {envelope.type!r} where gate.{name} belongs")
        return msgspec.json.decode(envelope.data, type=kind)
    except NOT_IN_FORM as error:
        raise MalformedError(f"not a gate.{name} message: {error}") from error
