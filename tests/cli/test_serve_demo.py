"""The demonstration as a service."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from oddlens.cli import serve_demo
from oddlens.inference.demo import FOLDER
from oddlens.service.app import create_app
from oddlens.service.settings import ServeSettings


def test_each_kind_is_a_station_whose_images_are_inspected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_demo, "FOLDER", shutil.copytree(FOLDER / "frame", tmp_path / "set" / "frame").parent)
    serve_demo._make_stations(tmp_path / "home" / "stations", "auto")
    app = create_app(ServeSettings(home=tmp_path / "home"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        serve_demo._inspect_all(app.state.service)
        (station,) = client.get("/api/stations").json()
        found = client.get("/api/results").json()["items"]
    assert (station["name"], station["object_name"], station["state"]) == ("frame", "frame", "learning")
    assert station["references"] == 4
    today = station["today"]
    assert sum(today.values()) == len(list((FOLDER / "frame" / "test").glob("*/*")))
    assert today["ng"] + today["review"] >= 2
    assert today["failed"] == today["none"] == 0
    assert any(each["source"].startswith("good-") for each in found)
