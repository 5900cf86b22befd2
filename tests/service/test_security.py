"""Who may come in, and how much one may bring."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from oddlens.service.security import COOKIE, Door, Guard
from oddlens.service.settings import Limits, ServeSettings

TOKEN = "a-token-of-twenty-four-.."


async def count(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())})


def guarded(settings: ServeSettings) -> Guard:
    app = Starlette(
        routes=[Route(path, count, methods=["GET", "POST"]) for path in ("/", "/api/x", "/login", "/static/a.css")]
    )
    return Guard(app, settings, Door(settings))


def client(url: str = "http://127.0.0.1:8000", **settings: Any) -> TestClient:
    return TestClient(guarded(ServeSettings(**settings)), base_url=url, follow_redirects=False)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "10.1.2.3", "shop.localhost"])
def test_names_of_this_machine_are_let_in(host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1.evil.example", "", "localhost.evil.example"])
def test_a_name_that_was_rebound_is_not(host: str) -> None:
    found = client().get("/", headers={"host": host})
    assert found.status_code == 400
    assert "this service is not called" in found.json()["error"]
    assert client(hosts=("evil.example",)).get("/", headers={"host": "evil.example"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[::1", "http://127.0.0.1:9000", "http://localhost:8000"]
)
def test_pages_of_other_sites_change_nothing(origin: str) -> None:
    found = client().post("/api/x", headers={"origin": origin})
    assert found.status_code == 403
    assert "another site" in found.json()["error"]
    assert client().get("/api/x", headers={"origin": origin}).status_code == 200


def test_its_own_page_and_programs_may_change_things() -> None:
    assert client().post("/api/x").status_code == 200
    assert client().post("/api/x", headers={"origin": "http://127.0.0.1:8000"}).status_code == 200
    assert client().post("/api/x", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_on_loopback_no_token_is_needed_and_beyond_it_one_is_made() -> None:
    assert Door(ServeSettings()).token is None
    door = Door(ServeSettings(host="0.0.0.0"))
    assert door.is_generated
    assert door.token is not None
    assert len(door.token) >= 32
    assert door.token != Door(ServeSettings(host="0.0.0.0")).token
    given = Door(ServeSettings(token=TOKEN))
    assert given.token == TOKEN
    assert not given.is_generated


def test_without_the_token_nothing_but_the_login_is_open() -> None:
    outside = client(token=TOKEN)
    found = outside.get("/api/x")
    assert found.status_code == 401
    assert "a token is needed" in found.json()["error"]
    assert outside.post("/api/x", content=b"x").status_code == 401
    assert outside.get("/login").status_code == outside.get("/static/a.css").status_code == 200
    assert outside.get("/loginx").status_code == 401
    page = outside.get("/s/line?a=b", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/s/line")


def test_the_token_opens_as_a_header_and_as_the_cookie() -> None:
    outside, cookie = client(token=TOKEN), Door(ServeSettings(token=TOKEN)).cookie
    assert TOKEN not in cookie
    for headers, status in (
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": "Bearer \xff".encode("latin-1")}, 401),
        ({"authorization": TOKEN}, 401),
        ({"cookie": f"a=b; {COOKIE}={cookie}"}, 200),
        ({"cookie": f"{COOKIE}={TOKEN}"}, 401),
        ({"cookie": f"{COOKIE}="}, 401),
    ):
        assert outside.get("/api/x", headers=headers).status_code == status, headers


def test_every_answer_says_what_a_page_may_do() -> None:
    for found in (client().get("/"), client().get("/nowhere"), client(token=TOKEN).get("/")):
        policy = found.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert found.headers["x-content-type-options"] == "nosniff"


def body(size: int, piece: int = 1000) -> Iterator[bytes]:
    for _ in range(size // piece):
        yield b"x" * piece


def test_a_body_beyond_the_limit_is_cut_off() -> None:
    few = client(limits=Limits(max_bytes=10_000))
    assert few.post("/api/x", content=b"x" * 10_000).json() == {"bytes": 10_000}
    for content in (b"x" * 10_001, body(11_000)):  # which is announced, and which is not
        found = few.post("/api/x", content=content)
        assert found.status_code == 413
        assert found.headers["connection"] == "close"


class Sent:
    """A request that comes piece by piece, and what is answered. taken: how many pieces were."""

    def __init__(self, guard: Guard, pieces: int, piece: bytes = b"x" * 1000, wait_s: float = 0.0) -> None:
        self.guard, self.pieces, self.piece, self.wait_s = guard, pieces, piece, wait_s
        self.taken = 0
        self.status = 0

    async def run(self) -> int:
        headers = [(b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": "POST", "path": "/api/x", "headers": headers, "query_string": b""}
        await self.guard(scope, self.receive, self.send)
        return self.status

    async def receive(self) -> Message:
        await asyncio.sleep(self.wait_s)
        self.taken += 1
        return {"type": "http.request", "body": self.piece, "more_body": self.taken < self.pieces}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]


def test_of_a_gigabyte_no_more_is_read_than_the_limit() -> None:
    sent = Sent(guarded(ServeSettings(limits=Limits(max_bytes=10_000))), 1_000_000)
    assert asyncio.run(sent.run()) == 413
    assert sent.taken == 11


def test_a_client_that_goes_while_it_sends_is_no_fault() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        raise AssertionError("it is not there")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(ClientDisconnect):
            await Request(scope, receive).body()
        await JSONResponse({})(scope, receive, send)

    settings = ServeSettings()
    scope = {"type": "http", "method": "POST", "path": "/api/x", "headers": [(b"host", b"127.0.0.1")]}
    for each in (app, answering):
        asyncio.run(Guard(each, settings, Door(settings))(scope, receive, send))


def test_a_slow_client_is_cut_off_and_holds_up_nobody() -> None:
    async def story() -> tuple[int, int, int]:
        guard = guarded(ServeSettings(limits=Limits(body_s=0.2)))
        slow = asyncio.create_task(Sent(guard, 1_000_000, b"x", wait_s=0.05).run())
        await asyncio.sleep(0.06)
        quick = Sent(guard, 2)
        status = await quick.run()
        assert not slow.done()
        return status, await slow, guard._held

    assert asyncio.run(story()) == (200, 408, 0)


def test_all_bodies_together_have_a_limit_too() -> None:
    async def story() -> list[int]:
        guard = guarded(ServeSettings(limits=Limits(max_bytes=10_000, held_bytes=20_000)))
        statuses = await asyncio.gather(*(Sent(guard, 9, wait_s=0.01).run() for _ in range(4)))
        assert await Sent(guard, 9).run() == 200  # afterwards there is room again
        return statuses

    statuses = asyncio.run(story())
    assert 429 in statuses
    assert 200 in statuses
    assert set(statuses) == {200, 429}
