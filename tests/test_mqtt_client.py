"""The connection itself: TLS both ways, the documented ACL, who gets in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from support_mosquitto import TIMEOUT_S, Mosquitto, free_port, needs_mosquitto

from gate import wire
from gate.config import Mqtt, Tls
from gate.mqtt_client import Answered, Arrived, Down, Happening, Link, Up

pytestmark = needs_mosquitto
DOCS = Path(__file__).resolve().parents[1] / "docs"


def link(settings: Mqtt, name: str = "gate-a") -> Link:
    return Link(settings, name, mono=time.monotonic, rng=Random(7))


def turn_until(link: Link, so: Callable[[Happening], bool]) -> Happening:
    deadline_mono = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_mono:
        for happening in link.turn(1.0):
            if so(happening):
                return happening
    raise AssertionError("waited in vain")


class Authority:
    """A certificate authority that lives as long as one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = generate_private_key(SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(self._certificate(self.name, self.key, ca=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        key = generate_private_key(SECP256R1())
        certificate, file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(self._certificate(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, ca=False))
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, file

    def _certificate(self, name: x509.Name, key: EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            self.name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1),
            now + timedelta(days=1)).add_extension(x509.BasicConstraints(ca, None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        if not ca:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM)


def tls_broker(folder: Path, authority: Authority) -> Mosquitto:
    certificate, key = authority.issue("broker")
    return Mosquitto(folder, lines=f"cafile {authority.ca}\ncertfile {certificate}\nkeyfile {key}\n"
                                   "require_certificate true\nuse_identity_as_username true").start()


def test_both_ends_show_certificates_and_messages_pass(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    broker = tls_broker(tmp_path / "broker", authority)
    certificate, key = authority.issue("cong-a")
    ours = link(broker.settings(tls=Tls(ca=authority.ca, certificate=certificate, key=key)))
    turn_until(ours, lambda happening: isinstance(happening, Up))
    ours.subscribe("a/b")
    payload = bytes(200_000)  # many TLS records
    ours.publish("a/b", payload, qos=1)
    arrived = turn_until(ours, lambda happening: isinstance(happening, Arrived))
    assert isinstance(arrived, Arrived)
    assert arrived.payload == payload
    ours.close()
    broker.stop()


@pytest.mark.parametrize("stranger", ["broker", "gate"])
def test_certificate_of_another_authority_keeps_them_apart(tmp_path: Path, stranger: str) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    broker = tls_broker(tmp_path / "broker", authority)
    certificate, key = (other if stranger == "gate" else authority).issue("cong-a")
    ca = other.ca if stranger == "broker" else authority.ca
    ours = link(broker.settings(tls=Tls(ca=ca, certificate=certificate, key=key)))
    turn_until(ours, lambda happening: isinstance(happening, Down))
    assert not ours.up
    ours.close()
    broker.stop()


def test_nobody_there_is_said_and_tried_again_with_growing_pauses() -> None:
    mono = [0.0]
    ours = Link(Mqtt(host="127.0.0.1", port=free_port(), backoff_max_s=8.0), "x", mono=lambda: mono[0], rng=Random(7))
    pauses, last = [], 0.0
    while len(pauses) < 8:
        mono[0] += 0.01
        if any(isinstance(happening, Down) for happening in ours.turn(0.0)):
            pauses.append(mono[0] - last)
            last = mono[0]
    ceilings = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert all(ceiling / 2 <= pause <= ceiling + 0.03 for pause, ceiling in zip(pauses[1:], ceilings, strict=True))
    assert len(set(pauses[5:])) > 1, "with jitter: a fleet does not come back in step"
    ours.close()


def test_missing_password_file_is_a_reason_not_a_crash(mosquitto: Mosquitto, tmp_path: Path) -> None:
    ours = link(mosquitto.settings(username="x", password_file=tmp_path / "nowhere"))
    down = turn_until(ours, lambda happening: isinstance(happening, Down))
    assert isinstance(down, Down)
    assert "nowhere" in down.detail
    ours.close()


def test_broker_s_own_limit_of_messages_under_way_is_kept(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker", lines="max_inflight_messages 3").start()
    ours = link(broker.settings(in_flight=20))
    turn_until(ours, lambda happening: isinstance(happening, Up))
    sent = 0
    while ours.room:
        ours.publish("a", b"x", qos=1)
        sent += 1
    assert sent == 3
    broker.stop()
    ours.close()


def test_documented_acl_lets_each_do_its_part_and_no_more(tmp_path: Path) -> None:
    acl = re.search(r"```acl\n(.*?)```", (DOCS / "mqtt.md").read_text(), re.DOTALL)
    assert acl is not None
    users = {"cong-a": "a", "cong-b": "b", "recorder": "r", "operator": "o"}
    broker = Mosquitto(tmp_path / "broker", users=users, acl=acl[1]).start()

    def may(user: str, topic: str) -> bool:
        password = tmp_path / user
        password.write_text(users[user])
        ours = link(broker.settings(username=user, password_file=password), user)
        turn_until(ours, lambda happening: isinstance(happening, Up))
        mid = ours.publish(topic, b"x", qos=1)
        answer = turn_until(ours, lambda happening: isinstance(happening, Answered) and happening.mid == mid)
        ours.close()
        assert isinstance(answer, Answered)
        return not answer.refused

    ours, other = ("tan-thuan", "cong-a"), ("tan-thuan", "cong-b")
    assert may("cong-a", wire.up(*ours, "event"))
    assert may("recorder", wire.down(*ours, "ack"))
    assert not may("cong-a", wire.up(*other, "event"))
    assert not may("cong-a", wire.down(*ours, "ack"))
    assert not may("cong-b", wire.up(*ours, "event"))
    assert not may("recorder", wire.up(*ours, "event"))
    assert not may("operator", wire.down(*ours, "ack"))
    reader = broker.probe("gate/1/tan-thuan/#", username="operator", password="o")
    may("cong-a", wire.up(*ours, "live"))
    reader.wait(lambda messages: messages)
    broker.stop()
