"""A country that signs EU certificates of an ordinary length, with a key of this run."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
from base45 import b45encode

from gate.cose import PrivateKey, sign1
from gate.trust import Key, kid_of

_VACCINATION = {
    "tg": "840539006", "vp": "1119349007", "mp": "EU/1/20/1528", "ma": "ORG-100030215", "dn": 2, "sd": 2,
    "dt": "2021-09-18", "co": "VN", "is": "Bộ Y tế",
}
_NAME = {"fn": "NGUYỄN", "gn": "BẢO DUY", "fnt": "NGUYEN", "gnt": "BAO<DUY"}
_TAG_18 = b"\xd2"  # as most countries print it, and as the cwt package asks for


@dataclass(frozen=True, slots=True)
class Country:
    """Signs certificates; a P-256 key signs ES256, an RSA key PS256."""

    private_key: PrivateKey

    @property
    def key(self) -> Key:
        """What a trust list says of it: any kind of certificate until the end of time."""
        public_key = self.private_key.public_key()
        return Key(kid_of(public_key), public_key, None, None, "VN")

    def text(self, claims: dict[int, Any]) -> bytes:
        """Claims, signed and wrapped as a scanner reads them."""
        signed = _TAG_18 + sign1(cbor2.dumps(claims), self.private_key, self.key.kid)
        encoded: bytes = b45encode(zlib.compress(signed))
        return b"HC1:" + encoded

    def certificate(self, number: int) -> bytes:
        """The vaccination of person `number`."""
        now = datetime.now(UTC)
        issued_at, expires_at = (int((now + timedelta(days=days)).timestamp()) for days in (-30, 300))
        dose = _VACCINATION | {"ci": f"URN:UVCI:01:VN:{number:032X}#6"}
        body = {"ver": "1.3.0", "dob": "1983-10-10", "nam": _NAME, "v": [dose]}
        return self.text({1: "VN", 4: expires_at, 6: issued_at, -260: {1: body}})
