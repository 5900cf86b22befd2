"""What requests have in common: the service behind them, and the files and fields in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, HTTPException, Query, Request
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict
from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse, Response

from oddlens.errors import check_name, shortened
from oddlens.io.strict_json import DoubleFieldError, parse_json
from oddlens.io.uploads import Upload, source_name
from oddlens.service.service import Service
from oddlens.service.stations import Station

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    return cast("Service", request.app.state.service)


async def _service(request: Request) -> Service:
    return service_of(request)  # in the loop: what is no coroutine would take a thread


async def _station(request: Request, name: str) -> Station:
    return service_of(request).stations[name]


TheService = Annotated[Service, Depends(_service)]
TheStation = Annotated[Station, Depends(_station)]
"""The one whose name is in the address."""


class Body(BaseModel):
    """A JSON object in a request, of the fields that it names and of no others."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _named(who: str | None) -> str | None:
    if who is not None:
        check_name("the name of who changes it", who)
    return who


Who = Annotated[str | None, AfterValidator(_named)]
"""Whoever changes something, for the audit log, which nothing is removed from."""

Seen = Annotated[
    int | None, Query(description="The version that this was decided on for: 409 where another one is in force")
]
"""For whoever shows a station to a person: what others changed meanwhile is not lost."""

DryRun = Annotated[bool, Query(description="Only say what would change")]

_NO_OBJECT = "the body is no JSON object: send one, with Content-Type: application/json"


class _StrictRequest(Request):
    """Its JSON is read strictly: of a field that stands twice nobody knows which one is meant."""

    async def json(self) -> object:
        try:
            return parse_json(await self.body(), doubles=False)
        except DoubleFieldError as error:
            raise HTTPException(422, f"{shortened(error.name)} stands twice in the body: give it once") from None
        except ValueError:
            raise HTTPException(422, _NO_OBJECT) from None


class StrictRoute(APIRoute):
    """A route whose bodies are read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


def misfit(found: ErrorDetails, where: Sequence[int | str]) -> str:
    """What is wrong with a field of a request, in a sentence. where: its place in the body, or its name in the query."""
    if not where or found["type"] == "json_invalid":
        return _NO_OBJECT
    return f"{'.'.join(str(each) for each in where)} is not as it should be: {found['msg']}"


def kind_of(request: Request) -> str:
    """The media type of a body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().casefold()


def file_answer(request: Request, path: Path, media_type: str, download: str | None = None) -> Response:
    """A file that is named by its content, so that a browser that has it already is told so. download: the name to save it by.

    A browser asks each time: the numbers of another history begin anew.
    """
    headers = {"Cache-Control": "private, no-cache", "ETag": f'"{path.name}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=media_type, filename=download, headers=headers)


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
    """The text in a field of a form; None without one. Raises `HTTPException` for several."""
    found = texts(form, field)
    if len(found) > 1:
        raise HTTPException(422, f"{field} stands twice in the form: give it once")
    return found[0] if found else None


def who_of(form: FormData) -> str | None:
    """Whoever sends a form. Raises `UsageError` for a name that nobody could read."""
    return _named(text(form, "who"))
