"""What requests have in common: the service behind them, the files in them, and a station as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from oddlens.errors import printable
from oddlens.service.history.filters import Filter
from oddlens.service.stations import Station, StationError

if TYPE_CHECKING:
    from oddlens.service.app import Service

LONGEST_SOURCE = 200
"""Letters of what a client calls an image."""


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    return cast("Service", request.app.state.service)


@dataclass(frozen=True)
class Upload:
    """A file that came. source: what the client calls it, without folders."""

    source: str
    data: bytes


def source_name(given: str | None) -> str:
    """What a client calls an image: the last part of a path in the form of any system, on one line, of bounded length."""
    name = PurePosixPath((given or "").replace("\\", "/")).name
    return printable(name)[-LONGEST_SOURCE:] or "image"


@asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[FormData]:
    """The form in a request. Raises `HTTPException` for one with too many files."""
    service = service_of(request)
    async with request.form(max_files=service.settings.limits.max_files, max_fields=100) as form:
        yield form


async def uploads(form: FormData, field: str = "files") -> list[Upload]:
    """The files in a field of a form. Raises `HTTPException` where there is none, or where one is empty."""
    found = []
    for each in form.getlist(field):
        if not isinstance(each, UploadFile):
            raise HTTPException(422, f"{field} holds a text: send files")
        data = await each.read()
        if not data:
            raise HTTPException(422, f"{source_name(each.filename)} is empty: send an image")
        found.append(Upload(source_name(each.filename), data))
    if not found:
        raise HTTPException(422, f"no image came: send files in the field {field}")
    return found


def texts(form: FormData, field: str) -> list[str]:
    """The texts in a field of a form."""
    return [each for each in form.getlist(field) if isinstance(each, str) and each.strip()]


def text(form: FormData, field: str) -> str | None:
    """The first of them; None without any."""
    return next(iter(texts(form, field)), None)


def number(form: FormData, field: str) -> float | None:
    """The number in a field of a form; None without one. Raises `HTTPException` for what is none."""
    given = text(form, field)
    try:
        return None if given is None else float(given)
    except ValueError:
        raise HTTPException(422, f"{field} is no number: give one, such as 0.05") from None


def midnight() -> datetime:
    """When today began, where the service runs."""
    return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


def describe(service: Service, station: Station) -> dict[str, object]:
    """A station as JSON."""
    found: dict[str, object] = {
        "name": station.name,
        "object_name": None,
        "method": None,
        "model": None,
        "runtime": None,
        "version": None,
        "state": None,
        "problem": None,
        "paused": station.paused,
        "references": 0,
        "calibrated": 0,
        "calibration_kind": None,
        "thresholds": {"image": None, "review": None, "pixel": None, "source": None, "promise": None},
        "image_size": None,
        "defects": [],
        "today": service.history.count(Filter(station=station.name, since=midnight())),
        "drift": None,
        "queue": service.inspector.waiting_for(station.name),
    }
    try:
        loaded = station.loaded()
    except StationError as problem:
        return found | {"problem": str(problem)}
    detector, calibration, thresholds = loaded.detector, loaded.calibration, loaded.thresholds
    return found | {
        "object_name": detector.object_name,
        "method": detector.name,
        "model": detector.model_name or detector.backbone.identity.name,
        "runtime": detector.runtime,
        "version": loaded.version,
        "state": None if detector.state is None else detector.state.stage,
        "references": 0 if detector.references is None else len(detector.references),
        "calibrated": 0 if calibration is None else len(calibration),
        "calibration_kind": None if calibration is None else calibration.kind,
        "thresholds": {
            "image": thresholds.image,
            "review": thresholds.review,
            "pixel": thresholds.pixel,
            "source": thresholds.source,
            "promise": thresholds.promise,
        },
        "image_size": None if detector.image_size is None else list(detector.image_size),
        "defects": [] if detector.defects is None else list(detector.defects.words),
        "drift": loaded.drift,
    }
