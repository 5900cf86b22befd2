"""The service over HTTP: what it answers, what it refuses, and what a damaged part harms."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

import oddlens
from oddlens.errors import UsageError
from oddlens.inference.event_hub import EventHub
from oddlens.service.app import create_app
from oddlens.service.settings import Limits, ServeSettings
from tests.service.conftest import service_of
from tests.service.given import png

INSPECT = "/api/stations/plates/inspect"
PNG = {"content-type": "image/png"}


def send(client: TestClient, data: bytes, path: str = INSPECT, **headers: str) -> tuple[int, dict[str, object]]:
    found = client.post(path, content=data, headers=PNG | headers)
    document: dict[str, object] = found.json()
    return found.status_code, document


def test_what_a_person_chose_on_the_page_says_so(client: TestClient) -> None:
    assert send(client, png(1))[1]["origin"] == "api"
    _, alone = send(client, png(2), f"{INSPECT}?origin=page")
    several = [("files", (f"{seed}.png", png(seed), "image/png")) for seed in (3, 4)]
    found = client.post(f"{INSPECT}?origin=page", files=several).json()["results"]
    assert [each["origin"] for each in (alone, *found)] == ["page"] * 3
    assert client.get("/api/results?origin=page").json()["total"] == 3
    assert client.post(f"{INSPECT}?origin=folder", files=several).status_code == 422


def test_one_image_as_the_body(client: TestClient, station: Path) -> None:
    detector = oddlens.open_station(station)
    (expected,) = detector.detect(png(7, True), detector.object_name)
    found = client.post(INSPECT, content=png(7, True), headers=PNG, params={"name": "seven.png"})
    assert found.status_code == 200
    document = found.json()
    assert (document["score"], document["verdict"]) == (expected.score, "ng")
    assert document["source"] == "seven.png"
    assert document["station_version"] == 1
    assert [each["box"] for each in document["regions"]] == [each["box"] for each in expected.to_dict()["regions"]]
    assert service_of(client).history.get(document["id"]) is not None


def test_several_images_as_a_form_and_one_of_them_is_none(client: TestClient) -> None:
    files = [("files", (f"{n}.png", b"no image" if n == 2 else png(n), "image/png")) for n in range(5)]
    found = client.post(INSPECT, files=files)
    assert found.status_code == 200
    results = found.json()["results"]
    assert [each["source"] for each in results] == [f"{n}.png" for n in range(5)]
    assert [each["error"] is None for each in results] == [True, True, False, True, True]
    assert client.post(INSPECT, files=files[:1]).json()["verdict"] == "ok"  # a form with one image: its inspection


def test_what_cannot_be_inspected_is_refused_in_a_sentence(client: TestClient) -> None:
    for status, sentence, found in (
        (422, "image is a text file", client.post(INSPECT, content=b"words", headers=PNG)),
        (422, "the body is empty", client.post(INSPECT, content=b"", headers=PNG)),
        (422, "a.png is empty", client.post(INSPECT, files={"files": ("a.png", b"", "image/png")})),
        (422, "no image came", client.post(INSPECT, files={"other": ("a.png", b"x", "image/png")})),
        (422, "files holds a text", client.post(INSPECT, data={"files": "x"}, files={"b": b"x"})),
        (415, "application/json cannot be inspected", client.post(INSPECT, json={})),
        (415, "no kind cannot be inspected", client.post(INSPECT, content=b"x")),
        (404, "there is no station 'lids'", client.post("/api/stations/lids/inspect", content=b"x", headers=PNG)),
        (404, "there is nothing here", client.get("/api/nowhere")),
        (405, "this cannot be done here", client.put(INSPECT)),
        (422, "the Idempotency-Key has 300", client.post(INSPECT, content=b"x", headers=PNG | {"Idempotency-Key": "k" * 300})),
    ):  # fmt: skip
        assert found.status_code == status, sentence
        assert sentence in found.json()["error"]


def test_a_form_that_is_none_is_refused(client: TestClient) -> None:
    kind = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\n", b"--y--", b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nabc'):
        found = client.post(INSPECT, content=body, headers=kind)
        assert found.status_code in (400, 422)
        assert found.json()["error"]


def test_too_much_is_refused(serve: Callable[..., TestClient]) -> None:
    client = serve(limits=Limits(max_bytes=20_000, max_files=3, max_megapixels=0.02))
    assert send(client, png(1))[0] == 200
    many = [("files", (f"{n}.png", b"x", "image/png")) for n in range(4)]
    for status, sentence, found in (
        (413, "larger than 0.02 MB", client.post(INSPECT, content=b"x" * 20_001, headers=PNG)),
        (413, "larger than 0.02 MB", client.post(INSPECT, content=iter([b"x" * 10_000] * 3), headers=PNG)),
        (400, "Too many files", client.post(INSPECT, files=many)),
    ):
        assert found.status_code == status
        assert sentence in found.json()["error"]
    small = serve(limits=Limits(max_megapixels=0.001), home=Path(service_of(client).settings.home).parent / "other")
    status, document = send(small, png(1))
    assert status == 422
    assert document["error"] == (
        "image has 96 x 96 pixels, more than the limit of 0.001 megapixels: send it smaller or in parts, or raise the "
        "limit, max_megapixels"
    )


HOSTILE = [
    "<script>alert(1)</script>.png",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "a\nb.png",
    "\x00.png",
    "x" * 500,
    "Ünï.png",
    "=cmd|'/c calc'!A1",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names_and_nothing_else(client: TestClient, name: str) -> None:
    found = client.post(INSPECT, content=png(1), headers=PNG, params={"name": name}).json()
    assert "/" not in found["source"].replace("</script>", "")
    assert found["source"].isprintable()
    assert 0 < len(found["source"]) <= 200
    home = service_of(client).settings.home
    assert {path.name for path in home.parent.iterdir()} == {"home", "plates"}


@pytest.mark.parametrize("what", ["", "/scores", "/trend", "/hours", "/defects", "/references", "/events"])
def test_of_a_station_that_is_none_nothing_is_said(client: TestClient, what: str) -> None:
    found = client.get(f"/api/stations/line-9{what}")
    assert (found.status_code, found.json()["error"]) == (404, "there is no station 'line-9': choose one of plates")


def test_hostile_paths_lead_nowhere(client: TestClient) -> None:
    for path in (
        "/api/stations/..%2f..%2fplates/inspect",
        "/api/stations/%2e%2e/inspect",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/s/..%2f..%2fetc%2fpasswd",
        "/api/stations/plates%00/events",
    ):
        found = client.get(path) if "inspect" not in path else client.post(path, content=png(1), headers=PNG)
        assert found.status_code in (404, 405), path


def test_a_station_with_a_hostile_name_is_served_and_escaped(
    made_station: Path, tmp_path: Path, serve: Callable[..., TestClient]
) -> None:
    name = "<b>li ne&'\"</b>".replace("/", "∕") + " #1?"
    client = serve(stations=(Path(shutil.copytree(made_station, tmp_path / name)),))
    (found,) = client.get("/api/stations").json()
    assert found["name"] == name
    assert send(client, png(1), f"/api/stations/{quote(name, safe='')}/inspect")[0] == 200
    page = client.get(f"/s/{quote(name, safe='')}", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "<b>li" not in page.text


def test_names_that_are_no_text_are_served(tmp_path: Path, serve: Callable[..., TestClient]) -> None:
    """Of a station's folder, and of its references: in the answers their bytes are escapes."""
    good = [tmp_path / os.fsdecode(b"%d\xfe.png" % number) for number in range(3)]
    for number, each in enumerate(good):
        each.write_bytes(png(number))
    detector = oddlens.load("patch-knn", runtime="onnx").add_references(good)
    detector.save(folder := tmp_path / os.fsdecode(b"li\xffne"))
    client = serve(stations=(folder,))
    (found,) = client.get("/api/stations").json()
    assert found["name"] == "li\\udcffne"
    place = f"/api/stations/{quote(found['name'], safe='')}"
    assert client.get(place).json()["references"][0]["source"].endswith("0\udcfe.png")
    assert send(client, png(9), f"{place}/inspect")[1]["station"] == found["name"]
    assert client.get(f"/s/{quote(found['name'], safe='')}/teach").status_code == 200
    assert client.post(f"{place}/calibration", json={}).status_code == 200
    assert r'station="li\\udcffne"' in client.get("/metrics").text


