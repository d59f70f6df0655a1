"""What a code costs to read and prove, against the one signature check that no gate can do without, and its peers."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.certificates import Country
from bench.figure import Figure, Setup, alone, cost, interleaved, p50
from bench.people import AREA, Issuer, roster, token_key_file
from gate import decoder, trust
from gate.admission import admit
from gate.cose import parse_sign1, read_cwt
from gate.decoder.text import TEXT_MAX_BYTES
from gate.documents.roster_file import RosterFile
from gate.model import PAYLOAD_MAX_BYTES, Direction, Now, Scan
from gate.token_key import read_token_key
from gate.trust import Keyring
from gate.view import DocumentSet, View

CODES = 64
"""Different codes of a kind, one after the other: nobody shows the same one all day."""
CROSSCHECK = Path(__file__).resolve().parents[1] / ".venv-crosscheck/bin/python"
PEERS = Path(__file__).with_name("cose_peers.py")
PACKAGES = ("cwt", "pycose")
NO_PEERS = "no environment with the packages cwt and pycose: make crosscheck"
VERIFY_LIMIT, PARSE_BUDGET_US = 1.5, 50.0


class Kind:
    """A signed kind of code: texts of it, our way to prove them, and the bare check of one signature."""

    def __init__(self, algorithm: str, texts: list[bytes], key: trust.Key) -> None:
        self.algorithm, self.texts, self.key = algorithm, texts, key
        self._keyring, self._turn = Keyring([key]), count()

    def prove(self) -> object:
        """From the next text to proved claims."""
        return trust.verify(decoder.read(self.texts[next(self._turn) % len(self.texts)]), self._keyring)

    def for_peers(self) -> dict[str, object]:
        """What a peer has to know of it."""
        pem = self.key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {"algorithm": self.algorithm, "kid": self.key.kid.hex(), "pem": pem,
                "texts": [text.decode() for text in self.texts]}


def run(setup: Setup) -> Iterator[Figure]:
    """Signed codes to proved claims, printed codes to fields, and how both grow with their length."""
    rounds = setup.runs(5_000, 20)
    kinds, checks = _kinds()
    tasks = {name: kind.prove for name, kind in kinds.items()} | {f"bare {name}": checks[name] for name in kinds}
    taken = interleaved(tasks, rounds)
    for name in kinds:
        yield cost(f"{name} verified, against its bare signature check", 1e6 * p50(taken[name]),
                   1e6 * p50(taken[f"bare {name}"]), unit="us", runs=rounds, limit=VERIFY_LIMIT)
    yield from _against_peers(setup, kinds)
    yield from _printed(setup, rounds)
    yield from _growth(setup)


def _kinds() -> tuple[dict[str, Kind], dict[str, Callable[[], object]]]:
    """The signed kinds, and for each the check of one signature over a message of the same length."""
    issuer = Issuer()
    es256, ps256 = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    kinds = {
        "GP1 pass": Kind("EdDSA", [issuer.issue(number) for number in range(CODES)], issuer.keyring.keys[0]),
        "HC1 ES256": _certificates("ES256", Country(es256)),
        "HC1 PS256": _certificates("PS256", Country(ps256)),
    }
    message, pss = bytes(400), padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)
    hashed, ecdsa = SHA256(), ec.ECDSA(SHA256())
    return kinds, {
        "GP1 pass": partial(issuer.private_key.public_key().verify, issuer.private_key.sign(message), message),
        "HC1 ES256": partial(es256.public_key().verify, es256.sign(message, ecdsa), message, ecdsa),
        "HC1 PS256": partial(ps256.public_key().verify, ps256.sign(message, pss, hashed), message, pss, hashed),
    }


def _certificates(algorithm: str, country: Country) -> Kind:
    return Kind(algorithm, [country.certificate(number) for number in range(CODES)], country.key)


def _against_peers(setup: Setup, kinds: Mapping[str, Kind]) -> Iterator[Figure]:
    """Our time against theirs, in turns of ten codes each; theirs ends before anybody reads the record."""
    rounds, turns = setup.runs(30, 1), 10
    if not CROSSCHECK.exists():
        for name, kind in kinds.items():
            taken = interleaved({name: kind.prove}, rounds * turns)[name]
            for package in PACKAGES:
                yield alone(f"{name} verified, against {package}", 1e6 * p50(taken), NO_PEERS, unit="us",
                            runs=rounds * turns)
        return
    with subprocess.Popen([CROSSCHECK, PEERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peers:
        assert peers.stdin is not None and peers.stdout is not None
        ask, answers = partial(print, file=peers.stdin, flush=True), peers.stdout
        ask(json.dumps({name: kind.for_peers() for name, kind in kinds.items()}))
        for name, kind in kinds.items():
            ours: list[float] = []
            theirs: dict[str, list[float]] = {package: [] for package in PACKAGES}
            for first in range(0, rounds * turns, turns):
                ours += interleaved({name: kind.prove}, turns)[name]
                for package in PACKAGES:
                    ask(json.dumps({"package": package, "kind": name, "runs": turns, "first": first}))
                    theirs[package] += json.loads(answers.readline())
            for package in PACKAGES:
                yield cost(f"{name} verified, against {package}", 1e6 * p50(ours), 1e6 * p50(theirs[package]),
                           unit="us", runs=rounds * turns, limit=1.0)
        peers.stdin.close()


def _printed(setup: Setup, rounds: int) -> Iterator[Figure]:
    """What reading the two printed codes costs, of its budget and of the decision that it is a part of."""
    people = RosterFile(roster(setup, setup.runs(10_000, 100)), read_token_key(token_key_file(setup)))
    view, now = View(AREA, ZoneInfo("Asia/Ho_Chi_Minh"), DocumentSet(roster=people)), Now(datetime.now(UTC), 0.0)
    texts = {
        "personal QR": b"001093029317|NGUYEN VAN A|1987-01-18|0|000000000000000007|<1<00<0123232422",
        "ID card": "000000000007||Trần Văn Bình|01011990|Nam|Quận 7, TP. Hồ Chí Minh|15102021".encode(),
    }
    for name, text in texts.items():
        scan = Scan("in", Direction.ENTRY, text, 0.0)
        assert admit(scan, view, now).granted
        taken = interleaved({"read": partial(decoder.read, text), "decide": partial(admit, scan, view, now)}, rounds)
        read_us, decide_us = 1e6 * p50(taken["read"]), 1e6 * p50(taken["decide"])
        yield cost(f"{name} read, of 50 us", read_us, PARSE_BUDGET_US, unit="us", runs=rounds, limit=1.0)
        yield cost(f"{name} read, of its decision", read_us, decide_us, unit="us", runs=rounds)
    people.close()


def _growth(setup: Setup) -> Iterator[Figure]:
    """Time for a byte of the longest text that is read, against a tenth of it; no signature, which would hide it."""
    rounds, country = setup.runs(2_000, 20), Country(ec.generate_private_key(ec.SECP256R1()))
    for name, limit, text_of, read in (
        ("HC1", PAYLOAD_MAX_BYTES, partial(_certificate_of, country), _read_unproved),
        ("ID card", TEXT_MAX_BYTES, _card_of, decoder.read),
    ):
        long, short = text_of(limit), text_of(limit // 10)
        taken = interleaved({"long": partial(read, long), "short": partial(read, short)}, rounds)
        yield cost(f"{name} of {len(long)} bytes against {len(short)}, a byte", 1e9 * p50(taken["long"]) / len(long),
                   1e9 * p50(taken["short"]) / len(short), unit="ns", runs=rounds, limit=1.0)


def _read_unproved(text: bytes) -> object:
    parse_sign1.cache_clear()
    return read_cwt(parse_sign1(decoder.read(text).signed or b"").payload)


def _certificate_of(country: Country, length: int) -> bytes:
    """A certificate of nearly this length, of data that cannot be deflated."""
    noise = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(length // 32))
    texts = (country.text({1: "VN", -260: {1: noise[:size]}}) for size in range(length, 0, -1))
    return next(text for text in texts if len(text) <= length)


def _card_of(length: int) -> bytes:
    """An ID card of this length; what follows its seven fields is padding."""
    fields = "000000000007||Trần Văn Bình|01011990|Nam|Quận 7|15102021|".encode()
    return fields + b"|".join([b"x" * 49] * (length // 50))[:length - len(fields)]
