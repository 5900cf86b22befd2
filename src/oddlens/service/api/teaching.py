"""Teaching: references, calibration, marks and what is learned of them, and images that are tried and not kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from oddlens.history.drawing import GoneError, decoding
from oddlens.history.remarks import LONGEST_COMMENT, entry_of, tell_station
from oddlens.io.uploads import Upload
from oddlens.service import teach
from oddlens.service.api import answers
from oddlens.service.api.answers import Body, DryRun, Seen, StrictRoute, TheService, TheStation, Who
from oddlens.station.feedback import Judged, Said
from oddlens.teaching.looked_at import On
from oddlens.teaching.report import calibration_document

router = APIRouter(route_class=StrictRoute)


class Remark(Body):
    """What a person says of a result: whether its verdict is right, or what the part is."""

    judged: Judged | None = Field(None, description="Whether its verdict is right")
    said: Said | None = Field(None, description="What the part is; give this or judged")
    defect: str | None = Field(None, description="What the defect is called")
    comment: str | None = Field(None, description=f"What else there is to say, at most {LONGEST_COMMENT} letters")
    reviewer: str | None = Field(None, description="Who says it")


class Rates(Body):
    """On what to calibrate, and at which rates."""

    on: On = "references"
    false_alarm_rate: float | None = None
    review_rate: float | None = None
    accept: Sequence[str] = ()
    who: Who = None


class Lesson(Body):
    """What to learn of the marks, as `teach.learn` takes it."""

    dry_run: bool = Field(False, description="Only say what would change")
    defect_memory: bool | None = Field(None, description="Whether defects are compared with; null: as it was")
    renew_calibration: bool = Field(False, description="Calibrate on good images that were drawn at random")
    accept: Sequence[str] = Field((), description="Names of doubtful images that are good")
    who: Who = None


@router.get("/api/stations/{name}/references", summary="The good examples of a station")
async def get_references(service: TheService, station: TheStation) -> list[dict[str, object]]:
    """Each with its score against the others, and what is odd about it."""
    return await service.job(service.references, station)


@router.get("/api/stations/{name}/references/{digest}/thumbnail", summary="A small copy of a good example")
def get_thumbnail(request: Request, service: TheService, station: TheStation, digest: str) -> Response:
    """JPEG, its longer side at most 320 pixels. 404 where the image was never sent here, and is not where it was read any more."""
    with decoding:
        path = service.thumbnails.find(station.loaded().detector, digest)
    if path is None:
        raise GoneError("there is no such reference, or its image is not where it was")
    return answers.file_answer(request, path, "image/jpeg")


@router.post("/api/stations/{name}/references", summary="Add good examples")
async def post_references(
    request: Request,
    service: TheService,
    station: TheStation,
    dry_run: DryRun = False,
    seen: Seen = None,
) -> dict[str, object]:
    """Send a form with files, and in accept the names of doubtful images that are good."""
    async with answers.form_of(request) as form:
        files, accept, who = await answers.uploads(form), answers.texts(form, "accept"), answers.who_of(form)
    work = partial(teach.teach_references, accept=accept, who=who)
    return await service.change(station, seen, work, service, station, files, dry_run=dry_run)


@router.delete("/api/stations/{name}/references/{digest}", summary="Remove a good example")
async def delete_reference(
    service: TheService,
    station: TheStation,
    digest: str,
    who: Annotated[Who, Query()] = None,
    dry_run: DryRun = False,
    seen: Seen = None,
) -> dict[str, object]:
    """By the digest of its pixels, as GET gives it."""
    work = partial(teach.teach_references, leaving=(digest,), who=who)
    return await service.change(station, seen, work, service, station, dry_run=dry_run)


@router.get("/api/stations/{name}/calibration", summary="What the thresholds rest on, and what they promise")
async def get_calibration(service: TheService, station: TheStation) -> dict[str, object]:
    """bounds[k]: what the false-alarm rate is at most, with 95 % confidence, where k of the scores do not exceed a threshold.

    That holds for a threshold that was moved after looking; declared[k] for one that was declared before.
    """
    return await service.job(lambda: calibration_document(station.loaded().detector, station.folder))


@router.post("/api/stations/{name}/calibration", summary="Set the thresholds by good images")
async def post_calibration(
    request: Request, service: TheService, station: TheStation, seen: Seen = None
) -> dict[str, object]:
    """Send {"on": "references" | "learning", "false_alarm_rate", "review_rate"}, or a form with the same and files.

    "learning" is the sample of its line that the station keeps. Names of doubtful images that are good go into accept.
    """
    files: list[Upload] = []
    if answers.kind_of(request) == "multipart/form-data":
        async with answers.form_of(request) as form:
            texts = {name: answers.text(form, name) for name in ("on", "false_alarm_rate", "review_rate", "who")}
            given = texts | {"on": texts["on"] or "files", "accept": answers.texts(form, "accept")}
            files = await answers.uploads(form) if given["on"] == "files" else []
        wanted = _checked(given, strict=False)
    else:
        wanted = _checked(await request.json() if await request.body() else {})
    if wanted.on == "files" and not files:
        raise HTTPException(422, "no image came: send a form with files, or calibrate on references or learning")
    asked = wanted.on, files, wanted.accept, (wanted.false_alarm_rate, wanted.review_rate), wanted.who
    return await service.change(station, seen, teach.calibrate, service, station, *asked)


@router.post("/api/stations/{name}/learn", summary="Learn of what people said of results")
async def post_learn(service: TheService, station: TheStation, lesson: Lesson, seen: Seen = None) -> dict[str, object]:
    """A new version, or with dry_run what it would be. "turned": images whose verdict would be "then"; "is_new": there is one."""
    return await service.change(station, seen, teach.learn, service, station, **lesson.model_dump())


@router.post("/api/results/{number}/feedback", summary="Say whether a verdict is right")
def post_feedback(service: TheService, number: int, remark: Remark) -> dict[str, object]:
    """It changes no verdict: POST /api/stations/{name}/learn makes a new version of the station of what was said."""
    found = service.history.get(number)
    if found is None:
        raise HTTPException(404, f"there is no result {number}: it may be removed by now")
    entry = entry_of(found, **remark.model_dump())
    passed_over = tell_station(service.stations[found.station].folder, service.history.pictures, found, entry)
    answer = service.history.add_feedback(entry).to_dict()
    service.events.publish("feedback", found.station, answer)
    return answer if passed_over is None else answer | {"remark": passed_over}


@router.post("/api/try", summary="Try an image, which is not kept")
async def post_try(request: Request, service: TheService) -> dict[str, object]:
    """Send a form with a file, an object_name, and a station; without a station the embedded model looks by words alone."""
    async with answers.form_of(request) as form:
        (file, *more) = await answers.uploads(form, "file")
        object_name, name = answers.text(form, "object_name"), answers.text(form, "station")
    if more:
        raise HTTPException(422, "several images came: try one at a time")
    station = None if name is None else service.stations[name]
    return await service.job(teach.try_upload, service, file, object_name, station)


def _checked(given: object, strict: bool = True) -> Rates:
    """strict: whether a text is no number; in a form all are texts."""
    try:
        return Rates.model_validate(given, strict=strict)
    except ValidationError as error:
        found = error.errors()[0]
        raise HTTPException(422, answers.misfit(found, found["loc"])) from None
