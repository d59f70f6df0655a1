"""The muster page: who is inside now, by place, to read on a phone or to print; and the same as CSV."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from itertools import groupby

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from gate.central.db import reading
from gate.central.inside import Inside, companies, who_is_inside
from gate.central.inside_csv import inside_csv

LONG_STAY = timedelta(hours=12)
"""Who is inside longer is marked: they may have left unseen."""


class MusterPage:
    """Reads the database for each request, in a worker thread."""

    def __init__(self, engine: Engine, templates: Jinja2Templates, zone: tzinfo, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._templates = templates
        self._zone = zone
        self._now = now

    @property
    def routes(self) -> list[Route]:
        """`/presence` and `/presence.csv`, both with `?site=`."""
        return [Route("/presence", self.show), Route("/presence.csv", self.export)]

    def show(self, request: Request) -> Response:
        """The list by site and place, and how many of each company."""
        people, now = self._inside(request), self._now()
        return self._templates.TemplateResponse(request, "presence.html", {
            "at": now.astimezone(self._zone), "zone": self._zone, "total": len(people),
            "places": [(key, list(group)) for key, group in groupby(people, lambda each: (each.site, each.place))],
            "companies": companies(people), "long_since": now - LONG_STAY, "query": request.url.query,
        })

    def export(self, request: Request) -> Response:
        """The same as a file for spreadsheets."""
        return Response(inside_csv(self._inside(request), self._zone), media_type="text/csv; charset=utf-8",
                        headers={"Content-Disposition": 'attachment; filename="presence.csv"'})

    def _inside(self, request: Request) -> list[Inside]:
        with reading(self._engine) as session:
            return who_is_inside(session, self._now(), site=request.query_params.get("site"))