def test_a_damaged_station_is_shown_while_the_others_go_on(
    made_station: Path, tmp_path: Path, serve: Callable[..., TestClient]
) -> None:
    folders = [Path(shutil.copytree(made_station, tmp_path / name)) for name in ("whole", "broken")]
    (folders[1] / "station.json").write_text("{")
    client = serve(stations=tuple(folders))
    whole, broken = client.get("/api/stations").json()
    assert whole["problem"] is None
    assert "damaged" in broken["problem"]
    assert send(client, png(1), "/api/stations/whole/inspect")[0] == 200
    status, document = send(client, png(1), "/api/stations/broken/inspect")
    assert status == 503
    assert "damaged" in str(document["error"])
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert list(ready.json()["problems"]) == ["broken"]


def test_a_lost_database_is_said_and_recovers(client: TestClient, tmp_path: Path) -> None:
    assert send(client, png(1))[0] == 200
    database = tmp_path / "home" / "history.sqlite"
    for path in database.parent.glob("history.sqlite*"):
        path.unlink()
    statuses = [send(client, png(n)) for n in range(2, 5)]
    assert statuses[0][0] == 503
    assert "history" in str(statuses[0][1]["error"])
    assert statuses[-1][0] == 200  # it goes on with a new one
    assert client.get("/readyz").status_code == 200


