"""What a payload is: the table of code formats, and `read`, which asks each of them in order. Pure.

A format is one file here with a `NAME`, a cheap `claims(payload)` that says whether the payload is of its form, and
`parse(payload)` that reads it strictly into a `Token`. Nothing is stripped or mended: line ends belong to the
reader's framing. Adding one: one file and one line in FORMATS; `docs/writing-a-format.md` walks through it.
"""

from __future__ import annotations

from typing import Protocol

from gate.decoder import citizen_id, gp1, gp1_live, hc1, health_card, number_code, nzcp, personal_qr, shc, vds_nc, wrong
from gate.errors import MalformedError, UnknownFormatError, WrongCodeError
from gate.model import PAYLOAD_MAX_BYTES, Token


class Format(Protocol):
    """What a format's file offers."""

    NAME: str

    def claims(self, payload: bytes, /) -> bool: ...

    def parse(self, payload: bytes, /) -> Token: ...


FORMATS: tuple[Format, ...] = (
    gp1,
    gp1_live,
    hc1,
    shc,
    nzcp,
    vds_nc,
    personal_qr,  # before the ID card: both may begin with twelve digits, and only this one counts six fields
    citizen_id,
    health_card,
    number_code,
)
"""Order is precedence: the first format that claims a payload reads it, or refuses it for good."""


def claimant(payload: bytes) -> Format | None:
    """The format that a payload is of by its look, or None."""
    for known in FORMATS:
        if known.claims(payload):
            return known
    return None


def read(payload: bytes) -> Token:
    """Read a payload by the first format that claims it.

    Raises:
        MalformedError: the format that claims it cannot read it, or it is empty or over PAYLOAD_MAX_BYTES.
        WrongCodeError: a known kind that never opens a gate.
        UnknownFormatError: nobody knows it.
    """
    if not 0 < len(payload) <= PAYLOAD_MAX_BYTES:
        raise MalformedError(f"a payload of {len(payload)} bytes; 1 to {PAYLOAD_MAX_BYTES} are read")
    if known := claimant(payload):
        return known.parse(payload)
    if hint := wrong.recognise(payload):
        raise WrongCodeError(hint)
    raise UnknownFormatError("no format knows this code")
