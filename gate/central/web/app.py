"""The centre's pages as a Starlette app: the live page with its stream, who is inside, health, the pass for phones.

The stream sends HTML made by the very templates that made the page, so a name is escaped in one place. There is no
log-in yet: `gate.central.web_command` therefore binds to this machine only.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gate.central.web.metrics import MetricsPage
from gate.central.web.muster import MusterPage
from gate.central.web.views import Tile, plain
from gate.central.web.watcher import FeedWatcher

HERE = Path(__file__).parent
PAGES_MAX = 100
"""How many pages may hold a stream open at once."""

PAGE_EVENTS = 60
"""How many events a page begins with."""

HEARTBEAT_S = 15.0
RETRY_MS = 2_000

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                               "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Adds `SECURITY_HEADERS` to every answer (a plain ASGI wrapper, so that streams pass through unbuffered)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def make_app(
    engine: Engine, *, zone: tzinfo, hosts: Sequence[str], now: Callable[[], datetime], poll_s: float = 0.5,
) -> Starlette:
    """Build the app over an open central database.

    `hosts` are the names that a browser may call it by (a page elsewhere that rebinds its own name to this address
    is refused); `zone` is the one in which "not heard since" is told.
    """
    templates = Jinja2Templates(directory=HERE / "templates")  # escapes .html by default
    templates.env.filters["plain"] = plain
    page = _LivePage(FeedWatcher(engine, zone=zone, now=now, poll_s=poll_s), templates)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await page.watcher.poll()
        running = asyncio.create_task(page.watcher.run())
        yield
        await page.watcher.close()
        await running

    app = Starlette(
        routes=[
            Route("/", page.show),
            Route("/stream", page.stream),
            Route("/healthz", page.health),
            *MusterPage(engine, templates, zone, now).routes,
            MetricsPage(engine, now).route,
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Mount("/pass", StaticFiles(directory=HERE / "phone", html=True)),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        lifespan=lifespan,
    )
    app.state.watcher = page.watcher
    return app


class _LivePage:
    """The routes, over one watcher."""

    def __init__(self, watcher: FeedWatcher, templates: Jinja2Templates) -> None:
        self.watcher = watcher
        self._templates = templates
        self._streams = 0

    async def show(self, request: Request) -> Response:
        """The whole page as of now; it also reads without JavaScript, then reloading itself."""
        return self._templates.TemplateResponse(request, "live.html", {
            "tiles": self.watcher.tiles.values(),
            "events": list(self.watcher.events)[-PAGE_EVENTS:][::-1],
            "last_id": self.watcher.last_id,
        })

    async def health(self, request: Request) -> Response:
        """200 while the database can be read, 503 otherwise."""
        healthy = self.watcher.healthy
        return JSONResponse({"status": "ok" if healthy else "database unreadable"}, 200 if healthy else 503)

    async def stream(self, request: Request) -> Response:
        """What happens after the event that the page saw last (`?after=`, or where a lost stream ended)."""
        after = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            return PlainTextResponse("after: a number belongs here\n", 400)
        if self._streams >= PAGES_MAX:
            return PlainTextResponse(f"{PAGES_MAX} pages are open already; close one\n", 503,
                                     headers={"Retry-After": "30"})
        return StreamingResponse(self._messages(int(after)), media_type="text/event-stream",
                                 headers={"X-Accel-Buffering": "no"})

    async def _messages(self, seen_id: int) -> AsyncIterator[str]:
        self._streams += 1
        try:
            shown: dict[str, Tile] = {}
            healthy: bool | None = None
            yield f"retry: {RETRY_MS}\n\n"
            while not self.watcher.closing:
                version, tiles = self.watcher.version, self.watcher.tiles
                news = [row for row in self.watcher.events if row.id > seen_id]
                if news:
                    seen_id = news[-1].id
                    yield _message("events", [self._render("event.html", event=row) for row in news], seen_id)
                if tiles != shown:
                    yield _message("gates", {
                        "order": list(tiles),
                        "html": {key: self._render("tile.html", tile=tile)
                                 for key, tile in tiles.items() if tile != shown.get(key)},
                    })
                    shown = tiles
                if self.watcher.healthy != healthy:
                    healthy = self.watcher.healthy
                    yield _message("health", healthy)
                await self.watcher.changed(version, HEARTBEAT_S)
                yield ": still here\n\n"
        finally:
            self._streams -= 1

    def _render(self, template: str, **context: Any) -> str:
        return self._templates.get_template(template).render(context)


def _message(name: str, data: Any, id: int | None = None) -> str:
    """One server-sent event (HTML Living Standard, 9.2.6); JSON keeps the data on one line."""
    return (f"id: {id}\n" if id is not None else "") + f"event: {name}\ndata: {json.dumps(data)}\n\n"
