"""Makes the inputs that fuzzing starts from: `python -m tests.fuzz.seeds`. All keys in them were thrown away."""

from __future__ import annotations

import base64
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import cbor2
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate import wire
from gate.acks import sign_ack
from gate.central.document_root import init_repository
from gate.cose import sign1
from gate.cose_key import compressed
from gate.decoder import base45, gp1, gp1_live, number_code
from gate.documents.roster_builder import build_roster
from gate.documents.roster_file import RosterRow
from gate.drivers.camera_wire import Alive, Code, encode
from gate.jwk import public_key_to_jwk
from gate.ledger.file import Batch, Entry, LedgerFile
from gate.model import Claims, EventKind, Now, Record
from gate.policy.health.pack import packs_to_json
from tests import support_health as health

from .files import TOKEN_KEY
from .target import CORPUS

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
CCCD = "001090123456|123456789|NGUYỄN VĂN A|01011990|Nam|Phường Bến Nghé, TP. Hồ Chí Minh|15102021"
PERSONAL = "001093029317|NGUYEN VAN A|1987-01-18|0|162979388586171100|<1<00<0123232422"
MASKED = "******029317|NGUYEN VAN A|1987-**-**|1|162979388586171100|"
INSURANCE = "|".join((
    "GD4797931602201", "Nguyễn Văn Ánh".encode().hex(), "18/01/1987", "1", "Tổ 5, Quận 1".encode().hex(), "79 - 034",
    "01/01/2021", "-", "15/12/2020", "79-01", "-", "4", "01/01/2025", "15e1a2b3c4d5-7102", "$",
))
PASS = Claims("kcn-tan-thuan", "h1", "AQIDBAUGBwg=", "00" * 8, NOON, NOON.replace(year=2027), frozenset({"site"}),
              frozenset({"worker"}))
WRONG = ("https://tokhaiyte.vn/x", "vneid:1", "mdoc:owBj", "WIFI:S:a;;", "BEGIN:VCARD", "https://example.org",
         "00020101021138530010A00000072701230006970436011012345678900208QRIBFTTA53037045802VN6304A1B2")


def codes() -> Iterator[tuple[str, bytes]]:
    """What people show, whole and by its layers."""
    key = Ed25519PrivateKey.generate()
    cwt = gp1.write_cwt(gp1._to_cwt(PASS))
    signed, by_rsa = sign1(cwt, key, health.KID), rsa.generate_private_key(65_537, 2048)
    card = json.dumps(health.card(health.immunization("2021-09-18"), health.observation("2021-09-19"))).encode()
    message = health.jws(health.deflate(card))
    sealed = health.seal(health.certificate())
    nz = health.nzcp()
    nz_signed = base64.b32decode(nz[8:] + b"=" * (-len(nz[8:]) % 8))
    certificates = [health.cwt(health.BODY | {"v": None, kind: [entry]}) for kind, entry in (
        ("v", health.VACCINATION), ("t", health.TEST), ("r", health.RECOVERY))]
    phone = replace(PASS, phone_point=compressed(health.ISSUER.public_key()))
    live = gp1_live.show_pass(gp1.issue_pass(phone, key), health.ISSUER, NOON).encode()
    texts = {"gp1": [gp1.issue_pass(PASS, key).encode()], "gp1-live": [live],
             "hc1": [health.hc1(), health.hc1(key=by_rsa)],
             "shc": [health.wrap_shc(message)], "nzcp": [nz], "vds-nc": [sealed],
             "personal-qr": [PERSONAL.encode(), MASKED.encode()], "cccd": [CCCD.encode()],
             "bhyt": [INSURANCE.encode(), INSURANCE[5:].encode()],
             "number": [number_code.new_number("1234567890").encode()]}
    for name, payloads in texts.items():
        for payload in payloads:
            yield name, payload
            yield "payload", payload
    for text in WRONG:
        yield "wrong", text.encode()
        yield "payload", text.encode()
    for name, inside in (("gp1", signed), ("hc1", sign1(certificates[0], health.ISSUER, health.KID)),
                         ("nzcp", nz_signed), ("gp1-live", base45.decode(live[4:]))):
        yield f"{name}-wrapped", inside
        yield "cose", inside
    yield "gp1-claims", cwt
    yield "gp1-claims", gp1.write_cwt(gp1._to_cwt(phone))
    yield "gp1-live-claims", base45.decode(live[4:])
    yield "phone_point", gp1.write_cwt(gp1._to_cwt(phone))
    for certificate in certificates:
        yield "hc1-claims", certificate
        yield "cbor", certificate
    yield "shc-claims", health.deflate(card)
    yield "nzcp-claims", cbor2.loads(nz_signed[1:])[2]
    yield "vds-nc-claims", json.dumps(health.SEALED).encode()
    yield "strict_json", json.dumps(health.SEALED).encode()
    yield "base45", gp1.issue_pass(PASS, key).encode()[4:]
    yield "inflate", b"R" + health.deflate(card)
    yield "inflate", b"Z" + b"\x78\x9c" + health.deflate(b"\0" * 100_000)
    yield "jws", message
    yield "names", "NGUYỄN VĂN ÁNH\nNGUYEN<<VAN<ANH".encode()


