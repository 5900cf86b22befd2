"""The page: what a browser gets first. Its modules then speak with the service as every other client does.

Templates escape every name, and what they hand to the modules is JSON that no tag can end.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from oddlens.service.api.answers import TheService
from oddlens.service.stations import UnknownStationError

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
_page = partial(router.api_route, methods=["GET", "HEAD"])

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

RATES = tuple((rate, f"{100 * rate:g} %") for rate in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2))
"""Rates that a person chooses from."""

SHOWN = 10
"""Images on the line's page."""


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


@_page("/")
def get_start(service: TheService) -> Response:
    """Where people begin: the line, where there is one station only, else all stations."""
    names = [each.name for each in service.stations]
    return RedirectResponse(address(names[0]), 303) if len(names) == 1 else get_stations(service)


@_page("/stations")
def get_stations(service: TheService) -> Response:
    """All stations, and the way to a new one."""
    last = service.events.last  # before what is shown: what happens from here on is heard, or shown already
    found = [service.describe(each) for each in service.stations]
    latest = [next(iter(service.history.latest(each.name, 1)), None) for each in service.stations]
    cards = [each | {"latest": one and one.outcome} for each, one in zip(found, latest, strict=True)]
    return page("stations", "Stations", script="stations", stations=cards, data={"last": last, "stations": found})


@_page("/new")
def get_new() -> Response:
    """Where a station is made."""
    return page("new", "New station", script="new", bare=True)


@_page("/s/{name}")
@_page("/s/{name}/{room}")
def get_room(service: TheService, name: str, room: str = "") -> Response:
    """A page of a station, see `ROOMS`."""
    last, title = service.events.last, dict(ROOMS).get(room)
    try:
        station = service.stations[name]
    except UnknownStationError:
        return not_found("station")
    if title is None:
        return not_found("page")
    known = service.describe(station)
    data: dict[str, object] = {"last": last, "station": known}
    if not room:
        data["latest"] = [each.to_dict() for each in service.history.latest(name, SHOWN)]
    return page(room or "line", title, script=room or "line", station=known, data=data)


def not_found(what: str) -> HTMLResponse:
    """There is no such station or page."""
    return page("problem", f"No such {what}", status=404, bare=True, problem=f"There is no such {what} here.")
