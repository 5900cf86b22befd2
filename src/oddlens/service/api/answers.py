"""What requests have in common: the service behind them, and the files and fields in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import cast

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from oddlens.errors import printable
from oddlens.service.service import Service
from oddlens.service.teach import Upload

LONGEST_SOURCE = 200
"""Letters of what a client calls an image."""


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    return cast("Service", request.app.state.service)


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
