"""What happens, as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from oddlens.service.api.answers import TheService, TheStation
from oddlens.service.service import Service

router = APIRouter()

MOST_LISTENERS = 200

_HEADERS = {"X-Accel-Buffering": "no"}  # nginx would hold events back


async def _seen(
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="The last event that the client has")
    ] = None,
    last: Annotated[str | None, Query(description="The same, for whoever cannot send a header")] = None,
) -> int | None:
    last = last_event_id or last
    return int(last) if last is not None and last.isascii() and last.isdecimal() and len(last) < 19 else None


_LastSeen = Annotated[int | None, Depends(_seen)]


@router.get("/api/events", summary="What happens, of all stations")
async def all_events(service: TheService, seen: _LastSeen) -> StreamingResponse:
    """Server-sent events, each a JSON object {"id", "kind", "station", "data"}."""
    return _stream(service, seen, None)


@router.get("/api/stations/{name}/events", summary="What happens, of one station")
async def events_of(service: TheService, station: TheStation, seen: _LastSeen) -> StreamingResponse:
    """As /api/events."""
    return _stream(service, seen, station.name)


def _stream(service: Service, seen: int | None, station: str | None) -> StreamingResponse:
    hub = service.events
    if hub.listener_count >= MOST_LISTENERS:
        raise HTTPException(503, "too many listen to the events: close some pages", {"Retry-After": "10"})
    return StreamingResponse(hub.stream(seen, station), media_type="text/event-stream", headers=_HEADERS)
