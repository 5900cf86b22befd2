"""The page's templates: what a browser gets first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from oddlens.history.records import Inspection
from oddlens.service.pages import ROOMS, Assets, address, login, router
from oddlens.service.stations import UnknownStationError

HOSTILE = "</script><script>alert(1)</script> \"'&é"
HOSTILE_NAME = HOSTILE.replace("/", "")  # it is a folder's


class Stations:
    """A service of some stations without a result, but for one."""

    def __init__(self, *names: str) -> None:
        self.events = SimpleNamespace(last=41)
        self.stations = Named({name: SimpleNamespace(name=name) for name in names})
        self.history = self

    def latest(self, name: str, limit: int) -> list[Inspection]:
        found = {"score": 0.7, "verdict": "ng", "image_size": [96, 96], "regions": []}
        return [
            Inspection(
                id=1, station=name, station_version=1, time=datetime.now(UTC), source=HOSTILE, origin="api", digest="0" * 64,
                detection=found, error=None, map_digest=None, identity={}, ms=1.0,
            )
        ]  # fmt: skip

    def describe(self, station: SimpleNamespace) -> dict[str, object]:
        counts = {"ok": 3, "review": 0, "ng": 1, "failed": 0, "none": 0}
        known: dict[str, object] = {
            "object_name": HOSTILE,
            "problem": HOSTILE,
            "drift": None,
            "today": counts,
            "defects": [HOSTILE],
        }
        thresholds = {"image": 0.5, "review": 0.4, "pixel": 0.6, "source": HOSTILE, "promise": None}
        known |= {
            "method": "patch-knn",
            "model": "mini",
            "takes": ["references", "object_name", "defect_memory"],
            "caution": None,
            "references": 4,
            "paused": False,
            "state": None,
            "thresholds": thresholds,
        }
        return {"name": station.name} | known


class Named(dict[str, SimpleNamespace]):
    """What is found by name, as `oddlens.service.stations.Stations`."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

    def __missing__(self, name: str) -> SimpleNamespace:
        raise UnknownStationError(f"there is no station {name}")


def client(*names: str) -> TestClient:
    app = FastAPI()
    app.state.service = Stations(*names)
    app.include_router(router)
    app.mount("/static", Assets())
    return TestClient(app, follow_redirects=False)


def data_of(html: str) -> Any:
    """What the page hands to its modules."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_several_stations_are_cards_and_one_is_opened_at_once() -> None:
    html = client("left", "right").get("/").text
    assert [each["name"] for each in data_of(html)["stations"]] == ["left", "right"]
    assert 'href="/s/left"' in html
    answer = client("only one").get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/s/only%20one")


def test_beside_a_single_station_another_can_be_made() -> None:
    """Its line is the first page, and from there the list is a link away, and with it a new station."""
    asked = client("only")
    assert '<a class="brand" href="/stations"' in asked.get("/s/only").text
    html = asked.get("/stations").text
    assert 'href="/s/only"' in html
    assert 'href="/new"' in html


def test_a_monitor_can_ask_for_the_head_alone() -> None:
    for path in ("/", "/stations", "/new", "/s/left", "/s/left/review"):
        answer = client("left", "right").head(path)
        assert (answer.status_code, answer.content) == (200, b""), path
    assert client("left").head("/s/nobody").status_code == 404


def test_no_station_yet() -> None:
    assert "There is no station yet" in client().get("/").text


@pytest.mark.parametrize("room", [room for room, _ in ROOMS])
def test_no_name_becomes_markup(room: str) -> None:
    html = client(HOSTILE_NAME, "other").get(address(HOSTILE_NAME, room)).text
    assert data_of(html)["station"]["name"] == HOSTILE_NAME
    assert data_of(html)["station"]["object_name"] == HOSTILE
    assert data_of(html)["last"] == 41, "the events that a page has to hear begin behind what it shows"
    assert "<script>" not in html
    assert "alert(1)</script>" not in html


@pytest.mark.parametrize("room", ["", *(room for room, _ in ROOMS if room)])
def test_nothing_inline_runs_or_styles(room: str) -> None:
    """The content security policy forbids both, and a page that needed them would be broken."""
    html = client("left").get(address("left", room)).text
    scripts = re.findall(r"<script\b([^>]*)>", html)
    assert scripts
    assert all("src=" in attributes or "application/json" in attributes for attributes in scripts)
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)


def test_what_is_not_there_is_said() -> None:
    for path in ("/s/nobody", "/s/left/nothing", "/s/nobody/review"):
        answer = client("left").get(path)
        assert answer.status_code == 404
        assert "There is no such" in answer.text


def test_login_says_why_and_keeps_where_to_go() -> None:
    answer = login('/s/"left"', "this is another token")
    html = bytes(answer.body).decode()
    assert answer.status_code == 401
    assert "this is another token" in html
    assert 'value="/s/&#34;left&#34;"' in html


def test_modules_and_style_sheet_are_asked_for_each_time() -> None:
    """An update of oddlens must not meet the modules of the version before."""
    answer = client("left").get("/static/line.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert client("left").get("/static/line.js", headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_every_module_that_a_page_or_module_names_is_there() -> None:
    asked = client("left", "right")
    todo = {f"/static/{name}" for name in re.findall(r'"/static/([^"]+)"', "".join(
        asked.get(path).text for path in ("/", "/new", *(address("left", room) for room, _ in ROOMS))))}  # fmt: skip
    seen: set[str] = set()
    while todo - seen:
        path = min(todo - seen)
        answer = asked.get(path)
        assert answer.status_code == 200, path
        seen.add(path)
        todo |= {f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', answer.text)}
    assert len(seen) > 15
