"""The way in beyond loopback: the token becomes a cookie, so that a page needs it once."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from oddlens.service import pages
from oddlens.service.api.answers import TheService, form_of, text
from oddlens.service.json_answer import JsonAnswer
from oddlens.service.security import COOKIE, refused

router = APIRouter()

_WRONG = "This is not the token: the service printed it when it started."
_YEAR_S = 365 * 24 * 3600


@router.get("/login", include_in_schema=False)
async def ask(wanted: Annotated[str, Query(alias="next")] = "/") -> Response:
    """The page that asks for the token."""
    return pages.login(_goal(wanted))


@router.post("/login", summary="Exchange the token for a cookie")
async def login(request: Request, service: TheService) -> Response:
    """Send a form with "token", and "next", where to go then. A wrong token takes a second."""
    door = service.door
    async with form_of(request) as form:
        token, wanted = text(form, "token") or "", text(form, "next") or "/"
    goal = _goal(wanted)
    for_page = "text/html" in request.headers.get("accept", "")
    if not door.opens_with(token.strip()):
        await asyncio.sleep(1)
        if for_page:
            return pages.login(goal, _WRONG)
        return refused(401, _WRONG)
    answer = RedirectResponse(goal, 303) if for_page else JsonAnswer({"next": goal})
    answer.set_cookie(
        COOKIE, door.cookie, _YEAR_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer


def _goal(wanted: str) -> str:
    """Where to go after the login: a page of this service."""
    return wanted if wanted.startswith("/") and wanted[1:2] not in ("/", "\\") and wanted.isprintable() else "/"
