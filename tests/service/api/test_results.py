"""Results over HTTP: found, shown, drawn, counted, and taken along."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

import oddlens
from oddlens.detection import Detection, Marking, RegionOfInterest, Thresholds, ValueRange
from oddlens.errors import UsageError
from oddlens.history import drawing
from oddlens.history.history import History
from oddlens.history.records import FeedbackEntry, Inspection
from oddlens.service.api.results import router
from oddlens.service.app import status_of
from tests.history.given import IDENTITY, NOON, found, new
from tests.service.conftest import service_of
from tests.service.given import png


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History.open(tmp_path / "history.sqlite", tmp_path / "pictures")
    yield opened
    opened.close()


@pytest.fixture
def client(history: History) -> Iterator[TestClient]:
    app = FastAPI()
    stations = {
        name: SimpleNamespace(name=name, problem=None, loaded=lambda: SimpleNamespace(identity=IDENTITY))
        for name in ("line-3", "other")
    }
    app.state.service = SimpleNamespace(history=history, stations=stations)
    app.include_router(router)
    for each in (drawing.GoneError, UsageError):
        app.add_exception_handler(each, lambda _, error: JSONResponse({"error": str(error)}, status_of(error)))  # type: ignore[arg-type]
    with TestClient(app) as client:
        yield client


def encoded(pixels: Any, form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


PIXELS = np.stack(np.broadcast_arrays(np.arange(60)[:, None] * 4, np.arange(80) * 3, 90), axis=-1).astype(np.uint8)
MAP = np.zeros((6, 8), np.float32)
MAP[2:4, 3:6] = 0.9


def detection(**changes: Any) -> Detection:
    values: dict[str, Any] = {
        "score": 0.9,
        "anomaly_map": MAP,
        "image_size": (80, 60),
        "thresholds": Thresholds(0.5, 0.6, "given"),
        "value_range": ValueRange(0.0, 1.0, "fixed range 0 to 1"),
        "source": "nut.png",
    }
    return Detection(**values | changes)


def kept(history: History, given: Detection, form: str = "PNG", **changes: Any) -> Inspection:
    pictures = history.pictures
    values = {
        "detection": json.loads(json.dumps(given.to_dict())),
        "digest": pictures.put(encoded(PIXELS, form)),
        "map_digest": pictures.put_map(given.anomaly_map),
        "value_range": given.value_range,
    }
    return history.add(new(**values | changes))


def test_find(history: History, client: TestClient) -> None:
    for minutes, score, verdict in ((0, 0.1, "ok"), (1, 0.7, "ng"), (2, 0.8, "ng"), (3, 0.45, "review")):
        history.add(new(minutes, found(score, verdict)))
    asked = {"station": "line-3", "verdict": "ng,review", "sort": "score", "limit": 2, "cursor": "", "text": ""}
    first = client.get("/api/results", params=asked).json()
    assert ([each["score"] for each in first["items"]], first["total"]) == ([0.8, 0.7], 3)
    second = client.get("/api/results", params=asked | {"cursor": first["next"]}).json()
    assert ([each["score"] for each in second["items"]], second["next"]) == ([0.45], None)
    since = {"since": "2026-11-26T13:02:30+01:00"}
    assert [each["score"] for each in client.get("/api/results", params=since).json()["items"]] == [0.45]
    assert client.get("/api/results", params={"since": "2026-11-26T12:02:30"}).json()["total"] == 1
    assert client.get("/api/results/2").json()["score"] == 0.7


@pytest.mark.parametrize("number", ["99", "0", "-1", str(2**63), str(-(2**64))])
def test_no_such_result(client: TestClient, number: str) -> None:
    for kind in ("", "/image", "/thumbnail", "/overlay", "/map"):
        assert client.get(f"/api/results/{number}{kind}").status_code == 404


@pytest.mark.parametrize("asked", ["limit=0", "limit=1001", "min_score=nan", "since=yesterday", "audit=perhaps"])
def test_what_cannot_be_asked(client: TestClient, asked: str) -> None:
    assert client.get(f"/api/results?{asked}").status_code == 422


EXTREMES = (
    "-1", "0", "1", str(2**63 - 1), str(2**63), str(2**64), "9" * 400, "1.5", "1e308", "1e309", "nan", "-inf", "", "%00", "%F0%9F",
    "x" * 5000, "0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "253402300800", "-99999999999",
)  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "results/{}", "results/{}/map", "results?limit={}", "results?cursor={}", "results?min_score={}", "results?text={}",
        "results?since={}", "results?until={}", "results/export?since={}",
    ],
)  # fmt: skip
def test_no_extreme_is_a_fault(history: History, client: TestClient, path: str) -> None:
    kept(history, detection())
    found = {each: client.get(f"/api/{path.format(each)}").status_code for each in EXTREMES}
    assert set(found.values()) <= {200, 307, 404, 422}, found


def test_pictures_of_a_result(history: History, client: TestClient) -> None:
    given = detection()
    path = f"/api/results/{kept(history, given).id}"
    image = client.get(f"{path}/image")
    assert (image.content, image.headers["content-type"]) == (encoded(PIXELS, "PNG"), "image/png")
    thumbnail = Image.open(io.BytesIO(client.get(f"{path}/thumbnail").content))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (80, 60))
    anomaly_map = client.get(f"{path}/map")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(anomaly_map.content))), MAP)
    overlay = client.get(f"{path}/overlay")
    shown = np.asarray(Image.open(io.BytesIO(overlay.content)), np.float32)
    assert np.abs(shown - given.painted_pixels(PIXELS)).mean() < 4  # JPEG
    assert np.abs(shown - PIXELS).mean() > 8
    assert client.get(f"{path}/overlay").content == overlay.content
    again = client.get(f"{path}/overlay", headers={"If-None-Match": overlay.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", overlay.headers["etag"])
    assert image.headers["etag"] != overlay.headers["etag"]
    assert "no-cache" in image.headers["cache-control"], "another history has other images under the same numbers"


def test_the_overlay_is_that_of_the_detection(history: History) -> None:
    """With its scale, and where it looked, which only the identity says."""
    roi, marking = (
        RegionOfInterest(include=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),)),
        Marking(min_area=3, mm_per_pixel=0.5),
    )
    given = detection(roi=roi, marking=marking, value_range=ValueRange(-1.0, 3.0, "calibrated"))
    identity = IDENTITY | {"roi": roi.to_dict(), "marking": marking.to_dict()}
    again = drawing.detection(history.pictures, kept(history, given, identity=identity))
    assert np.array_equal(again.painted_pixels(PIXELS), given.painted_pixels(PIXELS))
    assert again.to_dict() == given.to_dict()


def test_a_format_that_browsers_do_not_show(history: History, client: TestClient) -> None:
    path = f"/api/results/{kept(history, detection(), 'TIFF').id}/image"
    shown = client.get(path)
    assert shown.headers["content-type"] == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.content))), PIXELS)
    original = client.get(path, params={"original": True})
    assert original.content == encoded(PIXELS, "TIFF")
    assert original.headers["content-disposition"].startswith("attachment")


def test_a_page_as_an_image_is_never_shown_as_one(history: History, client: TestClient) -> None:
    digest = history.pictures.put(b"<html><script>alert(1)</script></html>")
    added = history.add(new(error="It is a text file.", digest=digest, map_digest=None, source="<b>.html"))
    original = client.get(f"/api/results/{added.id}/image", params={"original": True})
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"].startswith("attachment")


def test_what_is_gone(history: History, client: TestClient) -> None:
    added = kept(history, detection())
    path = history.pictures.path(added.digest)
    assert path is not None
    path.unlink()
    for kind in ("image", "thumbnail", "overlay"):
        answer = client.get(f"/api/results/{added.id}/{kind}")
        assert (answer.status_code, "is not kept" in answer.json()["error"]) == (404, True)
    assert added.map_digest is not None
    history.pictures.map_path(added.map_digest).unlink()  # type: ignore[union-attr]
    for kind in ("map", "overlay"):
        assert client.get(f"/api/results/{added.id}/{kind}").status_code == 404


def test_figures_of_a_station(history: History, client: TestClient) -> None:
    for minutes, score, verdict in ((0, 0.1, "ok"), (30, 0.2, "ok"), (61, 0.3, "ok"), (62, 0.9, "ng")):
        history.add(new(minutes, found(score, verdict)))
    history.add(new(63, error="It is damaged.", map_digest=None))
    history.add_feedback(FeedbackEntry(inspection_id=4, said="bad", defect="crack", time=NOON))
    base = "/api/stations/line-3"
    assert client.get(f"{base}/scores").json() == {
        "id": [4, 3, 2, 1], "score": [0.9, 0.3, 0.2, 0.1], "verdict": ["ng", "ok", "ok", "ok"], "said": ["bad", None, None, None],
        "note": None,
    }  # fmt: skip
    trend = client.get(f"{base}/trend", params={"since": "2026-11-26T12:30:00Z"}).json()
    assert (trend["time"][0], trend["score"]) == ("2026-11-26T12:30:00.000Z", [0.2, 0.3, 0.9])
    limits = client.get(f"{base}/trend").json()["limits"]
    assert limits == {"image": 0.5, "review": 0.4, "median": None, "high": None, "least": 20}
    hours = client.get(f"{base}/hours").json()
    assert hours == [
        {"hour": "2026-11-26T12:00:00.000Z", "ok": 2, "review": 0, "ng": 0, "failed": 0, "none": 0},
        {"hour": "2026-11-26T13:00:00.000Z", "ok": 1, "review": 0, "ng": 1, "failed": 1, "none": 0},
    ]
    assert client.get(f"{base}/defects").json() == [{"name": "crack", "count": 1}]
    nothing = client.get("/api/stations/other/trend").json()
    assert nothing == {
        "time": [],
        "score": [],
        "verdict": [],
        "limits": dict.fromkeys(("image", "review", "median", "high")) | {"least": 20},
        "note": None,
    }


@pytest.mark.parametrize("format", ["csv", "jsonl", "zip"])
def test_export(history: History, client: TestClient, format: str) -> None:
    for number in range(3):
        kept(history, detection(), minutes=number, source=f"nut-{number}.png")
    history.pictures.path(kept(history, detection(), "BMP", minutes=5).digest).unlink()  # type: ignore[union-attr]
    answer = client.get("/api/results/export", params={"format": format, "sort": "oldest"})
    assert answer.headers["content-disposition"] == f'attachment; filename="oddlens-results.{format}"'
    if format == "zip":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
            assert file.testzip() is None
            assert file.namelist() == ["results.csv", "results.jsonl", *(f"images/{n}.png" for n in (1, 2, 3))]
            assert file.read("images/2.png") == encoded(PIXELS, "PNG")
            table, lines = file.read("results.csv").decode(), file.read("results.jsonl").decode()
    else:
        table = lines = answer.text
    if format != "jsonl":
        rows = list(csv.DictReader(io.StringIO(table)))
        assert [row["source"] for row in rows[:3]] == ["nut-0.png", "nut-1.png", "nut-2.png"]
        assert (rows[0]["score"], rows[0]["verdict"], rows[0]["threshold"], rows[0]["regions"]) == (
            "0.9",
            "ng",
            "0.5",
            "1",
        )
        assert rows[0]["time"] == "2026-11-26T12:00:00.000Z"
    if format != "csv":
        documents = [json.loads(line) for line in lines.splitlines()]
        assert [each["id"] for each in documents] == [1, 2, 3, 4]
        assert documents[0]["identity"] == IDENTITY


def test_a_table_holds_no_formula(history: History, client: TestClient) -> None:
    bad = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "ok"]
    for number, source in enumerate(bad):
        history.add(new(number, found(-0.5, "ok"), source=source))
    history.add_feedback(
        FeedbackEntry(inspection_id=1, said="bad", comment="=cmd|' /C calc'!A0", defect="-2+3", time=NOON)
    )
    rows = list(csv.DictReader(io.StringIO(client.get("/api/results/export?sort=oldest").text, newline="")))
    assert [row["source"] for row in rows] == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "ok"]
    assert (rows[0]["comment"], rows[0]["defect"], rows[0]["score"]) == ("'=cmd|' /C calc'!A0", "'-2+3", "-0.5")


def test_a_zip_is_written_as_it_is_read(history: History) -> None:
    """At most a chunk of an image is held, whatever the size of all."""
    from oddlens.history.export import archive
    from oddlens.history.filters import Filter

    large = b"\x89PNG\r\n\x1a\n" + np.random.default_rng(1).bytes(5 << 20)
    for number in range(3):
        history.add(new(number, digest=history.pictures.put(large + bytes([number]))))
    parts = [len(part) for part in archive(history, Filter())]
    assert max(parts) < 2 << 20
    assert sum(parts) > 15 << 20


def test_a_zip_takes_what_a_machine_inspected_whose_clock_was_never_set(history: History) -> None:
    from oddlens.history.export import archive
    from oddlens.history.filters import Filter

    history.add(new(digest=history.pictures.put(b"an image"), time=datetime(1970, 1, 1, tzinfo=UTC)))
    with zipfile.ZipFile(io.BytesIO(b"".join(archive(history, Filter())))) as file:
        assert file.read("images/1.bin") == b"an image"
        assert b"1970-01-01T" in file.read("results.csv")


def test_the_end_of_an_export_stays(history: History) -> None:
    from oddlens.history.export import table
    from oddlens.history.filters import Filter

    for number in range(3):
        history.add(new(number, time=NOON + timedelta(seconds=number)))
    lines = b"".join(table(history, Filter(until=NOON + timedelta(seconds=2)))).splitlines()
    assert len(lines) == 3


def test_a_real_inspection_is_drawn_as_the_detector_draws_it(serve: Callable[..., TestClient], station: Path) -> None:
    client = serve()
    sent = client.post(
        "/api/stations/plates/inspect?name=p.png", content=png(3, True), headers={"Content-Type": "image/png"}
    )
    assert sent.json()["verdict"] == "ng"
    links = sent.json()["links"]
    (wanted,) = oddlens.open_station(station, runtime="onnx").detect([png(3, True)], "plate")
    again = drawing.detection(service_of(client).history.pictures, service_of(client).history.get(sent.json()["id"]))  # type: ignore[arg-type]
    assert np.array_equal(again.anomaly_map, wanted.anomaly_map)
    assert np.array_equal(again.painted_pixels(png(3, True)), wanted.painted_pixels(png(3, True)))
    assert again.to_dict() == wanted.to_dict() | {"path": "p.png"}
    for kind in ("image", "thumbnail", "overlay", "map"):
        assert client.get(links[kind]).status_code == 200
    answer = client.get("/api/results/99")
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no result 99"})
    answer = client.get("/api/results?verdict=bad")
    assert answer.status_code == 422
    assert "there is no verdict 'bad'" in answer.json()["error"]
    assert client.get("/api/results/export?format=zip").content.startswith(b"PK")
