"""Runs the web app under uvicorn on a socket that is already open, and ends its streams when told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from types import FrameType

import uvicorn
from sqlalchemy import Engine

from gate.central.web.app import make_app
from gate.central.web.watcher import FeedWatcher

CONNECTIONS_MAX = 300


class WebServer(uvicorn.Server):
    """A uvicorn server whose open streams end at the stop signal, instead of holding it up."""

    def __init__(self, config: uvicorn.Config, watcher: FeedWatcher) -> None:
        super().__init__(config)
        self._watcher = watcher
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the streams, then the server; may be called from a signal handler or another thread."""
        self.should_exit = True
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._watcher.close(), self._loop)


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_server(
    engine: Engine, *, zone: tzinfo, hosts: Sequence[str], now: Callable[[], datetime] = utc_now,
    poll_s: float = 0.5,
) -> WebServer:
    """The app with its server, not yet running."""
    app = make_app(engine, zone=zone, hosts=hosts, now=now, poll_s=poll_s)
    return WebServer(uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX, timeout_graceful_shutdown=5, timeout_keep_alive=10, ws="none",
    ), app.state.watcher)


def serve(engine: Engine, listener: socket.socket, *, zone: tzinfo, hosts: Sequence[str]) -> None:
    """Serve on `listener` until SIGINT or SIGTERM."""
    server = make_server(engine, zone=zone, hosts=hosts)
    asyncio.run(server.serve([listener]))
