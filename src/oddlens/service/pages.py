"""The page: what a browser gets first. Its modules then speak with the service as every other client does.

Templates escape every name, and what they hand to the modules is JSON that no tag can end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ROOMS = (
    ("", "Line"),
    ("review", "Review"),
    ("thresholds", "Thresholds"),
    ("teach", "Teach"),
    ("history", "History"),
    ("try", "Try"),
)
"""The pages of a station: the last part of the address, and the title."""

WORDS = {"ok": "OK", "review": "REVIEW", "ng": "NG", "failed": "FAILED", "none": "NO VERDICT"}
"""What outcomes are called, in the order in which they are counted."""

RATES = (
    (0.001, "0.1 %"),
    (0.002, "0.2 %"),
    (0.005, "0.5 %"),
    (0.01, "1 %"),
    (0.02, "2 %"),
    (0.05, "5 %"),
    (0.1, "10 %"),
    (0.2, "20 %"),
)
"""Rates that a person chooses from."""

SHOWN = 10
"""Pictures on the line's page."""

Document = Mapping[str, object]


class Shown(Protocol):
    """What a page shows at first, as the service's own answers say it."""

    def last_event(self) -> int:
        """The number of the last event."""

    def stations(self) -> Sequence[Document]:
        """All stations."""

    def station(self, name: str) -> Document | None:
        """One of them; None: there is none of this name."""

    def latest(self, name: str, limit: int) -> Sequence[Document]:
        """The last results of a station, the newest first."""


class Assets(StaticFiles):
    """Style sheet and modules. A browser asks each time whether they are still the same, so that an update is seen at once."""

    def __init__(self) -> None:
        super().__init__(packages=[("oddlens.service", "static")])

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles`."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


def address(station: str, room: str = "") -> str:
    """Where a page of a station is."""
    return f"/s/{quote(station, safe='')}" + (f"/{room}" if room else "")


_TEMPLATES = Environment(
    loader=PackageLoader("oddlens.service"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.globals |= {"words": WORDS, "rooms": ROOMS, "rates": RATES, "address": address}


def page(template: str, title: str, *, status: int = 200, script: str = "", **values: object) -> HTMLResponse:
    """A page.

    Args:
        template: Its name without ".html".
        title: What it is called.
        status: Of the answer.
        script: Its module, without ".js"; "": none.
        values: What the template shows. `data` among them goes to the modules, as JSON.
    """
    html = _TEMPLATES.get_template(f"{template}.html").render({"title": title, "script": script, "data": {}} | values)
    return HTMLResponse(html, status)


def login(next_path: str, problem: str | None = None) -> HTMLResponse:
    """Where a token is asked for. problem: why the last one was refused."""
    return page("login", "Sign in", status=401 if problem else 200, bare=True, next=next_path, problem=problem)


def pages(shown: Shown) -> APIRouter:
    """The pages of a service."""
    router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @router.get("/")
    def stations() -> Response:
        last = shown.last_event()
        found = shown.stations()
        if len(found) == 1:
            return RedirectResponse(address(str(found[0]["name"])), 303)
        cards = [dict(each) | {"latest": _outcome(shown.latest(str(each["name"]), 1))} for each in found]
        return page("stations", "Stations", script="stations", stations=cards, data={"last": last, "stations": found})

    @router.get("/new")
    def new() -> Response:
        return page("new", "New station", script="new", bare=True)

    @router.get("/s/{name}")
    def line(name: str) -> Response:
        return room(name, "")

    @router.get("/s/{name}/{place}")
    def other(name: str, place: str) -> Response:
        return room(name, place)

    def room(name: str, place: str) -> Response:
        last = shown.last_event()  # before what is shown: what happens from here on is heard, or shown already
        station, title = shown.station(name), dict(ROOMS).get(place)
        if station is None or title is None:
            return not_found("station" if station is None else "page")
        data: dict[str, object] = {"last": last, "station": station}
        if not place:
            data["latest"] = shown.latest(name, SHOWN)
        template = place or "line"
        return page(template, title, script=template, station=station, data=data)

    return router


def not_found(what: str) -> HTMLResponse:
    """There is no such station or page."""
    return page("problem", f"No such {what}", status=404, bare=True, problem=f"There is no such {what} here.")


def _outcome(latest: Sequence[Document]) -> str | None:
    if not latest:
        return None
    return "failed" if latest[0].get("error") else str(latest[0].get("verdict") or "none")
