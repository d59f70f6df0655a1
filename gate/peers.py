"""What gates of one site tell each other of who passed: pages of last moves, signed by the gate that saw them. Pure.

A gate's moves are spread over PAGES retained messages by the holder's id. Each passage makes one page new, a whole
small message; whoever connects receives all pages, and merging the same page twice or late changes nothing
(`gate.presence`). So nothing is asked for again, and a broker that lost everything is told again.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from datetime import datetime

import msgspec

from gate import wire
from gate.cose import PrivateKey, sign1
from gate.errors import MalformedError
from gate.model import Move, Stamp
from gate.strict_json import NOT_IN_FORM
from gate.trust import Keyring, Purpose, unseal

PURPOSE: Purpose = "gate"
"""The purpose of a key in the issuers document that signs passages; its issuer's id is the gate's."""
PAGES = 64


def page_of(holder: str) -> int:
    """On which page a holder's move stands."""
    return zlib.crc32(holder.encode()) % PAGES


def page_name(page: int) -> str:
    """The last level of its topic."""
    return f"{page:02}"


def page_of_moves(site: str, gate: str, moves: Iterable[Move], page: int) -> wire.Passages:
    """One page of a gate's own moves; the newest, where there are more than it holds."""
    mine = sorted((move for move in moves if page_of(move.holder) == page), key=lambda move: move.stamp)
    return wire.Passages(site, gate, [
        wire.Passed(move.holder, move.place, move.company, move.stamp.millis, move.stamp.tick)
        for move in mine[-wire.PASSAGES_MAX:]
    ])


def sign_page(page: wire.Passages, private_key: PrivateKey, kid: bytes, *, id: str, time: datetime) -> bytes:
    """The payload of `presence/{gate}/{page}`."""
    signed = sign1(msgspec.json.encode(page), private_key, kid)
    return wire.message("passages", wire.source(page.site, page.gate), id, time,
                        wire.SignedPassages(base64.b64encode(signed).decode()))


def read_page(payload: bytes, site: str, gate: str, keyring: Keyring) -> list[Move]:
    """Believe a page on the topic of `gate`: that gate's own key signed it, before anything in it is read.

    Raises:
        MalformedError: not in the form of a page, or of another gate.
        UnknownKeyError: it names no key of that gate.
        ForgedError: that key did not sign it.
    """
    envelope = wire.read_message(payload, "passages", wire.SignedPassages)
    return _moves(unseal(envelope.sign1, keyring, PURPOSE, issuer=gate), site, gate)


def _moves(signed: bytes, site: str, gate: str) -> list[Move]:
    try:
        page = msgspec.json.decode(signed, type=wire.Passages)
    except NOT_IN_FORM as error:
        raise MalformedError(f"not a page of passages: {error}") from error
    if (page.site, page.gate) != (site, gate):
        raise MalformedError(f"passages of {page.site}/{page.gate} where those of {site}/{gate} belong")
    return [Move(each.holder, each.place, each.company, Stamp(each.millis, each.tick, gate)) for each in page.moves]
