"""Fuzz targets for what the gate's own parts and its broker say: sockets, lines, feeds, a ledger handed on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import wire
from gate.acks import PURPOSE, read_ack
from gate.decoder.framing import Framer
from gate.drivers.camera_wire import Message, decode, encode
from gate.drivers.keypad import Entry
from gate.errors import DeviceError, ForgedError, MalformedError, UnknownKeyError
from gate.model import EventKind
from gate.trust import Key, Keyring

from .target import Target

KID = bytes(range(1, 9))
RECORDERS = Keyring([Key(KID, Ed25519PrivateKey.generate().public_key(), "centre", PURPOSE)])
"""A recorder that every acknowledgement may name, and that has signed none."""
FRAME_MAX_BYTES = 64
MESSAGES = {
    "status": wire.Status, "info": wire.Info, "state": wire.State, "health": wire.Health, "live": wire.Live,
    "alert": wire.AlertState, "ack": wire.SignedAck,
}


def says_the_same(_packet: bytes, message: Message) -> None:
    """Said again, it is heard as the same."""
    assert decode(encode(message)) == message


def frames(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """What stands between line ends, fed at once, and fed in pieces whose lengths the input itself gives."""
    whole, pieces = Framer(1.0, FRAME_MAX_BYTES), Framer(1.0, FRAME_MAX_BYTES)
    at_once = whole.feed(data, 0.0) + whole.flush(9.0)
    cut: list[bytes] = []
    at = 0
    while at < len(data):
        step = 1 + data[at] % 7
        cut += pieces.feed(data[at:at + step], 0.0)
        at += step
    return at_once, cut + pieces.flush(9.0)


def are_frames(data: bytes, found: tuple[list[bytes], list[bytes]]) -> None:
    """How a line comes in pieces changes nothing; nothing is empty, too long or made up."""
    at_once, in_pieces = found
    assert at_once == in_pieces
    lines = data.replace(b"\r", b"\n").split(b"\n")
    assert at_once == [line for line in lines if 0 < len(line) <= FRAME_MAX_BYTES]


def press(keys: bytes) -> list[bytes]:
    """The numbers that so many keys enter."""
    entry = Entry(digits_max=12, idle_s=60)
    return [number for key in keys if (number := entry.press(key, 0.0)) is not None]


def are_numbers(keys: bytes, numbers: list[bytes]) -> None:
    """Digits that were pressed, no more than a number has."""
    digits = bytes(key for key in keys if key in b"0123456789")
    assert all(0 < len(number) <= 12 and number in digits for number in numbers)


def is_sealed_again(_body: bytes, event: wire.Event) -> None:
    """What was read as an event can be written as one, within its rules."""
    body, hash_ = wire.seal(
        source=event.source, epoch=event.epoch, seq=event.seq, prev=bytes(32), kind=EventKind.ACCESS_DENIED,
        time=datetime(2026, 11, 23, tzinfo=UTC), synced=event.synced, data=event.data)
    assert wire.event_hash(body) == hash_


def is_joined_again(_payload: bytes, bodies: list[bytes]) -> None:
    """The bytes of each event are handed on unchanged."""
    assert wire.split_batch(wire.join_batch(bodies)) == bodies


def read_any(payload: bytes) -> list[Any]:
    """As every message that it can be; refused when it is none."""
    found, refusal = [], MalformedError("no message")
    for name, kind in MESSAGES.items():
        try:
            found.append(wire.read_message(payload, name, kind))
        except MalformedError as error:
            refusal = error
    if not found:
        raise refusal
    return found


def is_one(_payload: bytes, found: list[Any]) -> None:
    """No message is two."""
    assert len(found) == 1


def topic(data: bytes) -> tuple[str, str, str] | None:
    """As the broker hands it on: text."""
    return wire.parse_topic(data.decode(errors="replace"))


def is_topic(data: bytes, found: tuple[str, str, str] | None) -> None:
    """It names a site and a gate by ids."""
    if found is not None:
        site, gate, rest = found
        assert wire.is_id(site) and wire.is_id(gate)
        assert "/".join((wire.VERSION, site, gate, rest)) == data.decode(errors="replace")


def nobody_acknowledged(_payload: bytes, ack: wire.Ack) -> None:
    """The recorder has signed nothing."""
    raise AssertionError(f"believed: {ack}")


TARGETS = (
    Target("camera_wire", decode, (DeviceError,), says_the_same,
           words=(b"\x84\xa4type\xa4code", b"\xa5alive", b"\xa7payload", b"\xa8size_px2", b"\xc6", b"\xdf")),
    Target("framing", frames, (), are_frames, 512, (b"\r\n",)),
    Target("keypad", press, (), are_numbers, 512),
    Target("wire-event", wire.read_event, (MalformedError,), is_sealed_again, wire.EVENT_MAX_BYTES + 1),
    Target("wire-batch", wire.split_batch, (MalformedError,), is_joined_again, words=(b"[", b"]", b",", b"{}")),
    Target("wire-message", read_any, (MalformedError,), is_one),
    Target("wire-topic", topic, (), is_topic, 256, (b"gate/1/", b"/up/", b"/down/")),
    Target("acks", lambda payload: read_ack(payload, RECORDERS), (MalformedError, UnknownKeyError, ForgedError),
           nobody_acknowledged),
)
