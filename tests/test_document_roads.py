"""Documents over the broker and the web: what is published arrives, and no carrier can do what a folder cannot."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support_attacks import ATTACK_NAMES, ATTACKS, NEEDS_A_FOLDER, older_folder, target_of
from support_documents import NOON, Site
from support_mosquitto import Mosquitto, free_port, needs_mosquitto
from support_roads import PLACE, Carrier, broker_road, web_road
from support_tls import Authority

from gate import wire
from gate.central import documents_broker
from gate.central.document_root import init_repository, newest_root, renew_root, sign
from gate.central.documents_broker import Sent, send_documents
from gate.clock import SystemClock
from gate.config import Mqtt
from gate.documents import ROSTER, read_refusal
from gate.documents.broker_road import INDEX_MAX_BYTES, chunk_topics
from gate.documents.importing import Imported
from gate.documents.roads import Road, WebRoad
from gate.errors import DocumentError, StoreError, UsageError

pytestmark = needs_mosquitto


@pytest.fixture(scope="module")
def first_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose gate has taken in the first publication, which lists An."""
    site = Site(tmp_path_factory.mktemp("site")).init()
    site.publish("an")
    site.take_in()
    return site.folder


@pytest.fixture
def site(first_set: Path, tmp_path: Path) -> Site:
    shutil.copytree(first_set, tmp_path / "site", symlinks=True)
    return Site(tmp_path / "site")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "broker").start()
    yield broker
    broker.stop()


@pytest.fixture
def carrier(site: Site, broker: Mosquitto) -> Carrier:
    return Carrier(site, broker.probe())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def send(site: Site, broker: Mosquitto, *, anew: bool = False) -> Sent:
    return send_documents(site.repo, site.keys, broker.settings(), PLACE, SystemClock(), anew=anew)


def fetch(site: Site, broker: Mosquitto, silence_max_s: float = 20.0) -> Imported:
    with broker_road(broker, silence_max_s) as road:
        return site.take_in(road)


# --- what should happen --------------------------------------------------------------------------------


def test_what_is_sent_to_the_broker_comes_into_force(site: Site, broker: Mosquitto) -> None:
    site.publish("binh")
    send(site, broker)
    assert fetch(site, broker).changed
    assert site.lists("binh")
    assert not fetch(site, broker).changed


def test_what_lies_on_a_web_server_comes_into_force(site: Site, authority: Authority) -> None:
    site.publish("binh")
    with web_road(site.repo, authority) as road:
        assert site.take_in(road).changed
        assert site.lists("binh")
        assert not site.take_in(road).changed


