"""The way in beyond loopback: the token becomes a cookie, so that a page needs it once."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from oddlens.service.api.answers import form_of, service_of, text
from oddlens.service.security import COOKIE, refused

router = APIRouter()

_YEAR_S = 365 * 24 * 3600


@router.post("/login", summary="Exchange the token for a cookie")
async def login(request: Request) -> Response:
    """Send a form with "token", and "next", where to go then. A wrong token takes a second."""
    door = service_of(request).door
    async with form_of(request) as form:
        token, wanted = text(form, "token") or "", text(form, "next") or "/"
    goal = wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable() else "/"
    for_page = "text/html" in request.headers.get("accept", "")
    if not door.opens_with(token.strip()):
        await asyncio.sleep(1)
        if for_page:
            return RedirectResponse(f"/login?failed=1&next={quote(goal)}", 303)
        return refused(401, "this is not the token: the service printed it when it started")
    answer = RedirectResponse(goal, 303) if for_page else JSONResponse({"next": goal})
    answer.set_cookie(
        COOKIE, door.cookie, _YEAR_S, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer
