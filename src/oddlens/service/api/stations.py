"""The stations: what they are, and what becomes of them."""

from __future__ import annotations

from fastapi import APIRouter, Request

from oddlens.service.api.answers import service_of

router = APIRouter()


@router.get("/api/stations", summary="All stations")
def get_stations(request: Request) -> list[dict[str, object]]:
    """A damaged station is among them, with its "problem"."""
    service = service_of(request)
    return [service.describe(each) for each in service.stations]
