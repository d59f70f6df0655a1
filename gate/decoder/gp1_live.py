"""A pass as its phone shows it: `GL1:` and base45 of a COSE_Sign1 (ES256) around the issuer's own. Pure.

The payload is the pass (`gp1`) as issued, whose `cnf` names the phone's key (RFC 8747 3.2). The protected header
carries the moment at which the phone signed, as the claim iat of CWT Claims (RFC 9597). A picture of such a code is
worth nothing soon after; how soon, and that no moment opens twice, is `gate.policy.live_codes`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from base45 import b45encode
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from gate.cose import Algorithm, Claim, PublicKey, Sign1, header_claims, moment, parse_sign1, sign1, verify1
from gate.cose_key import p256_key
from gate.decoder import base45, gp1
from gate.errors import MalformedError
from gate.model import Claims, Token

NAME = "gp1-live"
LIVE_MAX_CHARS = 528
"""What a version 14-M QR holds of the alphanumeric set (ISO/IEC 18004, table 7)."""

_PREFIX = b"GL1:"


@dataclass(frozen=True, slots=True)
class Live:
    """A live code in its envelope, before anybody verified it: what the phone signed around what the issuer signed."""

    payload: bytes
    """The whole message, the phone's signature included."""
    outer: Sign1
    inner: Sign1

    @property
    def kid(self) -> bytes | None:
        """Which issuer's key to try."""
        return self.inner.kid


def claims(payload: bytes) -> bool:
    """Whether this payload says that it is a pass on a phone."""
    return payload.startswith(_PREFIX)


def parse(payload: bytes) -> Token:
    """Take the signed message out of its wrapping, without reading its claims.

    Raises:
        MalformedError: too long, not base45, or not an ES256 message around a pass.
    """
    if len(payload) > LIVE_MAX_CHARS:
        raise MalformedError(f"a live code of {len(payload)} characters; at most {LIVE_MAX_CHARS} are read")
    signed = base45.decode(payload.removeprefix(_PREFIX))
    parse_live(signed)
    return Token(NAME, signed=signed)


@lru_cache(maxsize=1)  # read to know it, to prove it, and for its claims
def parse_live(data: bytes) -> Live:
    """Open both envelopes without believing either.

    Raises:
        MalformedError: not an ES256 message around an EdDSA message.
    """
    outer = parse_sign1(data)
    if outer.algorithm is not Algorithm.ES256:
        raise MalformedError("a live code that is not signed with ES256")
    inner = parse_sign1(outer.payload)
    if inner.algorithm is not Algorithm.EDDSA:
        raise MalformedError("a live code around a pass that is not signed with EdDSA")
    return Live(data, outer, inner)


def verify_live(live: Live, issuer_key: PublicKey) -> bytes:
    """The whole message, once the issuer signed the pass in it and the pass's own phone signed the message.

    Raises:
        ForgedError: one of them did not.
        MalformedError: the issuer signed what is no pass for a phone.
    """
    point = gp1.read_phone_point(verify1(live.inner, issuer_key))
    verify1(live.outer, p256_key(point))
    return live.payload


def read_claims(payload: bytes, key_id: str) -> Claims:
    """Read what issuer and phone signed; `payload` comes from `verify_live`.

    Raises:
        MalformedError: a claim is missing or out of form.
    """
    live = parse_live(payload)
    signed_at = moment(header_claims(live.outer).get(Claim.IAT))
    return replace(gp1.read_claims(live.inner.payload, key_id), shown_at=signed_at)


def show_pass(text: str, phone_key: EllipticCurvePrivateKey, at: datetime) -> str:
    """The code that a phone shows at `at`: `text` is the pass that was issued for its key.

    The page that people use does the same in `gate/central/web/phone/pass.js`.
    """
    issued = base45.decode(text.removeprefix("GP1:").encode())
    signed = sign1(issued, phone_key, claims={int(Claim.IAT): int(at.timestamp())})
    shown: str = (_PREFIX + b45encode(signed)).decode()
    return shown
