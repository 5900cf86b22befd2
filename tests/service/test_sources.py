"""Watched folders and cameras of a service, and where its results go: nothing twice, nothing lost, and what is lost is said."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from oddlens.errors import DiskError, UsageError
from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.history.records import Inspection
from oddlens.service import sources
from oddlens.service.settings import Source
from oddlens.service.stations import UnknownStationError
from oddlens.station import locked, read_station, write_station
from oddlens.station.folder import FEEDBACK
from tests import mjpeg_server
from tests.service.conftest import service_of
from tests.service.given import png

Serve = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow one another fast."""
    monkeypatch.setattr(sources, "EVERY_S", 0.05)
    monkeypatch.setattr(sources, "PAUSE_S", 0.1)


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def watching(serve: Serve, incoming: Path) -> Callable[..., TestClient]:
    """Starts a service that watches the folder."""
    return lambda **more: serve(watch=(Source(address=str(incoming), station="plates"),), **more)


def until(is_so: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.01)


def kept(client: TestClient) -> list[Inspection]:
    """All inspections, the oldest first."""
    return service_of(client).history.find(Filter(sort="oldest")).items


def said(client: TestClient, kind: str = "source") -> list[dict[str, object]]:
    """What was told to those who listen."""
    events = [json.loads(each.text.partition("data: ")[2]) for each in service_of(client).events._kept]
    return [event["data"] for event in events if event["kind"] == kind]


def test_what_comes_into_a_folder_is_inspected_once(watching: Callable[..., TestClient], incoming: Path) -> None:
    client = watching()
    (incoming / "a.png").write_bytes(png(1))
    (incoming / "b.png").write_bytes(b"no image")
    until(lambda: len(kept(client)) == 2)
    shutil.copy2(incoming / "a.png", incoming / "copy.png")
    (incoming / "c.png").write_bytes(png(2, defect=True))
    until(lambda: len(kept(client)) == 3)
    time.sleep(0.3)
    found = {Path(each.source).name: each for each in kept(client)}
    assert found.keys() == {"a.png", "b.png", "c.png"}
    assert {each.origin for each in found.values()} == {"folder"}
    assert found["b.png"].outcome == "failed"
    assert found["a.png"].source == str(incoming / "a.png")


