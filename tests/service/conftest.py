"""A small station for all tests of the service, and a service that runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from oddlens.service.app import create_app
from oddlens.service.service import Service
from oddlens.service.settings import ServeSettings
from tests.service.given import make_station

REFERENCES = 5


@pytest.fixture(scope="session")
def made_station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """patch-knn on the graphs of the embedded model, calibrated on its references. Copy it: `station`."""
    return make_station(tmp_path_factory.mktemp("made") / "plates", REFERENCES)


@pytest.fixture
def station(made_station: Path, tmp_path: Path) -> Path:
    """A station of one's own."""
    return Path(shutil.copytree(made_station, tmp_path / "plates"))


@pytest.fixture
def serve(station: Path, tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts a service, with the station if no other is given, and stops it after the test."""
    running: list[TestClient] = []

    def start(**settings: Any) -> TestClient:
        settings = {"stations": (station,), "home": tmp_path / "home"} | settings
        client = TestClient(create_app(ServeSettings(**settings)), base_url="http://127.0.0.1", follow_redirects=False)
        client.__enter__()
        running.append(client)
        return client

    yield start
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    """A client of a service with the station."""
    return serve()


def service_of(client: TestClient) -> Service:
    """The service behind a client."""
    found: Service = client.app.state.service  # type: ignore[attr-defined]
    return found
