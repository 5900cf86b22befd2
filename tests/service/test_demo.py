"""The demonstration as a service."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from oddlens.inference.demo import FOLDER
from oddlens.service import demo
from tests.service.conftest import service_of


def test_each_kind_is_a_station_whose_images_are_inspected(
    serve: Callable[..., TestClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "FOLDER", shutil.copytree(FOLDER / "frame", tmp_path / "set" / "frame").parent)
    demo._make_stations(tmp_path / "home" / "stations", "auto")
    client = serve(stations=())
    demo._inspect_all(service_of(client))
    (station,) = client.get("/api/stations").json()
    assert (station["name"], station["object_name"], station["state"]) == ("frame", "frame", "learning")
    assert station["references"] == 4
    today = station["today"]
    assert sum(today.values()) == len(list((FOLDER / "frame" / "test").glob("*/*")))
    assert today["ng"] + today["review"] >= 2
    assert today["failed"] == today["none"] == 0
    sources = {each["source"] for each in client.get("/api/results").json()["items"]}
    assert any(each.startswith("good-") for each in sources)
