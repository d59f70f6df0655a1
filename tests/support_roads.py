"""Roads for documents as they are: a real broker and a real web server, in the hands of whoever stands on the way."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support_attacks import stored_root
from support_documents import NOON, Site
from support_mosquitto import Mosquitto, Probe
from support_tls import Authority
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from gate import wire
from gate.central.document_root import sign
from gate.clock import SystemClock
from gate.documents.broker_road import BrokerRoad, chunk_topics, index_to_wire
from gate.documents.roads import WebRoad

PLACE = "tan-thuan"
"""The site's name in topics."""
SMALL_MAX_BYTES = 1 << 30


class Carrier:
    """Puts a repository on a broker as it stands, whatever was done to it, under an index that is signed.

    Where a file is too long to be sent, its first chunk is.
    """

    def __init__(self, site: Site, probe: Probe) -> None:
        self._site, self._probe = site, probe

    def index(self) -> Targets:
        """An index of what lies there now."""
        files = {}
        for path in [*self._site.repo.glob("metadata/*"), *self._site.repo.glob("targets/*")]:
            name, size_bytes = str(path.relative_to(self._site.repo)), path.stat().st_size
            if size_bytes < SMALL_MAX_BYTES:
                files[name] = TargetFile.from_file(name, str(path), ["sha256"])
            else:
                files[name] = TargetFile(size_bytes, {"sha256": f"{len(files):064x}"}, name)
        return Targets(1, expires=NOON, targets=files)

    def put(self, index: Targets, *, keys: Path | None = None, leave_out: str = "nothing") -> None:
        """Send the files that `index` names, but those that begin with `leave_out`, and then the index."""
        for name, file in index.targets.items():
            if name.startswith(leave_out):
                continue
            with (self._site.repo / name).open("rb") as content:
                for topic in chunk_topics(PLACE, file, 0, 64):
                    self._probe.publish(topic, content.read(wire.DOCUMENT_CHUNK_BYTES), retain=True)
        root = Metadata[Root].from_bytes(stored_root(self._site)).signed
        signed = Metadata[Targets].from_bytes(sign(index, root, keys or self._site.keys))
        self._probe.publish(wire.documents(PLACE, "index"), index_to_wire(signed), retain=True)


@contextmanager
def broker_road(broker: Mosquitto, silence_max_s: float = 20.0) -> Iterator[BrokerRoad]:
    """A gate's way to what lies at a broker."""
    road = BrokerRoad(broker.settings(), site=PLACE, client_id="gate", clock=SystemClock(), silence_max_s=silence_max_s)
    try:
        yield road
    finally:
        road.close()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def web_road(folder: Path, authority: Authority) -> Iterator[WebRoad]:
    """A gate's way to a folder on a web server that `authority` vouches for."""
    certificate, key = authority.issue("web")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder))) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield WebRoad(f"https://127.0.0.1:{server.server_port}/", authority.certificate)
        finally:
            server.shutdown()
            thread.join()
