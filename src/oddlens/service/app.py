"""The service as an application: its routes, its errors, its page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from oddlens import __version__
from oddlens.errors import DiskError, OddlensError
from oddlens.history.drawing import GoneError
from oddlens.history.records import HistoryError
from oddlens.inference.live_station import StationError
from oddlens.service import pages
from oddlens.service.api import events, health, inspect, login, results, stations, teaching
from oddlens.service.api.answers import misfit
from oddlens.service.inspector import BusyError, LateError, PausedError, StoppedError
from oddlens.service.json_answer import JsonAnswer
from oddlens.service.security import Guard, refused
from oddlens.service.service import OccupiedError, OutdatedError, Service
from oddlens.service.settings import ServeSettings
from oddlens.service.stations import UnknownStationError
from oddlens.teaching.report import DoubtfulError

_STATUS: tuple[tuple[type[OddlensError], int], ...] = (
    (BusyError, 429),
    (LateError, 504),
    (PausedError, 409),
    (DoubtfulError, 409),
    (OutdatedError, 409),
    (OccupiedError, 503),
    (UnknownStationError, 404),
    (GoneError, 404),
    (StoppedError, 503),
    (StationError, 503),
    (HistoryError, 503),
    (DiskError, 503),
    (OddlensError, 422),
)
"""What an error is in HTTP: the first kind that it is of."""


def create_app(settings: ServeSettings) -> FastAPI:
    """The application; `app.state.service` is its `Service`. Raises `UsageError` and `HistoryError` where it cannot begin."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.stop()

    app = FastAPI(
        title="oddlens",
        version=__version__,
        description='Finds what is wrong in an image. Every error is {"error": "one sentence"}.',
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        default_response_class=JsonAnswer,
    )
    app.state.service = service
    for each in (inspect, stations, teaching, results, events, health, login):
        app.include_router(each.router)
    app.include_router(pages.router)
    app.mount("/static", pages.Assets())
    app.add_exception_handler(OddlensError, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_form)
    app.add_exception_handler(Exception, _of_fault)
    app.add_middleware(Guard, settings=settings, door=service.door)
    return app


def status_of(error: OddlensError) -> int:
    """The status of an answer that says an error."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


async def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, OddlensError)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, BusyError) else {}
    more: dict[str, object] = {}
    if isinstance(error, DoubtfulError):
        more["vetting"] = error.vetting
    elif isinstance(error, OutdatedError):
        more["version"] = error.version
    return refused(status_of(error), str(error), headers, **more)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {404: "there is nothing here: /api/openapi.json lists what there is", 405: "this cannot be done here"}
    if error.status_code == 404 and "text/html" in request.headers.get("accept", ""):
        return pages.not_found("page")
    known = str(error.detail) in ("Not Found", "Method Not Allowed")
    return refused(error.status_code, sentences[error.status_code] if known else str(error.detail), error.headers)


async def _of_form(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()[0]
    return refused(422, misfit(found, found["loc"][1:]))


async def _of_fault(request: Request, error: Exception) -> JsonAnswer:
    return refused(500, "this is a fault of oddlens itself: the service's own messages say more")
