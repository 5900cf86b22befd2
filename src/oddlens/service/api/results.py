"""What was inspected: found, shown, drawn, counted, and taken along."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from oddlens.history import drawing, export
from oddlens.history.comparable import scores_document
from oddlens.history.filters import Filter, Sort
from oddlens.history.history import History
from oddlens.history.records import Inspection, Origin, Outcome
from oddlens.history.trend import trend_document
from oddlens.io.strict_json import said_time
from oddlens.service.api.answers import TheService, TheStation, file_answer
from oddlens.station.feedback import Said

router = APIRouter(tags=["results"])

_Since = Annotated[datetime | None, Query(description="From this time on; without a zone it is in UTC")]


def _any_of(names: object) -> str:
    """What a parameter takes, several with commas."""
    return f"{', '.join(get_args(names))}; several with commas"


async def _history(service: TheService) -> History:
    return service.history


def _time(time: datetime | None) -> datetime | None:
    """A time with a zone: UTC where it says none."""
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def _filter(
    station: Annotated[str | None, Query(description="Its name")] = None,
    verdict: Annotated[str, Query(description=_any_of(Outcome))] = "",
    since: _Since = None,
    until: Annotated[datetime | None, Query(description="Before this time")] = None,
    min_score: Annotated[float | None, Query(description="This score or a higher one", allow_inf_nan=False)] = None,
    max_score: Annotated[float | None, Query(description="This score or a lower one", allow_inf_nan=False)] = None,
    text: Annotated[str | None, Query(description="In the source, the comment or the defect, in any case")] = None,
    said: Annotated[str, Query(description=f"none (nobody said anything), {_any_of(Said)}")] = "",
    audit: Annotated[bool | None, Query(description="Whether they were drawn at random for audit")] = None,
    origin: Annotated[str | None, Query(description=f"How they came: {', '.join(get_args(Origin))}")] = None,
    sort: Annotated[str, Query(description=f"The order: {', '.join(get_args(Sort))}")] = "newest",
) -> Filter:
    """What a query asks for. Raises `UsageError` as `Filter` does."""
    return Filter(
        station=station or None,
        verdict=frozenset(filter(None, verdict.split(","))),
        since=_time(since),
        until=_time(until),
        min_score=min_score,
        max_score=max_score,
        text=text,
        said=frozenset(filter(None, said.split(","))),
        audit=audit,
        origin=origin or None,
        sort=sort or "newest",
    )


_HistoryOf = Annotated[History, Depends(_history)]


def _inspection(number: int, history: _HistoryOf) -> Inspection:
    found = history.get(number)
    if found is None:
        raise HTTPException(404, f"there is no result {number}")
    return found


_FilterOf = Annotated[Filter, Depends(_filter)]
_InspectionOf = Annotated[Inspection, Depends(_inspection)]


@router.get("/api/results", summary="Results that a filter lets through, page by page")
def find(
    history: _HistoryOf,
    which: _FilterOf,
    cursor: Annotated[str, Query(description='"next" of the page before')] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Results of a page")] = 50,
) -> dict[str, object]:
    """The answer has "items", "next" (null on the last page) and "total"."""
    page = history.find(which, cursor or None, limit)
    return {"items": [each.to_dict() for each in page.items], "next": page.next, "total": page.total}


@router.get("/api/results/export", summary="All results that a filter lets through, as a file")
def get_export(
    history: _HistoryOf, which: _FilterOf, format: Literal["csv", "jsonl", "zip"] = "csv"
) -> StreamingResponse:
    """zip: the table, the lines, and the images that are kept."""
    history.find(which, limit=1)  # what cannot be read is said before the answer begins
    media_type, write = export.FORMATS[format]
    name = f'attachment; filename="oddlens-results.{format}"'
    return StreamingResponse(write(history, which), media_type=media_type, headers={"Content-Disposition": name})


@router.get("/api/results/{number}", summary="A result")
def get(inspection: _InspectionOf) -> dict[str, object]:
    """With what was last said of it."""
    return inspection.to_dict()


@router.get("/api/results/{number}/image", summary="The image", response_class=FileResponse)
def get_image(request: Request, inspection: _InspectionOf, history: _HistoryOf, original: bool = False) -> Response:
    """As it came; in a format that browsers do not show, as PNG, unless the original is asked for."""
    path, media_type = drawing.image(history.pictures, inspection, original)
    return file_answer(request, path, media_type, f"{inspection.id}{path.suffix}" if original else None)


@router.get("/api/results/{number}/thumbnail", summary="A small copy of the image", response_class=FileResponse)
def get_thumbnail(request: Request, inspection: _InspectionOf, history: _HistoryOf) -> Response:
    """JPEG, its longer side at most 320 pixels."""
    return file_answer(request, drawing.thumbnail(history.pictures, inspection), "image/jpeg")


@router.get("/api/results/{number}/overlay", summary="The image with its heat", response_class=FileResponse)
def get_overlay(request: Request, inspection: _InspectionOf, history: _HistoryOf) -> Response:
    """JPEG of the image's own size, at most 65,500 pixels, on the scale that is anchored at the threshold."""
    return file_answer(request, drawing.overlay(history.pictures, inspection), "image/jpeg")


@router.get("/api/results/{number}/map", summary="The anomaly map", response_class=FileResponse)
def get_map(request: Request, inspection: _InspectionOf, history: _HistoryOf) -> Response:
    """A TIFF of float32, the method's own values."""
    digest = inspection.map_digest
    path = None if digest is None else history.pictures.map_path(digest)
    if path is None:
        raise drawing.GoneError(f"result {inspection.id} has no anomaly map that is kept")
    return file_answer(request, path, "image/tiff", f"{inspection.id}.tif")


@router.get("/api/stations/{name}/scores", summary="A station's newest scores")
def get_scores(station: TheStation, history: _HistoryOf) -> dict[str, object]:
    """Of the newest 10,000 those that were scored as the station scores now, the newest first. note: what is left out."""
    return scores_document(history, station.name, None if station.problem else station.loaded().identity)


@router.get("/api/stations/{name}/trend", summary="A station's scores over time, with control limits")
def get_trend(station: TheStation, history: _HistoryOf, since: _Since = None) -> dict[str, object]:
    """The newest 10,000, the oldest first. limits: thresholds of the newest, `control_limits` of those like it that are not NG."""
    return trend_document(history, station.name, _time(since))


@router.get("/api/stations/{name}/hours", summary="A station's verdicts by hour")
def get_hours(station: TheStation, history: _HistoryOf, since: _Since = None) -> list[dict[str, object]]:
    """Hours without a result are left out."""
    return [{"hour": said_time(hour), **counts} for hour, counts in history.count_by_hour(station.name, _time(since))]


@router.get("/api/stations/{name}/defects", summary="A station's defects by name")
def get_defects(station: TheStation, history: _HistoryOf, since: _Since = None) -> list[dict[str, object]]:
    """What people said, else what the hottest region of a stopped part may be; the most frequent first."""
    return [{"name": defect, "count": count} for defect, count in history.defects(station.name, _time(since))]
