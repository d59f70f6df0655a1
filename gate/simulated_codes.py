"""What the people of a scenario hold up: cards, numbers, passes, phones and certificates, of issuers of its own."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime, timedelta

import cbor2
from base45 import b45encode
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate.cose import sign1
from gate.cose_key import compressed
from gate.decoder import gp1, gp1_live
from gate.decoder.number_code import new_number
from gate.errors import UsageError
from gate.model import Claims
from gate.scenario import Code, Scenario
from gate.trust import Key, key_id

PHONE_CHANGES_EVERY_S = 5
"""How often the page of a phone signs anew."""

_PASS_KID, _HEALTH_KID = b"scenario", b"scenario-health"
_BORN = "1990-01-01"


class Wallets:
    """Everybody's codes; the keys that sign them are made of constants, so that a transcript can be repeated."""

    def __init__(self, scenario: Scenario, people: frozenset[str]) -> None:
        self.scenario, self.people = scenario, people
        self.issuer = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"simulation").digest())
        self.health_issuer = _p256_key("health issuer")
        self.keys = (
            Key(_PASS_KID, self.issuer.public_key(), "khu-a", "pass"),
            Key(_HEALTH_KID, self.health_issuer.public_key(), "bo-y-te", "health", "VN"),
        )

    def payload(self, shown: str, second: float) -> bytes:
        """The bytes of what is shown at a second of the timeline; `NAME@5` is a picture that was taken at second 5.

        A code by its name; a person's name alone is their citizen ID card.

        Raises:
            UsageError: nobody and no code is called so.
        """
        name, _, taken = shown.partition("@")
        code = self.scenario.codes.get(name) or (Code(card=name) if name in self.people else None)
        if code is None:
            raise UsageError(f"nobody and no code is called {name!r} in this scenario")
        if (paper := self.paper(code)) is not None:
            return paper
        text = self.gate_pass(name, code)
        if code.phone != "live":
            return text.encode()
        at_s = float(taken or second) // PHONE_CHANGES_EVERY_S * PHONE_CHANGES_EVERY_S
        return gp1_live.show_pass(text, _p256_key(name), self.scenario.start + timedelta(seconds=at_s)).encode()

    def paper(self, code: Code) -> bytes | None:
        """The bytes of a code that is no pass of ours."""
        if code.text is not None:
            return code.text.encode()
        if code.number is not None:
            digits = number(code.number)
            return (digits[:-1] + str((int(digits[-1]) + 1) % 10) if code.duress else digits).encode()
        if code.card is not None:
            return card(code.card)
        return None if code.certificate is None else self.certificate(code.certificate)

    def gate_pass(self, name: str, code: Code) -> str:
        """The text of a pass as it was issued."""
        point = compressed(_p256_key(name).public_key()) if code.phone else b""
        claims = Claims("khu-a", code.pass_ or "", key_id(_PASS_KID), pass_id(name), code.from_, code.until,
                        frozenset(code.areas), phone_point=point)
        return gp1.issue_pass(claims, Ed25519PrivateKey.generate() if code.forged else self.issuer)

    def certificate(self, name: str) -> bytes:
        """An EU certificate of one vaccination, in the name that is on the person's card."""
        first, last = self.scenario.start - timedelta(days=60), self.scenario.start + timedelta(days=300)
        vaccination = {
            "tg": "840539006", "vp": "1119349007", "mp": "EU/1/20/1528", "ma": "ORG-100030215", "dn": 2, "sd": 2,
            "dt": f"{first:%Y-%m-%d}", "co": "VN", "is": "Bo Y te", "ci": f"URN:UVCI:01:VN:{pass_id(name).upper()}",
        }
        body = {"ver": "1.3.0", "dob": _BORN, "nam": {"fnt": "NGUYEN", "gnt": f"VAN<{name.upper()}"},
                "v": [vaccination]}
        claims = {1: "VN", 4: _seconds(last), 6: _seconds(first), -260: {1: body}}
        signed = sign1(cbor2.dumps(claims), self.health_issuer, _HEALTH_KID)
        text: bytes = b"HC1:" + b45encode(zlib.compress(signed))
        return text


def card(name: str) -> bytes:
    """A citizen ID card."""
    return f"{citizen_number(name)}||NGUYEN VAN {name.upper()}|01011990|Nam|Ha Noi|15102021".encode()


def citizen_number(name: str) -> str:
    """The number on somebody's card."""
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 1_000_000
    return f"001090{digest:06d}"


def pass_id(name: str) -> str:
    """The id of the pass that a code is."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def number(name: str) -> str:
    """Somebody's number code."""
    return new_number(f"{int.from_bytes(hashlib.sha256(name.encode()).digest()[4:8], 'big') % 10**7:07d}")


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _p256_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(name.encode()).digest()), ec.SECP256R1())
