"""Images in, verdicts out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from oddlens.errors import OddlensError, UsageError
from oddlens.history.records import Origin
from oddlens.io.uploads import Upload, source_name
from oddlens.service.api.answers import TheService, TheStation, form_of, kind_of, uploads
from oddlens.service.inspector import BusyError, Inspector, LateError
from oddlens.service.json_answer import JsonAnswer
from oddlens.service.stations import Station

router = APIRouter()

LONGEST_KEY = 196
"""Letters of a key: of several images each gets its number behind it, and a history keeps 200."""

_TOGETHER = 4
"""Images of one request that are on their way at once: others get their turn."""


@router.post("/api/stations/{name}/inspect", summary="Inspect one image, or several")
async def inspect(
    request: Request,
    service: TheService,
    station: TheStation,
    source: Annotated[str | None, Query(alias="name", description="What the image is called, of a raw body")] = None,
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", description="The same again: the same inspection")
    ] = None,
    origin: Annotated[Literal["api", "page"], Query(description="page: a person chose it on the page")] = "api",
) -> Response:
    """Send a form with files, or one image as the body itself (Content-Type: image/...).

    The answer is the inspection; of several images {"results": [...]}, in their order. An image that cannot be read is an
    inspection with an "error": alone it is answered with 422.
    """
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise HTTPException(422, f"the Idempotency-Key has {len(key)} letters: give 1 to {LONGEST_KEY}")
    kind = kind_of(request)
    if kind == "multipart/form-data":
        async with form_of(request) as form:
            files = await uploads(form)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        files = [Upload(source_name(source), await request.body())]
        if not files[0].data:
            raise HTTPException(422, "the body is empty: send an image")
    else:
        raise HTTPException(
            415, f"a body of {kind or 'no kind'} cannot be inspected: send a form with files, or an image"
        )
    if len(files) == 1:
        found = await service.inspector.inspect(station, files[0].data, files[0].source, origin, key=key)
        status = 422 if found.error is not None else 200
        return JsonAnswer(({"error": found.error} if found.error else {}) | found.to_dict(), status)
    return JsonAnswer({"results": await _several(service.inspector, station, files, key, origin)})


async def _several(
    inspector: Inspector, station: Station, files: list[Upload], key: str | None, origin: Origin
) -> list[dict[str, object]]:
    """The inspections of several images, in their order. Raises `BusyError` where not even the first one finds room."""
    seconds = inspector.deadline_s * max(1, len(files) / _TOGETHER)
    until = asyncio.get_running_loop().time() + seconds
    turn = asyncio.Semaphore(_TOGETHER)

    async def one(number: int, file: Upload) -> dict[str, object]:
        own = None if key is None else f"{key}/{number}"
        async with turn:
            while True:
                left = until - asyncio.get_running_loop().time()
                try:
                    found = await inspector.inspect(station, file.data, file.source, origin, max(0.001, left), own)
                    return found.to_dict()
                except BusyError as error:
                    if number == 0 or left <= 0:
                        raise
                    await asyncio.sleep(min(error.retry_after, 0.1))

    outcomes = await asyncio.gather(*(one(*each) for each in enumerate(files)), return_exceptions=True)
    found: list[dict[str, object]] = []
    for file, outcome in zip(files, outcomes, strict=True):
        if isinstance(outcome, dict):
            found.append(outcome)
        elif isinstance(outcome, LateError | UsageError) or (isinstance(outcome, OddlensError) and found):
            found.append({"source": file.source, "error": str(outcome)})  # those that are kept are told all the same
        else:
            raise outcome
    return found
