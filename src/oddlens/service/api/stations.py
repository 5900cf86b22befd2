"""The stations: what they are, and what becomes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import cast

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.exceptions import HTTPException

from oddlens.errors import OddlensError
from oddlens.service import teach
from oddlens.service.api import answers
from oddlens.service.api.answers import Body, DryRun, Seen, StrictRoute, TheService, TheStation, Who
from oddlens.station import read_log, versions
from oddlens.station.changes import Wanted
from oddlens.station.feedback import read_feedback

router = APIRouter(route_class=StrictRoute)

_AUDITED = 200
"""Entries of the audit log that are told."""


class Change(Body):
    """What is to be another one; null: it stays, but for review_threshold."""

    threshold: float | None = Field(None, description="An image is NG above it")
    review_threshold: float | None = Field(
        None,
        description="It goes to review above it; null: none does. Left out: it stays, where it lies below the threshold",
    )
    pixel_threshold: float | None = Field(None, description="A pixel is marked above it")
    false_alarm_rate: float | None = Field(None, description="The share of good images that is called NG at most")
    review_rate: float | None = Field(None, description="The share of good images that goes to review")
    object_name: str | None = Field(None, description="What is on the images")
    defects: list[str] | None = Field(None, description="Names that a defect may have")
    paused: bool | None = Field(None, description="Whether it inspects nothing")
    who: Who = None


class Back(Body):
    """Which version is to be in force again."""

    version: int = Field(description="Its number")
    who: Who = None


@router.get("/api/stations", summary="All stations")
def get_stations(service: TheService) -> list[dict[str, object]]:
    """A damaged station is among them, with its "problem"."""
    return [service.describe(each) for each in service.stations]


@router.post("/api/stations", summary="A new station, of good images", status_code=201)
async def post_station(request: Request, service: TheService) -> dict[str, object]:
    """Send a form: name, object_name, files, and in accept the names of doubtful images that are good.

    409 with the "vetting" where images are doubtful and not accepted: then there is no station.
    """
    async with answers.form_of(request) as form:
        name, object_name = answers.text(form, "name"), answers.text(form, "object_name")
        files, accept, who = await answers.uploads(form), answers.texts(form, "accept"), answers.who_of(form)
    if name is None or object_name is None:
        raise HTTPException(422, "a new station needs a name and an object_name, a word or two each")
    return await service.job(teach.make_station, service, name, object_name, files, accept, who)


@router.get("/api/stations/{name}", summary="One station, with references, versions, log and audit log")
def get_station(service: TheService, station: TheStation) -> dict[str, object]:
    """All that is known of it. marks: how many images are marked as what, here and by 'oddlens feedback'."""
    return service.describe(station) | {
        "references": [] if station.problem else service.references(station),
        "versions": _listed(lambda: [asdict(each) for each in versions(station.folder)]),
        "log": _listed(lambda: [each._asdict() for each in read_log(station.folder)]),
        "marks": Counter(each.said for each in read_feedback(station.folder).last),
        "audit": [each.to_dict() for each in service.history.audit(station.name, _AUDITED)],
    }


@router.patch("/api/stations/{name}", summary="Change a station")
async def patch_station(
    service: TheService, station: TheStation, change: Change, seen: Seen = None
) -> dict[str, object]:
    """Thresholds by hand, or the rates of calibrated ones; the object, names of defects; or pause it.

    But for a pause it becomes a new version of the station, and an entry of the audit log.
    """
    given = change.model_dump(include=set(Wanted.__annotations__), exclude_unset=True)
    wanted = {name: value for name, value in given.items() if value is not None or name == "review_threshold"}
    if not wanted and change.object_name is None and change.paused is None:
        raise HTTPException(422, "nothing is changed: give what is to be another one, for instance threshold")
    if wanted or change.object_name is not None:
        changes = cast("Wanted", wanted), change.object_name
        await service.change(station, seen, teach.change_station, service, station, *changes, change.who)
    if change.paused is not None:
        await service.job(service.pause, station, change.paused, change.who)
    return await service.job(service.describe, station)


@router.post("/api/stations/{name}/rollback", summary="Put an earlier version in force again")
async def post_rollback(
    service: TheService, station: TheStation, back: Back, dry_run: DryRun = False, seen: Seen = None
) -> dict[str, object]:
    """As a new version; with dry_run only what would turn. It also mends a station whose station.json is damaged."""
    return await service.change(
        station, seen, teach.go_back, service, station, back.version, who=back.who, dry_run=dry_run
    )


def _listed(read: Callable[[], list[dict[str, object]]]) -> list[dict[str, object]]:
    try:
        return read()
    except OddlensError:  # it is damaged, which its "problem" says
        return []