def messages() -> Iterator[tuple[str, bytes]]:
    """What parts and brokers say."""
    yield "camera_wire", encode(Alive(frames=1, frame_age_s=0.1))
    yield "camera_wire", encode(Code(b"GP1:X", 9))
    yield "framing", b"one\r\ntwo\n\n" + b"x" * 70 + b"\r"
    yield "keypad", b"123456#12*9876543210123#"
    body, _ = wire.seal(source="/gate/1/s/g", epoch="e1", seq=1, prev=wire.GENESIS, kind=EventKind.ACCESS_GRANTED,
                        time=NOON, synced=True, data={"reader": "r", "holder": "h1"})
    yield "wire-event", body
    yield "wire-batch", wire.join_batch([body, body])
    for name, data in (("status", wire.Status("online")), ("live", wire.Live(kind="x", event={"a": 1})),
                       ("info", wire.Info()), ("alert", wire.AlertState("forced-open", "x"))):
        yield "wire-message", wire.message(name, "/gate/1/s/g", "1", NOON, data)
    yield "wire-topic", b"gate/1/site/gate/up/event"
    ack = wire.Ack("s", "g", "e1", 1, 2, "00" * 32)
    yield "acks", sign_ack(ack, Ed25519PrivateKey.generate(), health.KID, id="1", time=NOON)


def files() -> Iterator[tuple[str, bytes]]:
    """What is brought to a gate."""
    for example in ("gate.example.yaml", "simulation.yaml"):
        lines = (ROOT / "config" / example).read_text().splitlines()
        yield "config", "\n".join(line for line in lines if not line.lstrip().startswith("#")).encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_roster(folder / "roster", [
            RosterRow("h1", ("number:1",), ("site",), ("worker",), "day", NOON, NOON, "company", {"v": []}),
            RosterRow("h2", ("cccd:2",), ("site",)),
        ], TOKEN_KEY)
        yield "roster", (folder / "roster").read_bytes()
        yield "ledger", ledger(folder / "ledger")
        init_repository(folder / "repo", folder / "keys", NOON)
        for path in sorted((folder / "repo" / "metadata").glob("*.json")):
            yield "tuf", path.read_bytes()
    keys = [Ed25519PrivateKey.generate().public_key(), health.ISSUER.public_key(),
            rsa.generate_private_key(65_537, 2048).public_key()]
    for key in keys:
        yield "jwk", json.dumps(public_key_to_jwk(key)).encode()
    der = health.certificate(authority=True, usages=("2.23.136.1.1.14.2", "1.3.6.1.4.1.1847.2021.1.2"))
    yield "certificates", der
    listed = [{"kid": "AQIDBAUGBwg=", "jwk": public_key_to_jwk(keys[0]), "country": "VN"},
              {"kid": "AQIDBAUGBwg=", "certificate": base64.b64encode(der).decode()}]
    yield "trust_list", json.dumps(listed).encode()
    yield "issuers", json.dumps({"schema": "gate.issuers/1", "issuers": [{"id": "site", "name": "S", "keys": [
        listed[0] | {"purpose": "pass", "valid_from": "2026-01-01T00:00:00Z"},
        listed[1] | {"purpose": "health", "kinds": ["v"], "authority": True},
    ]}]}).encode()
    yield "revocations", json.dumps({"schema": "gate.revocations/1", "passes": ["00ff"], "holders": ["h1"],
                                     "keys": ["AQIDBAUGBwg="]}).encode()
    yield "packs", packs_to_json([(ROOT / "gate/policy/health/packs/declared-today.json").read_bytes()])
    yield "schedules", json.dumps({"schema": "gate.schedules/1", "holidays": ["2026-09-02"], "schedules": {
        "day": {"mon": [["06:00", "18:30"]], "holiday": []}}}).encode()


def ledger(path: Path) -> bytes:
    """A ledger of three events, as a copy of it is handed on."""
    file = LedgerFile(path, source="/gate/1/s/g", zone=ZoneInfo("UTC"), ring_events=1000)
    file.write(Batch([Entry(Record(EventKind.ACCESS_GRANTED, {"reader": "r"}), Now(NOON, 0.0))] * 3))
    file.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    return path.read_bytes()


def main() -> None:
    """Write every seed that is not there; seeds of one target are numbered."""
    counts: dict[str, int] = {}
    for name, data in (*codes(), *messages(), *files()):
        counts[name] = counts.get(name, 0) + 1
        folder = CORPUS / name
        folder.mkdir(exist_ok=True)
        (folder / f"seed-{counts[name]}").write_bytes(data)

if __name__ == "__main__":
    main()
