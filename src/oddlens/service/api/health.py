"""Whether the service lives, whether it can work, and its figures."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from oddlens.errors import OddlensError
from oddlens.history.filters import Filter
from oddlens.service.api.answers import TheService
from oddlens.service.json_answer import JsonAnswer

router = APIRouter()


@router.get("/healthz", summary="Whether the service lives")
async def healthz() -> dict[str, str]:
    """It answers, so it does."""
    return {"status": "ok"}


@router.get("/readyz", summary="Whether the service can inspect")
def readyz(service: TheService) -> Response:
    """503 where the history cannot be read, or no station can inspect. Damaged stations are named; the others go on."""
    problems = {each.name: problem for each in service.stations if (problem := each.problem) is not None}
    error = service.inspector.problem
    try:
        service.history.count(Filter(station=""))
    except OddlensError as lost:
        error = str(lost)
    if error is None and problems and len(problems) == len(service.stations):
        error = next(iter(problems.values()))
    document = {"ready": error is None, "stations": len(service.stations), "problems": problems}
    return JsonAnswer(document if error is None else document | {"error": error}, 200 if error is None else 503)


@router.get("/metrics", summary="Figures for Prometheus")
async def metrics(service: TheService) -> Response:
    """In its text format."""
    return Response(service.inspector.metrics.text(), media_type=CONTENT_TYPE_LATEST)
