"""Sends a published folder to a broker, from where gates read it: see `gate.documents.broker_road` for the topics.

Chunks first, the index when the broker has answered for all of them, and only then are chunks that no index names any
more taken away. A publisher that is interrupted leaves the index before, whole; sending again goes on from there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from tuf.api.exceptions import DownloadError
from tuf.api.metadata import Metadata, TargetFile, Targets

from gate import wire
from gate.central.document_root import newest_root, sign
from gate.central.documents import published
from gate.clock import Clock
from gate.config import Mqtt
from gate.documents.broker_road import chunk_topics, index_from_wire, index_to_wire
from gate.durable import only_one
from gate.errors import StoreError, UsageError
from gate.mqtt_client import Answered, Arrived, Down, Happening, Link, Up

SILENCE_MAX_S = 60.0
OBJECT_MAX_BYTES = 256 * 1024**2
"""The longest file that goes over a broker, which keeps it in memory; a longer one goes over the web or by hand."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one sending cost: bytes of payload that went to the broker, and the files that were new there."""

    payload_bytes: int
    files: tuple[str, ...]


def send_documents(repo: Path, keys: Path, broker: Mqtt, site: str, clock: Clock, *, anew: bool = False) -> Sent:
    """Make the broker hold what `repo` offers; `anew` sends what it should hold already, too.

    Raises:
        UsageError: nothing is published, a key is missing, or a file is too long for this road.
        StoreError: the broker refuses, or is silent for SILENCE_MAX_S.
    """
    with only_one(repo / ".lock", "publishing"):
        index = Metadata[Targets].from_bytes(sign(_index(repo), newest_root(repo), keys))
        sender = _Sender(broker, site, clock)
        try:
            return sender.send(repo, index, anew)
        finally:
            sender.close()


def _index(repo: Path) -> Targets:
    """Every file of the repository, by its path in it."""
    now = published(repo)
    files = {}
    for path in sorted([*(repo / "metadata").iterdir(), *(repo / "targets").iterdir()]):
        if not path.name.startswith("."):
            name = str(path.relative_to(repo))
            files[name] = _described(name, path)
            if files[name].length > OBJECT_MAX_BYTES:
                raise UsageError(f"{path}: {files[name].length} bytes; over a broker go at most {OBJECT_MAX_BYTES}: "
                                 "carry it over HTTPS or on a USB stick")
    return Targets(now.versions["timestamp"], expires=now.expires_at["timestamp"], targets=files)


def _described(name: str, path: Path) -> TargetFile:
    """A file's length and hash; a target is called by its hash, which spares reading a large one."""
    if path.parent.name == "targets":
        return TargetFile(path.stat().st_size, {"sha256": path.name.partition(".")[0]}, name)
    return TargetFile.from_file(name, str(path), ["sha256"])


class _Sender:
    """One connection, and how many bytes went over it."""

    def __init__(self, broker: Mqtt, site: str, clock: Clock) -> None:
        self._site, self._clock = site, clock
        self._link = Link(broker, f"documents-{site}", mono=lambda: clock.now().mono, rng=SystemRandom())
        self._index_topic = wire.documents(site, "index")
        self._heard: dict[str, bytes] = {}
        self._sent_bytes = 0

    def close(self) -> None:
        self._link.close()

    def send(self, repo: Path, index: Metadata[Targets], anew: bool) -> Sent:
        self._until(lambda: self._link.up)
        before = self._standing()
        stands = set() if anew else before
        files = [(name, file) for name, file in index.signed.targets.items()
                 if not stands.issuperset(chunk_topics(self._site, file))]
        for name, file in files:
            for topic, chunk in zip(chunk_topics(self._site, file), _chunks(repo / name), strict=True):
                self._publish(topic, chunk)
        self._until(lambda: self._link.idle)
        self._publish(self._index_topic, index_to_wire(index))
        self._until(lambda: self._link.idle)
        for topic in sorted(before - set(_topics(self._site, index))):
            self._publish(topic, b"")
        self._until(lambda: self._link.idle)
        return Sent(self._sent_bytes, tuple(name for name, _ in files))

    def _standing(self) -> set[str]:
        """The chunks that the broker's index names now.

        A broker sends what it retains before it sends what comes after the subscription, so our own message that
        follows says that there is no index.
        """
        echo, word = wire.documents(self._site, "echo"), secrets.token_bytes(16)
        self._link.subscribe(self._index_topic, echo)
        self._publish(echo, word, retain=False)
        self._until(lambda: self._heard.get(echo) == word)
        try:
            return set(_topics(self._site, index_from_wire(self._heard[self._index_topic])))
        except (KeyError, DownloadError):
            return set()  # none, or none of ours: everything is sent

    def _publish(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        self._until(lambda: self._link.room)
        self._link.publish(topic, payload, qos=1, retain=retain)
        self._sent_bytes += len(payload)

    def _until(self, done: Callable[[], bool]) -> None:
        began_mono = self._clock.now().mono
        while not done():
            if self._clock.now().mono - began_mono > SILENCE_MAX_S:
                raise StoreError(f"the broker has been silent for {SILENCE_MAX_S:g} s; nothing new is in force")
            for happening in self._link.turn(1.0):
                self._hear(happening)

    def _hear(self, happening: Happening) -> None:
        match happening:
            case Up():
                pass
            case Down(detail):
                raise StoreError(f"no broker: {detail}; the documents before stay there")
            case Answered(refused=refused) if refused:
                raise StoreError(f"the broker refuses the documents: {refused}; check its ACL")
            case Arrived(topic=topic, payload=payload):
                self._heard[topic] = payload


def _topics(site: str, index: Metadata[Targets]) -> Iterator[str]:
    for file in index.signed.targets.values():
        yield from chunk_topics(site, file)


def _chunks(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(wire.DOCUMENT_CHUNK_BYTES):
            yield chunk