def test_a_restart_inspects_nothing_again(
    watching: Callable[..., TestClient], incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = watching()
    (incoming / "a.png").write_bytes(png(1))
    until(lambda: kept(client))
    client.__exit__(None, None, None)
    monkeypatch.setattr(History, "known", lambda *_: pytest.fail("a file was read again"))
    after = watching()
    (incoming / "copy.png").write_bytes(png(1))
    monkeypatch.undo()
    monkeypatch.setattr(sources, "EVERY_S", 0.05)
    (incoming / "b.png").write_bytes(png(2))
    until(lambda: len(kept(after)) == 2)
    assert [Path(each.source).name for each in kept(after)] == ["a.png", "b.png"]


def test_a_new_history_knows_nothing(watching: Callable[..., TestClient], incoming: Path, tmp_path: Path) -> None:
    client = watching()
    (incoming / "a.png").write_bytes(png(1))
    until(lambda: kept(client))
    client.__exit__(None, None, None)
    after = watching(history=str(tmp_path / "other.sqlite"))
    until(lambda: kept(after))


def test_images_are_moved_by_their_verdict(watching: Callable[..., TestClient], incoming: Path) -> None:
    client = watching(move=True)
    (incoming / "a.png").write_bytes(png(1))
    (incoming / "bad.png").write_bytes(b"no image")
    until(lambda: not list(incoming.glob("*.png")))
    outcomes = {Path(each.source).name: each.outcome for each in kept(client)}
    assert (incoming / "failed" / "bad.png").is_file()
    assert (incoming / {"ok": "done"}.get(outcomes["a.png"], outcomes["a.png"]) / "a.png").is_file()
    assert len(kept(client)) == 2


def test_what_a_kill_left_unmoved_is_moved_and_not_inspected_twice(
    watching: Callable[..., TestClient], incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = watching()  # it keeps, and does not move: as one that is killed in between
    (incoming / "a.png").write_bytes(png(1))
    until(lambda: kept(client))
    client.__exit__(None, None, None)
    shutil.rmtree(service_of(client).settings.home / "watched")
    after = watching(move=True)
    until(lambda: not list(incoming.glob("*.png")))
    assert len(kept(after)) == 1


def test_images_that_cannot_be_kept_come_again(
    watching: Callable[..., TestClient], incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = watching()

    def full(self: History, new: object) -> Inspection:
        raise DiskError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(History, "add", full)
        (incoming / "a.png").write_bytes(png(1))
        until(lambda: said(client, "history"))
        assert not kept(client)
    until(lambda: kept(client))
    assert [each["ok"] for each in said(client, "history")][:2] == [False, True]


def test_a_folder_that_goes_away_is_said_and_awaited(watching: Callable[..., TestClient], incoming: Path) -> None:
    client = watching()
    until(lambda: client.get("/api/stations").json()[0]["lost"] == [])
    incoming.rename(incoming.with_name("away"))
    until(lambda: client.get("/api/stations").json()[0]["lost"])
    [lost] = client.get("/api/stations").json()[0]["lost"]
    assert lost == {
        "name": str(incoming),
        "state": "lost",
        "sentence": f"the folder {incoming} is gone: it is looked for again",
    }
    incoming.with_name("away").rename(incoming)
    until(lambda: not client.get("/api/stations").json()[0]["lost"])
    until(lambda: [each["state"] for each in said(client)] == ["lost", "ok"])


def test_a_paused_station_waits_and_the_service_still_stops(
    watching: Callable[..., TestClient], incoming: Path
) -> None:
    client = watching()
    service = service_of(client)
    service.inspector.pause(service.stations["plates"])
    (incoming / "a.png").write_bytes(png(1))
    time.sleep(0.4)
    assert not kept(client)
    started = time.monotonic()
    client.__exit__(None, None, None)
    assert time.monotonic() - started < 5
    after = watching()
    until(lambda: kept(after))


def test_a_camera_is_inspected_and_its_loss_is_said(serve: Serve) -> None:
    pytest.importorskip("av", reason="PyAV, the extra 'video', is not installed")
    with mjpeg_server.serving() as camera:
        address = camera.url.replace("http://", "http://me:geheim@")
        client = serve(cameras=(Source(address=address, station="plates"),))
        until(lambda: len(kept(client)) >= 2)
        camera.is_cut.set()
        until(lambda: client.get("/api/stations").json()[0]["lost"])
        [lost] = client.get("/api/stations").json()[0]["lost"]
        assert lost["name"] == camera.url
        assert {each.origin for each in kept(client)} == {"camera"}
        assert kept(client)[0].source.startswith(f"{camera.url} 20")
        assert "geheim" not in str([said(client), kept(client)])
        camera.is_cut.clear()
        count = len(kept(client))
        until(lambda: len(kept(client)) > count)
        until(lambda: [each["state"] for each in said(client)] == ["lost", "ok"])


def test_every_result_goes_to_a_program_too(serve: Serve, tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"
    program = shlex.join([sys.executable, "-c", code, str(tmp_path / "events")])
    client = serve(sinks=(f"on-each:{program}",))
    good = client.post("/api/stations/plates/inspect?name=a.png", content=png(1), headers={"content-type": "image/png"})
    client.post("/api/stations/plates/inspect?name=b.png", content=b"x", headers={"content-type": "image/png"})
    client.__exit__(None, None, None)  # it waits for what is on its way
    first, second = (json.loads(line) for line in (tmp_path / "events").read_text().splitlines())
    assert (first["path"], first["station"], first["id"]) == ("a.png", "plates", good.json()["id"])
    assert first["score"] == good.json()["score"]
    assert first["identity"]["method"] == "patch-knn"
    assert (second["path"], "error" in second, "score" in second) == ("b.png", True, False)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"watch": (Source(address="in", station="none"),)}, UnknownStationError),
        ({"watch": (Source(address=__file__, station="plates"),)}, UsageError),
        ({"cameras": (Source(address="ftp://x/y", station="plates"),)}, UsageError),
        ({"sinks": ("on-ng:no-such-program",)}, UsageError),
    ],
)
def test_what_is_wrong_is_said_at_the_start(serve: Serve, settings: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        serve(**settings)


def test_what_another_program_changes_or_marks_is_told(serve: Serve) -> None:
    client = serve()
    folder = service_of(client).stations["plates"].folder
    before = client.get("/api/stations/plates").json()["version"]
    with locked(folder):
        write_station(replace(read_station(folder), version=None), folder, verb="set", what="by a program")
    until(lambda: [each["version"] for each in said(client, "station")] == [before + 1])
    (folder / FEEDBACK).write_text("")
    until(lambda: len(said(client, "station")) == 2)
