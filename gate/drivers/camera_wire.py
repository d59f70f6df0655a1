"""What a camera process tells its daemon: one message a packet, on a Unix SOCK_SEQPACKET socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from gate.errors import DeviceError, UsageError
from gate.strict_json import NOT_IN_FORM

HEARTBEAT_S = 0.2
"""How often the process says that it runs, and how old its newest frame is."""
MESSAGE_MAX_BYTES = 65_536
"""The longest packet: the parts of one structured-append symbol together hold at most 47 kB."""
SOCKET_PATH_MAX_BYTES = 107
"""The longest path of a Unix socket (unix(7), sun_path)."""


class Alive(msgspec.Struct, frozen=True, tag="alive", forbid_unknown_fields=True):
    """The heartbeat: how many frames the source gave, and the age of the newest."""

    frames: Annotated[int, Meta(ge=0)]
    frame_age_s: Annotated[float, Meta(ge=0)]


class Code(msgspec.Struct, frozen=True, tag="code", forbid_unknown_fields=True):
    """A code came into view; of several that did so together, the largest is sent first."""

    payload: bytes
    size_px2: Annotated[int, Meta(ge=0)]


Message = Alive | Code

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """One packet."""
    return _ENCODER.encode(message)


def decode(packet: bytes) -> Message:
    """The message in one packet.

    Raises:
        DeviceError: not a message of a camera process.
    """
    if len(packet) > MESSAGE_MAX_BYTES:
        raise DeviceError(f"the camera process sent a packet above {MESSAGE_MAX_BYTES} bytes")
    try:
        return _DECODER.decode(packet)
    except NOT_IN_FORM as error:
        raise DeviceError(f"the camera process sent what is no message: {error}") from error


def check_socket_path(path: Path) -> None:
    """Refuse a path on which no Unix socket can be made.

    Raises:
        UsageError: it is too long.
    """
    if len(os.fsencode(path)) > SOCKET_PATH_MAX_BYTES:
        raise UsageError(f"the socket's path {path} is too long: at most {SOCKET_PATH_MAX_BYTES} bytes")
