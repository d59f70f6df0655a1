"""Published documents over MQTT: retained, in chunks that are named by the hash of the file they belong to.

    gate/1/{site}/documents/index                    what there is: an index, deflated
    gate/1/{site}/documents/object/{sha256}/{n}      chunk n of a file, from 0

A retained message that does not come may be late or may never have been there, and a client of The Update Framework has
to know which: it asks for the next root until there is none. So the publisher signs an index of every file, with its
length and hash: what it does not name is missing, what it names is at worst slow. It has the form of TUF's own targets
metadata and is signed by the same keys, which are known only once the chain of roots has been followed; whoever forges
an index can therefore hide a root for as long as that takes, and is then refused.

The next index has to find the chunks of the last one still there: whoever reads is never left in the midst.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from random import SystemRandom

from tuf.api import exceptions as tuf
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from gate import wire
from gate.clock import Clock
from gate.config import Mqtt
from gate.documents.roads import SILENCE_MAX_S, Road
from gate.mqtt_client import Answered, Arrived, Down, Link, Up

WINDOW = 8
"""Chunks that are asked for at a time."""
INDEX_MAX_BYTES = 256 * 1024
TURN_S = 0.5


def index_to_wire(index: Metadata[Targets]) -> bytes:
    """A signed index as it travels."""
    return zlib.compress(index.to_bytes(JSONSerializer(compact=True)), 9)


def index_from_wire(payload: bytes) -> Metadata[Targets]:
    """Read an index; nothing is believed of it yet.

    Raises:
        tuf.DownloadError: no index, or more than INDEX_MAX_BYTES of it.
    """
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(payload, INDEX_MAX_BYTES + 1)
    except zlib.error as error:
        raise tuf.DownloadError(f"the index cannot be inflated: {error}") from error
    if len(content) > INDEX_MAX_BYTES:
        raise tuf.DownloadLengthMismatchError(f"the index has over {INDEX_MAX_BYTES} bytes")
    try:
        index: Metadata[Targets] = Metadata.from_bytes(content)
    except DeserializationError as error:
        raise tuf.DownloadError(f"the index cannot be read: {error}") from error
    if not isinstance(index.signed, Targets):
        raise tuf.DownloadError(f"the index is {index.signed.type} metadata")
    return index


def chunk_topics(site: str, file: TargetFile, begin: int = 0, end: int | None = None) -> list[str]:
    """Where the chunks of a file lie, in order, from number `begin` up to `end`."""
    count = -(-file.length // wire.DOCUMENT_CHUNK_BYTES)
    numbers = range(begin, count if end is None else min(end, count))
    return [wire.documents(site, "object", file.hashes["sha256"], str(number)) for number in numbers]


class BrokerRoad(Road):
    """Reads one publication from a broker over a connection of its own, kept until `close`."""

    def __init__(
        self, broker: Mqtt, *, site: str, client_id: str, clock: Clock, silence_max_s: float = SILENCE_MAX_S,
    ) -> None:
        self._site = site
        self._clock = clock
        self._silence_max_s = silence_max_s
        self._link = Link(broker, client_id, mono=lambda: clock.now().mono, rng=SystemRandom())
        self._wanted: dict[str, bytes | None] = {}
        self._index: Metadata[Targets] | None = None

    def close(self) -> None:
        """Part from the broker."""
        self._link.close()

    def check_promises(self, root: Root) -> None:
        """The index was signed by whom `root` names for targets."""
        index = self._read_index()
        root.verify_delegate(Targets.type, index.signed_bytes, index.signatures)

    def _fetch(self, url: str) -> Iterator[bytes]:
        file = self._read_index().signed.targets.get(url)
        if file is None:
            raise tuf.DownloadHTTPError(f"{url} is not in the index", 404)
        return self._chunks(file)

    def _read_index(self) -> Metadata[Targets]:
        if self._index is None:
            topic = wire.documents(self._site, "index")
            self._ask(topic)
            self._index = index_from_wire(self._take(topic))
        return self._index

    def _chunks(self, file: TargetFile) -> Iterator[bytes]:
        for number in itertools.count():
            ahead = chunk_topics(self._site, file, number, number + WINDOW)
            if not ahead:
                break
            for topic in ahead:
                self._ask(topic)
            chunk = self._take(ahead[0])
            if len(chunk) > wire.DOCUMENT_CHUNK_BYTES:
                raise tuf.DownloadLengthMismatchError(f"a chunk of {file.path} has {len(chunk)} bytes")
            yield chunk

    def _ask(self, topic: str) -> None:
        if topic not in self._wanted:
            self._wanted[topic] = None
            self._link.subscribe(topic)

    def _take(self, topic: str) -> bytes:
        """Wait for what was asked for on `topic`.

        Raises:
            tuf.SlowRetrievalError: nothing that was asked for came for a while, or the broker does not let us read.
        """
        heard_mono = self._clock.now().mono
        while (payload := self._wanted[topic]) is None:
            if self._clock.now().mono - heard_mono > self._silence_max_s:
                raise tuf.SlowRetrievalError(f"the broker has sent nothing on {topic} for {self._silence_max_s:g} s")
            for happening in self._link.turn(TURN_S):
                match happening:
                    case Up():
                        self._link.subscribe(*(name for name, came in self._wanted.items() if came is None))
                    case Arrived(topic=name, payload=came) if name in self._wanted and self._wanted[name] is None:
                        self._wanted[name] = came
                        heard_mono = self._clock.now().mono
                    case Answered(refused=refused) if refused:
                        raise tuf.SlowRetrievalError(f"the broker refuses us {topic}: {refused}; check its ACL")
                    case Down():
                        pass
        self._wanted[topic] = b""
        return payload