def test_a_full_disk_is_said_and_recovers(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("oddlens.history.pictures.os.fsync", full)
        status, document = send(client, png(1))
        assert status == 503
        assert "No space left on device" in str(document["error"])
        assert client.get("/readyz").status_code == 503
        assert client.get("/api/stations").json()[0]["today"]["ok"] == 0
        patch.setattr("oddlens.service.inspector._TRIED_AGAIN_S", 0)  # later: whoever asks sends the next image
        assert client.get("/readyz").status_code == 200
    assert send(client, png(1))[0] == 200
    assert client.get("/readyz").status_code == 200


def test_a_full_queue_answers_429_and_when_to_come_again(serve: Callable[..., TestClient]) -> None:
    client = serve(limits=Limits(queue=1))
    inspector = service_of(client).inspector
    inspector._waiting["plates"] += 1
    found = client.post(INSPECT, content=png(1), headers=PNG)
    assert found.status_code == 429
    assert int(found.headers["retry-after"]) >= 1
    inspector._waiting["plates"] -= 1
    assert client.post(INSPECT, content=png(1), headers=PNG).status_code == 200


def test_a_deadline_answers_504(serve: Callable[..., TestClient]) -> None:
    status, document = send(serve(limits=Limits(deadline_s=0.0001)), png(1))
    assert status == 504
    assert "not inspected within 0.0001 seconds" in str(document["error"])


def test_a_paused_station_answers_409(client: TestClient) -> None:
    service = service_of(client)
    service.inspector.pause(service.stations["plates"])
    assert send(client, png(1))[0] == 409
    assert client.get("/api/stations").json()[0]["paused"] is True


def test_the_same_key_again_gives_the_same_result(client: TestClient) -> None:
    one, other = (send(client, png(1), **{"Idempotency-Key": "k"})[1] for _ in range(2))
    assert one["id"] == other["id"]
    assert send(client, png(2), **{"Idempotency-Key": "k"})[0] == 422


def test_the_longest_key_does_for_several_images_too(client: TestClient) -> None:
    files = [("files", (f"{n}.png", png(n), "image/png")) for n in range(2)]
    for _ in range(2):
        found = client.post(INSPECT, files=files, headers={"Idempotency-Key": "k" * 196})
        assert found.status_code == 200
    assert client.get("/api/results").json()["total"] == 2
    for key in ("", "k" * 197, "k" * 10_000):
        assert send(client, png(1), **{"Idempotency-Key": key})[0] == 422
    assert client.get("/readyz").status_code == 200


def test_what_a_station_is(client: TestClient) -> None:
    send(client, png(1))
    send(client, png(7, True))
    send(client, b"no image")
    (found,) = client.get("/api/stations").json()
    assert found["object_name"] == "plate"
    assert (found["references"], found["calibrated"], found["calibration_kind"]) == (5, 5, "leave-one-out")
    assert found["runtime"] == "onnx"
    assert found["thresholds"]["image"] > 0
    assert "at most 17 % of good images" in found["thresholds"]["promise"]
    assert found["today"] == {"ok": 1, "review": 0, "ng": 1, "failed": 1, "none": 0}


def test_what_happens_is_told(client: TestClient) -> None:
    events = service_of(client).events
    begin = events._next - 1
    _, document = send(client, png(1))
    events.close()  # so that the stream ends
    for path in ("/api/events", "/api/stations/plates/events"):
        found = client.get(path, headers={"Last-Event-ID": str(begin)})
        assert found.headers["content-type"].startswith("text/event-stream")
        assert found.status_code == 200
    assert [json.loads(each.text.split("data: ")[1])["data"] for each in events._kept] == [document]
    assert client.get("/api/stations/none/events").status_code == 404


def test_too_many_listeners_are_turned_away(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventHub, "listener_count", 200)
    assert client.get("/api/events").status_code == 503


def test_the_figures_count_what_was_inspected(client: TestClient) -> None:
    send(client, png(1))
    text = client.get("/metrics").text
    assert 'oddlens_inspections_total{outcome="ok",station="plates"} 1.0' in text
    assert "oddlens_waiting 0.0" in text


def test_the_interface_is_described(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/api/stations", INSPECT.replace("plates", "{name}"), "/api/events", "/healthz"} <= set(paths)
    assert client.get("/docs").status_code == 404


def test_a_token_becomes_a_cookie(serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        assert seconds == 1

    client = serve(token="a-token-of-twenty-four-..")
    assert client.get("/api/stations").status_code == 401
    assert client.get("/login").status_code == 200
    with monkeypatch.context() as patch:
        patch.setattr("oddlens.service.api.login.asyncio.sleep", at_once)
        assert client.post("/login", data={"token": "wrong"}).status_code == 401
        page = client.post("/login", data={"token": "wrong"}, headers={"accept": "text/html"})
        assert (page.status_code, "not the token" in page.text) == (401, True)
    for wanted, goal in (("/s/a", "/s/a"), ("//evil.example", "/"), ("/\\evil", "/"), ("https://evil", "/")):
        found = client.post(
            "/login", data={"token": "a-token-of-twenty-four-..", "next": wanted}, headers={"accept": "text/html"}
        )
        assert (found.status_code, found.headers["location"]) == (303, goal)
    assert "HttpOnly" in found.headers["set-cookie"]
    assert "SameSite=strict" in found.headers["set-cookie"]
    assert client.get("/api/stations").status_code == 200  # the client keeps cookies


def test_a_fault_of_ours_is_said_without_its_details(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oddlens.service.service.Service.describe", lambda *given: 1 / 0)
    quiet = TestClient(client.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    found = quiet.get("/api/stations")
    assert found.status_code == 500
    assert found.json() == {"error": "this is a fault of oddlens itself: the service's own messages say more"}


def test_two_stations_of_one_name_are_refused(station: Path, made_station: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two stations called plates"):
        create_app(ServeSettings(stations=(station, made_station), home=tmp_path / "home"))
    with pytest.raises(UsageError, match="is no station"):
        create_app(ServeSettings(stations=(tmp_path / "nowhere",), home=tmp_path / "home"))
