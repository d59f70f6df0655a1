"""What a crafted code costs before it is refused, and how long one that kills the camera blinds the lane."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import cbor2
import segno
from base45 import b45encode
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from bench.figure import Figure, Setup, cost, interleaved, p50, p99
from gate.cose import PrivateKey, sign1
from gate.decoder.inflate import INFLATED_MAX_BYTES
from gate.drivers.camera_link import CameraLink, CameraStarter
from gate.drivers.camera_wire import Alive, decode
from gate.errors import DeviceError
from gate.inspection import Finding, inspect
from gate.jwk import thumbprint
from gate.model import PAYLOAD_MAX_BYTES
from gate.trust import Key, Keyring
from gate.view import DocumentSet

TIME_MAX_MS, MEMORY_MAX_MIB, READS_AGAIN_MAX_MS = 50.0, 8.0, 500.0
SUCCESSOR_READY_S = 1.5
"""How long a camera's process lives before it is killed, so that the next one has loaded everything."""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KID = bytes(range(1, 9))
ED25519, P256 = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
DOCUMENTS = DocumentSet(keyring=Keyring(
    Key(KID, key.public_key(), None, None, "VN", authority=True) for key in (ED25519, P256)))


def gp1(payload: bytes, key: PrivateKey = ED25519) -> bytes:
    """A pass whose claims are these bytes, under a key that the gate believes."""
    return b"GP1:" + b45encode(sign1(payload, key, KID))


def hc1(payload: bytes, key: PrivateKey = P256) -> bytes:
    """An EU certificate whose claims are these bytes, under a key that the gate believes."""
    return wrap(sign1(payload, key, KID))


def wrap(signed: bytes) -> bytes:
    """As the text of an EU certificate's QR."""
    return b"HC1:" + b45encode(zlib.compress(signed, 9))


