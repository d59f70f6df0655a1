"""The roads by which published documents reach a gate. None of them is trusted: what they carry is verified alike.

A road gives the bytes of `metadata/NAME` and `targets/NAME`, and says when a part is not there, which is not the
same as late: the chain of roots ends where the next one is missing. `gate.documents.broker_road` is the one over MQTT.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import urllib3
from tuf.api import exceptions as tuf
from tuf.api.metadata import Root
from tuf.ngclient import FetcherInterface

from gate.errors import UsageError

CHUNK_BYTES = 1 << 20
SILENCE_MAX_S = 20.0
"""A road that brings nothing for so long is given up: slow, not missing."""


class Road(FetcherInterface):
    """Where the parts of a publication come from."""

    def check_promises(self, root: Root) -> None:
        """Hold against `root`, now verified, what this road itself claimed before; most claim nothing.

        Raises:
            tuf.RepositoryError: it claimed what nobody signed.
        """


class FolderRoad(Road):
    """A published folder, on a USB stick or wherever it was copied: plain files only, whatever else lies there."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError where no published folder is."""
        if not (folder / "metadata").is_dir():
            raise UsageError(f"{folder}: holds no folder `metadata`; give the folder that was published")
        self._folder = folder

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            # A link may lead anywhere, and a pipe has no end.
            descriptor = os.open(self._folder / url, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise tuf.DownloadHTTPError(f"{url} is not there", 404) from error
        except OSError as error:
            raise tuf.DownloadError(f"{url}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise tuf.DownloadError(f"{url} is not a plain file")
        return _chunks(descriptor)


def _chunks(descriptor: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


class WebRoad(Road):
    """A published folder on a web server; `ca` says who may vouch for it, None: whom the system believes.

    No redirection is followed, and whatever is neither there nor missing (404) is an error to try again after.
    """

    def __init__(self, base_url: str, ca: Path | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._pool = urllib3.PoolManager(
            ssl_context=ssl.create_default_context(cafile=ca), retries=False, timeout=SILENCE_MAX_S)

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            response = self._pool.request("GET", f"{self.base_url}/{quote(url)}", preload_content=False,
                                          redirect=False, headers={"Accept-Encoding": "identity"})
        except urllib3.exceptions.TimeoutError as error:
            raise tuf.SlowRetrievalError(f"{url}: the server is silent") from error
        except urllib3.exceptions.HTTPError as error:
            raise tuf.SlowRetrievalError(f"{url}: {error}") from error
        if response.status != 200:
            response.close()
            kind = tuf.DownloadHTTPError if response.status == 404 else tuf.SlowRetrievalError
            raise kind(f"{url}: the server answers {response.status}", response.status)
        return _stream(url, response)


def _stream(url: str, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield from response.stream(CHUNK_BYTES, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise tuf.SlowRetrievalError(f"{url}: {error}") from error
    finally:
        response.close()
