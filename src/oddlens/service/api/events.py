"""What happens, as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from oddlens.service.api.answers import TheService, TheStation
from oddlens.service.service import Service

router = APIRouter()

MOST_LISTENERS = 200

_HEADERS = {"X-Accel-Buffering": "no"}  # nginx would hold events back

LastSeen = Annotated[str | None, Header(alias="Last-Event-ID", description="The last event that the client has")]


@router.get("/api/events", summary="What happens, of all stations")
async def all_events(
    service: TheService, last_event_id: LastSeen = None, last: Annotated[str | None, Query()] = None
) -> StreamingResponse:
    """Server-sent events, each a JSON object {"id", "kind", "station", "data"}."""
    return _stream(service, last_event_id or last, None)


@router.get("/api/stations/{name}/events", summary="What happens, of one station")
async def events_of(
    service: TheService,
    station: TheStation,
    last_event_id: LastSeen = None,
    last: Annotated[str | None, Query()] = None,
) -> StreamingResponse:
    """As /api/events."""
    return _stream(service, last_event_id or last, station.name)


def _stream(service: Service, last: str | None, station: str | None) -> StreamingResponse:
    hub = service.events
    if hub.listener_count >= MOST_LISTENERS:
        raise HTTPException(503, "too many listen to the events: close some pages", {"Retry-After": "10"})
    seen = int(last) if last is not None and last.isascii() and last.isdecimal() and len(last) < 19 else None
    return StreamingResponse(hub.stream(seen, station), media_type="text/event-stream", headers=_HEADERS)