def base64url(data: bytes) -> bytes:
    """Without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def shc(deflated: bytes, header: bytes | None = None) -> bytes:
    """A health card with this payload, under a key that the gate believes."""
    kid = base64url(thumbprint(P256.public_key())).decode()
    usual = json.dumps({"alg": "ES256", "zip": "DEF", "kid": kid}).encode()
    signed = base64url(header or usual) + b"." + base64url(deflated)
    r, s = decode_dss_signature(P256.sign(signed, ec.ECDSA(SHA256())))
    message = signed + b"." + base64url(r.to_bytes(32) + s.to_bytes(32))
    return b"shc:/" + b"".join(b"%02d" % (letter - 45) for letter in message)


def head(major: int, length: bytes) -> bytes:
    """The head of a CBOR item whose length takes eight bytes (RFC 8949 3)."""
    return bytes([major << 5 | 27]) + length


MANY = b"\xff" * 8
RAW = partial(zlib.compress, level=9, wbits=-15)
PAYLOADS: dict[str, bytes] = {
    # inflating
    "a bomb of zeros": wrap(bytes(2_500_000)),
    "a bomb of one long match after another": wrap(b"ab" * 1_000_000),
    "a bomb as long as may be inflated": wrap(bytes(INFLATED_MAX_BYTES)),
    "a bomb inside a bomb": wrap(zlib.compress(bytes(20_000_000), 9)),
    "a stream cut short": wrap(b"x" * 100)[:-8],
    "more after the stream": b"HC1:" + b45encode(zlib.compress(b"x") + b"y"),
    "a stream that needs a dictionary": b"HC1:" + b45encode(b"\x78\xbb\x00\x00\x00\x01" + bytes(9)),
    "a signed card's bomb": shc(RAW(bytes(1_000_000))),
    # CBOR
    "arrays within arrays": wrap(b"\x81" * 60_000),
    "maps within maps": wrap(b"\xa1\x01" * 30_000),
    "tags on tags": wrap(b"\xc1" * 60_000 + b"\x00"),
    "an endless array": wrap(b"\x9f" + b"\x00" * 60_000),
    "an endless text": wrap(b"\x7f" + b"\x61x" * 30_000),
    "a byte string of 2**64 bytes": wrap(head(2, MANY)),
    "an array of 2**64 items": wrap(head(4, MANY)),
    "a map of 2**64 pairs": wrap(head(5, MANY)),
    "a map of one key ever again": wrap(b"\xd2\x84\x43\xa1\x01\x26" + b"\xb9\x40\x00" + b"\x01\x00" * 0x4000),
    "a signed 10 to the power of 2**63": hc1(b"\xa2\x01\x62VN\x04\xc4\x82" + head(0, b"\x7f" + MANY[:7]) + b"\x01"),
    "a bignum of 60,000 bytes": wrap(b"\xc2\x59\xea\x60" + b"\xff" * 60_000),
    "a regular expression": wrap(b"\xd8\x23\x78\x20" + b"(a+)+" * 6 + b"!!"),
    "a shared value that holds itself": wrap(b"\xd8\x1c\x81\xd8\x1d\x00"),
    "text that is not UTF-8": wrap(b"\x84\x62\xc0\x80\xa0\x40\x40"),
    "half a surrogate pair": wrap(b"\x84\x63\xed\xa0\x80\xa0\x40\x40"),
    # JSON
    "a key twice": b'{"data":{"hdr":1},"data":{"hdr":2},"x":"icao."}',
    "not a number": b'{"hdr":NaN,"icao.":0}',
    "an endless number": b'{"hdr":1e999,"icao.":0}',
    "a number of 4,000 digits": b'{"hdr":' + b"9" * 4_000 + b',"icao.":0}',
    "an exponent of 4,000 digits": b'{"hdr":1e' + b"9" * 3_900 + b',"icao.":0}',
    "objects within objects": b'{"hdr"' + b':{"icao."' * 450,
    "lists within lists": b'{"hdr":"icao.","x":' + b"[" * 4_000,
    "text of half a pair": b'{"hdr":"\\ud800","icao.":0}',
    "an overlong slash": b'{"hdr":"\xc0\xaf","icao.":0}',
    "more after the object": b'{"hdr":"icao."}{}',
    "a card's header within headers": shc(b"", b'{"a":' * 280),
    # text
    "bars as many as may be read": b"001090123456|" + b"|" * (PAYLOAD_MAX_BYTES - 13),
    "a name of control characters": b"001090123456|123456789|A\0\x1b[2J|01011990|Nam|x|15102021",
    "a name that reads backwards": "001090123456|123456789|A\u202eB|01011990|Nam|x|15102021".encode(),
    "a name in overlong UTF-8": b"001090123456|123456789|A\xc1\x81|01011990|Nam|x|15102021",
    "a name of half a surrogate pair": b"001090123456|123456789|A\xed\xa0\x80|01011990|Nam|x|15102021",
    "a name under 400 accents": f"001090123456|123456789|A{400 * chr(0x301)}|01011990|Nam|x|15102021".encode(),
    "ligatures that compose for ever": ("001090123456|123456789|" + "\ufdfa" * 300 + "|0|Nam|x|0").encode(),
    # base45, base32, digit pairs
    "base45 above its range": b"GP1:" + b":" * 300,
    "base45 as long as may be read": b"HC1:" + b"%" * (PAYLOAD_MAX_BYTES - 4),
    "base32 as long as may be read": b"NZCP:/1/" + b"7" * (PAYLOAD_MAX_BYTES - 8),
    "digits as many as may be read": b"shc:/" + b"9" * (PAYLOAD_MAX_BYTES - 5),
    # signed by an issuer whom the gate believes, and still out of form
    "a signed pass that is no map": gp1(b"\x80"),
    "a signed time that is not a number": gp1(cbor2.dumps({1: "a", 2: "b", 4: float("nan"), 7: bytes(8)})),
    "a signed time without end": hc1(cbor2.dumps({1: "VN", 4: float("inf"), 6: 0, -260: {1: {}}})),
    "a signed time beyond every calendar": hc1(cbor2.dumps({1: "VN", 4: 2**63, 6: 0, -260: {1: {}}})),
    "a signed claim twice": gp1(b"\xa2\x01\x61a\x01\x61b"),
    "more after signed claims": gp1(cbor2.dumps({1: "a"}) + b"\0"),
}
"""Codes that a gate has to refuse as malformed, by what is wrong with them."""


def judge(payload: bytes) -> Finding:
    """What the gate finds."""
    return inspect(payload, NOON, DOCUMENTS)


def peak_bytes(payload: bytes) -> int:
    """The most memory that judging it takes, as Python and zlib ask for it."""
    tracemalloc.start()
    try:
        judge(payload)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def camera_deaths(setup: Setup, deaths: int) -> list[float]:
    """Seconds from each death of a camera's process to the first code that the one after it read."""
    lens = setup.folder / "lens"
    lens.mkdir()
    segno.make_qr(b"GP1:CODE", error="m").save(str(lens / "code.png"), scale=6, border=4)
    starter = CameraStarter(["--source", f"folder:{lens}", "--hold-s", "60"])
    taken = []
    link = _first_code(starter)
    for _ in range(deaths):
        time.sleep(SUCCESSOR_READY_S)
        assert link.pid is not None
        began = time.monotonic()
        os.kill(link.pid, signal.SIGKILL)
        with suppress(DeviceError):
            while True:
                link.read()
        link.close()
        link = _first_code(starter)
        taken.append(time.monotonic() - began)
    link.close()
    starter.close()
    return taken


def _first_code(starter: CameraStarter) -> CameraLink:
    link = starter.start(lambda wait_s: bool(time.sleep(wait_s)))
    while isinstance(decode(link.read()), Alive):
        pass
    return link


def run(setup: Setup) -> Iterator[Figure]:
    """The worst of them all, by the median of each, so that a busy machine is nobody's fault."""
    rounds = setup.runs(200, 5)
    taken = interleaved({name: partial(judge, payload) for name, payload in PAYLOADS.items()}, rounds)
    slowest = max(taken, key=lambda name: p50(taken[name]))
    hungriest = max(PAYLOADS, key=lambda name: peak_bytes(PAYLOADS[name]))
    yield cost(f"slowest of {len(PAYLOADS)} crafted codes ({slowest}), of 50 ms", 1e3 * p50(taken[slowest]),
               TIME_MAX_MS, runs=rounds * len(PAYLOADS), limit=1.0)
    yield cost(f"most memory of them ({hungriest}), of 8 MiB", peak_bytes(PAYLOADS[hungriest]) / 2**20, MEMORY_MAX_MIB,
               unit="MiB", runs=len(PAYLOADS), limit=1.0)
    deaths = setup.runs(50, 1)
    yield cost("camera killed, until its successor has read, 99 %, of 500 ms", 1e3 * p99(camera_deaths(setup, deaths)),
               READS_AGAIN_MAX_MS, runs=deaths, limit=1.0)