def test_web_server_that_nobody_vouches_for_is_not_believed(site: Site, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with web_road(site.repo, authority) as road:
        stranger = WebRoad(road.base_url, Authority(tmp_path / "other").certificate)
        with pytest.raises(DocumentError, match="CERTIFICATE_VERIFY_FAILED"):
            site.take_in(stranger)


def test_a_gate_follows_new_keys_over_the_broker(site: Site, broker: Mosquitto) -> None:
    send(site, broker)
    for _ in range(3):
        renew_root(site.repo, site.keys, NOON, replace=("root", "targets", "snapshot", "timestamp"))
    site.publish("binh")
    send(site, broker)
    fetch(site, broker)
    assert site.in_force().versions["root"] == 4
    assert site.lists("binh")


def test_two_of_three_root_keys_change_keys_over_the_broker(tmp_path: Path, broker: Mosquitto) -> None:
    site = Site(tmp_path)
    init_repository(site.repo, site.keys, NOON, root_keys=3, root_threshold=2)
    site.publish("an")
    site.take_in()
    renew_root(site.repo, site.keys, NOON, replace=("root", "targets"))
    site.publish("binh")
    send(site, broker)
    fetch(site, broker)
    assert site.in_force().versions["root"] == 2
    assert site.lists("binh")


def test_a_document_of_many_chunks_arrives_whole(site: Site, broker: Mosquitto) -> None:
    site.publish(*(f"holder-{number}" for number in range(20_000)))
    assert target_of(site, ROSTER).stat().st_size > 10 * wire.DOCUMENT_CHUNK_BYTES
    send(site, broker)
    fetch(site, broker)
    assert site.lists("holder-19999")


def test_only_what_is_new_is_sent(site: Site, broker: Mosquitto) -> None:
    send(site, broker)
    site.publish("an", revoked=("somebody",), days=1)
    sent = send(site, broker)
    assert not any(name.endswith(ROSTER) for name in sent.files)
    assert sent.payload_bytes < target_of(site, ROSTER).stat().st_size
    assert any(name.endswith(ROSTER) for name in send(site, broker, anew=True).files)


def test_what_no_index_names_any_more_is_taken_off_the_broker(site: Site, broker: Mosquitto) -> None:
    for days in range(1, 8):
        site.publish(f"holder-{days}", days=days)
        send(site, broker)
    probe = broker.probe(wire.documents(PLACE, "#"))
    wanted = {topic for file in Carrier(site, probe).index().targets.values() for topic in chunk_topics(PLACE, file)}
    wanted.add(wire.documents(PLACE, "index"))
    probe.wait(lambda messages: {message.topic for message in messages} >= wanted)
    assert {message.topic for message in probe.messages} == wanted


def test_a_file_too_long_for_a_broker_is_refused_with_another_road(
    site: Site, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents_broker, "OBJECT_MAX_BYTES", 1000)
    with pytest.raises(UsageError, match="HTTPS"):
        send(site, broker)


def test_a_broker_that_is_not_there_is_told(site: Site) -> None:
    nobody = Mqtt(host="127.0.0.1", port=free_port())
    with pytest.raises(StoreError, match="no broker"):
        send_documents(site.repo, site.keys, nobody, PLACE, SystemClock())


# --- attacks -------------------------------------------------------------------------------------------


def assert_refused(site: Site, attack: Callable[[Site], None], kind: str, road: Road) -> None:
    before = (site.state / "documents" / "current").readlink()
    with pytest.raises(DocumentError, match=kind):
        site.take_in(road)
    assert (site.state / "documents" / "current").readlink() == before
    assert site.lists("binh" if attack is older_folder else "an")
    assert not site.lists("mallory")
    refusal = read_refusal(site.state)
    assert refusal
    assert kind in refusal.problem


@pytest.mark.parametrize(("attack", "kind"), ATTACKS.items(), ids=ATTACK_NAMES)
def test_an_attack_over_the_broker_leaves_what_was_in_force(
    site: Site, broker: Mosquitto, carrier: Carrier, attack: Callable[[Site], None], kind: str,
) -> None:
    if attack in NEEDS_A_FOLDER:
        pytest.skip("only a folder holds such a thing")
    attack(site)
    carrier.put(carrier.index())
    with broker_road(broker) as road:
        assert_refused(site, attack, kind, road)


@pytest.mark.parametrize(("attack", "kind"), ATTACKS.items(), ids=ATTACK_NAMES)
def test_an_attack_over_the_web_leaves_what_was_in_force(
    site: Site, authority: Authority, attack: Callable[[Site], None], kind: str,
) -> None:
    if attack in NEEDS_A_FOLDER:
        pytest.skip("only a folder holds such a thing")
    attack(site)
    with web_road(site.repo, authority) as road:
        assert_refused(site, attack, kind, road)


def test_an_index_that_hides_the_newest_keys_leads_to_nothing(site: Site, broker: Mosquitto, carrier: Carrier) -> None:
    renew_root(site.repo, site.keys, NOON, replace=("targets",))
    site.publish("binh")
    index = carrier.index()
    del index.targets["metadata/2.root.json"]
    carrier.put(index, keys=site.keys)
    with pytest.raises(DocumentError, match="bad signature"):
        fetch(site, broker)
    assert site.lists("an")


def test_an_index_that_somebody_else_signed_is_refused(
    site: Site, broker: Mosquitto, carrier: Carrier, tmp_path: Path,
) -> None:
    site.publish("binh")
    carrier.put(carrier.index())
    forger = Site(_made(tmp_path / "forger")).init()
    signed = sign(carrier.index(), newest_root(forger.repo), forger.keys)
    broker.probe().publish(wire.documents(PLACE, "index"), _deflated(signed), retain=True)
    with pytest.raises(DocumentError, match="bad signature"):
        fetch(site, broker)
    assert site.lists("an")


def test_a_part_that_is_named_and_does_not_come_is_slow_not_missing(
    site: Site, broker: Mosquitto, carrier: Carrier,
) -> None:
    site.publish("binh")
    carrier.put(carrier.index(), leave_out="targets/")
    with pytest.raises(DocumentError, match=r"^slow"):
        fetch(site, broker, silence_max_s=0.5)
    assert site.lists("an")
    carrier.put(carrier.index())
    fetch(site, broker)
    assert site.lists("binh")
    assert read_refusal(site.state) is None


def test_a_broker_without_documents_is_slow(site: Site, broker: Mosquitto) -> None:
    with pytest.raises(DocumentError, match=r"^slow"):
        fetch(site, broker, silence_max_s=0.5)


@pytest.mark.parametrize(("payload", "kind"), [
    (b"", "slow"), (b"no index", "unreadable"), (zlib.compress(b"{}"), "unreadable"),
], ids=["empty", "noise", "no metadata"])
def test_an_index_that_is_none_is_refused(site: Site, broker: Mosquitto, payload: bytes, kind: str) -> None:
    broker.probe().publish(wire.documents(PLACE, "index"), payload, retain=True)
    with pytest.raises(DocumentError, match=kind):
        fetch(site, broker, silence_max_s=0.5)


def test_an_index_that_inflates_without_end_is_refused(site: Site, broker: Mosquitto) -> None:
    broker.probe().publish(wire.documents(PLACE, "index"), _deflated(bytes(INDEX_MAX_BYTES + 1)), retain=True)
    with pytest.raises(DocumentError, match="too long"):
        fetch(site, broker)


def test_a_chunk_longer_than_a_chunk_is_refused(site: Site, broker: Mosquitto, carrier: Carrier) -> None:
    site.publish("binh")
    index = carrier.index()
    carrier.put(index)
    (topic,) = chunk_topics(PLACE, index.targets["metadata/timestamp.json"])
    broker.probe().publish(topic, bytes(wire.DOCUMENT_CHUNK_BYTES + 1), retain=True)
    with pytest.raises(DocumentError, match="too long"):
        fetch(site, broker)
    assert site.lists("an")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _deflated(content: bytes) -> bytes:
    return zlib.compress(content)
