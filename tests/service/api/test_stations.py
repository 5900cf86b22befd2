"""Stations over HTTP: made, changed, paused, put back; each change is a version with an audit entry."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from oddlens.service.settings import Limits
from oddlens.station import read_station, versions, write_station
from tests.service.conftest import REFERENCES, service_of
from tests.service.given import PNG, STATION, files, inspect, ok, png

JSON = {"content-type": "application/json"}


class TestSeen:
    """What was decided on for an older version changes nothing."""

    def test_each_change_of_an_older_version_is_refused(self, client: TestClient, station: Path) -> None:
        digest = client.get(f"{STATION}/references").json()[0]["digest"]
        ok(client.patch(STATION, params={"seen": 1}, json={"threshold": 0.5}))
        old = {"seen": 1}
        for found in (
            client.patch(STATION, params=old, json={"threshold": 0.6}),
            client.patch(STATION, params=old, json={"object_name": "steel plate"}),
            client.patch(STATION, params=old, json={"false_alarm_rate": 0.5}),
            client.post(f"{STATION}/rollback", params=old, json={"version": 1}),
            client.post(f"{STATION}/references", params=old, files=files(20)),
            client.delete(f"{STATION}/references/{digest}", params=old),
            client.post(f"{STATION}/calibration", params=old, json={}),
            client.post(f"{STATION}/learn", params=old, json={}),
        ):
            assert (found.status_code, found.json()["version"]) == (409, 2), found.text
            assert found.json()["error"].startswith("version 2 of the station is in force by now, and this was decided")
        assert [each.number for each in versions(station)] == [1, 2]
        assert len(client.get(STATION).json()["audit"]) == 1

    def test_the_version_in_force_goes_through_and_none_is_any(self, client: TestClient) -> None:
        ok(client.patch(STATION, params={"seen": 1}, json={"threshold": 0.5}))
        ok(client.patch(STATION, params={"seen": 2}, json={"threshold": 0.6}))
        assert ok(client.patch(STATION, json={"threshold": 0.7}))["version"] == 4
        wrong = client.patch(STATION, params={"seen": "new"}, json={"threshold": 0.8})
        assert (wrong.status_code, "seen is not as it should be" in wrong.json()["error"]) == (422, True)

    def test_a_damaged_station_is_put_back_whatever_was_seen(self, client: TestClient, station: Path) -> None:
        (station / "station.json").write_text("{")
        assert ok(client.post(f"{STATION}/rollback", params={"seen": 7}, json={"version": 1}))["problem"] is None

    def test_a_refusal_tells_the_pages_what_is_in_force(self, client: TestClient, station: Path) -> None:
        write_station(read_station(station), station, verb="set", what="elsewhere")  # no page is told of it
        assert client.patch(STATION, params={"seen": 1}, json={"threshold": 0.6}).status_code == 409
        event = json.loads(service_of(client).events._kept[-1].text.partition("data: ")[2])
        assert (event["kind"], event["data"]["version"]) == ("station", 2)


class TestThresholds:
    def test_by_hand(self, client: TestClient, station: Path) -> None:
        before = client.get(STATION).json()
        after = ok(client.patch(STATION, json={"threshold": 0.5, "review_threshold": 0.3, "who": "Ada"}))
        assert after["version"] == before["version"] + 1
        assert (after["thresholds"]["image"], after["thresholds"]["review"]) == (0.5, 0.3)
        assert after["thresholds"]["source"].startswith("image: given")
        assert read_station(station).thresholds.image == 0.5
        (entry,) = client.get(STATION).json()["audit"]
        assert (entry["who"], entry["station"]) == ("Ada", "plates")
        assert entry["before"]["thresholds"]["image"] == before["thresholds"]["image"]
        assert entry["after"]["thresholds"]["image"] == 0.5
        assert f"threshold 0.5 (was {before['thresholds']['image']:.6g}, calibrated)" in entry["what"]

    def test_the_next_image_is_judged_by_them(self, client: TestClient) -> None:
        score = inspect(client, png(30))["score"]
        ok(client.patch(STATION, json={"threshold": score}))
        assert inspect(client, png(30))["verdict"] == "ok"  # NG lies above the threshold
        ok(client.patch(STATION, json={"threshold": math.nextafter(score, 0)}))
        found = inspect(client, png(30))
        assert (found["verdict"], found["station_version"]) == ("ng", 3)

    def test_back_to_calibrated_ones_at_a_rate(self, client: TestClient) -> None:
        before = client.get(STATION).json()["thresholds"]
        ok(client.patch(STATION, json={"threshold": 0.9}))
        after = ok(client.patch(STATION, json={"false_alarm_rate": 0.5, "review_rate": 0}))["thresholds"]
        assert after["image"] < before["image"]
        assert after["source"] == before["source"]

    def test_what_cannot_be_is_refused_and_changes_nothing(self, client: TestClient, station: Path) -> None:
        wrong: list[tuple[dict[str, object], str]] = [
            ({}, "nothing is changed"),
            ({"who": "Ada"}, "nothing is changed"),
            ({"threshold": 0.5, "false_alarm_rate": 0.1}, "contradict each other"),
            ({"threshold": 0.2, "review_threshold": 0.3}, "review"),
            ({"false_alarm_rate": 0.001}, "999"),
            ({"threshold": "high"}, "threshold is not as it should be"),
            ({"treshold": 0.5}, "treshold is not as it should be"),
            ({"object_name": " "}, "the object name is empty"),
            ({"defects": ["dent"]}, "fewer than two defects"),
            ({"threshold": True}, "threshold is not as it should be"),
            ({"threshold": "0.3"}, "threshold is not as it should be"),
            ({"threshold": 0.3, "who": "x" * 101}, "the name of who changes it has 101 letters"),
            ({"threshold": 0.3, "who": "Ada\x00"}, "control character"),
            ({"paused": True, "threshold": math.nextafter(math.inf, 0)}, "no threshold"),
            ({"object_name": "plate"}, "nothing is changed"),
        ]
        for change, sentence in wrong:
            found = client.patch(STATION, json=change)
            assert found.status_code == 422, change
            assert sentence in found.json()["error"]
        assert [each.number for each in versions(station)] == [1]
        found = client.get(STATION).json()
        assert (found["audit"], found["paused"]) == ([], False)

    def test_what_is_no_json_object_is_said(self, client: TestClient) -> None:
        for content in (b"", b"{", b"[]", b"null", b'"x"', b"threshold=0.3"):
            found = client.patch(STATION, content=content, headers=JSON)
            assert (found.status_code, "no JSON object" in found.json()["error"]) == (422, True), content
        assert "no JSON object" in client.patch(STATION, data={"threshold": "0.3"}).json()["error"]  # as curl sends it
        for path in (STATION, f"{STATION}/learn", f"{STATION}/calibration"):
            found = client.request("PATCH" if path == STATION else "POST", path, content=b"[" * 100_000, headers=JSON)
            assert (found.status_code, "no JSON object" in found.json()["error"]) == (422, True)

    def test_a_field_that_stands_twice_is_refused(self, client: TestClient) -> None:
        wrong = (
            client.patch(STATION, content='{"threshold": 0.3, "threshold": 0.9}', headers=JSON),
            client.post(f"{STATION}/calibration", content='{"threshold": 0, "threshold": 1}', headers=JSON),
        )
        for found in wrong:
            assert (found.status_code, found.json()["error"]) == (
                422,
                "'threshold' stands twice in the body: give it once",
            )
        twice = client.post("/api/stations", files=files(1), data={"name": ["a", "b"], "object_name": "plate"})
        assert (twice.status_code, twice.json()["error"]) == (422, "name stands twice in the form: give it once")
        assert client.get(STATION).json()["audit"] == []

    def test_review_is_unset_alone(self, client: TestClient) -> None:
        ok(client.patch(STATION, json={"threshold": 0.5, "review_threshold": 0.3}))
        after = ok(client.patch(STATION, json={"review_threshold": None, "threshold": None}))["thresholds"]
        assert (after["image"], after["review"]) == (0.5, None)
        assert "review threshold none (was 0.3)" in client.get(STATION).json()["audit"][0]["what"]

    def test_a_number_that_is_not_finite_is_none(self, client: TestClient) -> None:
        for text in ('{"threshold": NaN}', '{"threshold": Infinity}', '{"threshold": 1e999}'):
            found = client.patch(STATION, content=text, headers={"content-type": "application/json"})
            assert found.status_code == 422

    def test_names_of_defects(self, client: TestClient) -> None:
        assert "names" not in inspect(client, png(40, defect=True))["regions"][0]
        assert ok(client.patch(STATION, json={"defects": ["dent", "scratch"]}))["defects"] == ["dent", "scratch"]
        found = inspect(client, png(40, defect=True))
        assert found["verdict"] == "ng"
        assert {name for name, _ in found["regions"][0]["names"]} >= {"dent", "scratch"}
        assert ok(client.patch(STATION, json={"defects": []}))["defects"] == []

    def test_another_object(self, client: TestClient) -> None:
        assert ok(client.patch(STATION, json={"object_name": "steel plate"}))["object_name"] == "steel plate"

    def test_a_pause(self, client: TestClient) -> None:
        assert ok(client.patch(STATION, json={"paused": True}))["paused"] is True
        assert client.post(f"{STATION}/inspect", content=png(1), headers=PNG).status_code == 409
        assert ok(client.patch(STATION, json={"paused": False}))["paused"] is False
        assert inspect(client, png(1))["verdict"] == "ok"
        assert [each["what"] for each in client.get(STATION).json()["audit"]] == ["goes on", "paused"]

    def test_a_pause_lasts_over_a_restart(self, serve: Callable[..., TestClient]) -> None:
        for paused in (True, False):
            client = serve()
            ok(client.patch(STATION, json={"paused": paused}))
            service_of(client).stop()
            assert serve().get(STATION).json()["paused"] is paused

    def test_all_who_listen_are_told(self, client: TestClient) -> None:
        ok(client.patch(STATION, json={"threshold": 0.5}))
        events = service_of(client).events
        assert '"kind": "station"' in events._kept[-1].text
        assert '"image": 0.5' in events._kept[-1].text


def test_an_earlier_version_comes_back(client: TestClient, station: Path) -> None:
    before = client.get(STATION).json()
    ok(client.patch(STATION, json={"threshold": 1e-6}))
    ok(client.post(f"{STATION}/inspect?name=part.png", content=png(60), headers={"content-type": "image/png"}))
    look = ok(client.post(f"{STATION}/rollback", params={"dry_run": True}, json={"version": 1}))
    assert [(each["now"], each["then"]) for each in look["turned"]] == [("ng", "ok")]
    assert client.get(STATION).json()["version"] == 2
    ok(client.patch(STATION, json={"threshold": 0.5}))
    after = ok(client.post(f"{STATION}/rollback", json={"version": 1, "who": "Ada"}))
    assert after["version"] == 4
    assert after["thresholds"] == before["thresholds"]
    for none in (9, 0, 10**400, True):
        found = client.post(f"{STATION}/rollback", json={"version": none})
        assert (found.status_code, len(found.json()["error"]) < 250) == (422, True)
    (station / "station.json").write_text("{")
    assert "damaged" in client.get(STATION).json()["problem"]
    assert ok(client.post(f"{STATION}/rollback", params={"dry_run": True}, json={"version": 3})) == {"turned": []}
    mended = ok(client.post(f"{STATION}/rollback", json={"version": 3}))
    assert mended["problem"] is None
    assert mended["thresholds"]["image"] == 0.5


def test_all_that_is_known_of_a_station(client: TestClient) -> None:
    found = client.get(STATION).json()
    assert len(found["references"]) == REFERENCES
    names = {"source", "digest", "size", "score", "p_value", "flagged", "reason", "has_thumbnail", "time"}
    assert names == set(found["references"][0])
    assert (
        sorted(each["score"] for each in found["references"]) == client.get(f"{STATION}/calibration").json()["scores"]
    )
    assert [each["number"] for each in found["versions"]] == [1]
    assert found["log"][0]["verb"] == "save"


class TestNewStation:
    def test_four_images_make_one(self, client: TestClient, tmp_path: Path) -> None:
        data = {"name": "line 4", "object_name": "plate", "accept": "all"}
        found = ok(client.post("/api/stations", files=files(1, 2, 3, 4), data=data), 201)
        assert found["station"]["name"] == "line 4"
        assert found["station"]["state"] == "learning"
        assert len(found["vetting"]) == 4
        assert (tmp_path / "home" / "stations" / "line 4" / "station.json").is_file()
        verdicts = [
            client.post("/api/stations/line 4/inspect", content=png(seed, seed == 9), headers=PNG).json()["verdict"]
            for seed in (8, 9)
        ]
        assert verdicts == ["ok", "ng"]
        assert [each["name"] for each in client.get("/api/stations").json()] == ["plates", "line 4"]

    def test_it_is_there_after_a_restart(self, serve: Callable[..., TestClient]) -> None:
        data = {"name": "line-4", "object_name": "plate", "accept": "all"}
        ok(serve(stations=()).post("/api/stations", files=files(1, 2, 3, 4), data=data), 201)
        assert [each["name"] for each in serve(stations=()).get("/api/stations").json()] == ["line-4"]

    def test_doubtful_images_are_asked_about_and_nothing_is_made(self, client: TestClient, tmp_path: Path) -> None:
        data = {"name": "line-4", "object_name": "plate"}
        several = [*files(*range(1, 9)), *files(40, defect=True)]
        found = client.post("/api/stations", files=several, data=data)
        assert found.status_code == 409
        assert found.json()["vetting"][0]["name"] == "40.png"
        assert not (tmp_path / "home" / "stations").exists()
        accept = [each["name"] for each in found.json()["vetting"] if each["flagged"]]
        ok(client.post("/api/stations", files=several, data=data | {"accept": accept}), 201)

    def test_a_name_that_makes_no_folder_is_refused(self, client: TestClient, tmp_path: Path) -> None:
        for name in (
            "",
            "..",
            "../up",
            "a/b",
            "/etc",
            ".hidden",
            "a\0b",
            "x" * 65,
            "plates",
            "PLATES",
            "a\nb",
            "trailing.",
        ):
            found = client.post("/api/stations", files=files(1, 2), data={"name": name, "object_name": "plate"})
            assert found.status_code == 422, name
        assert not (tmp_path / "home" / "stations").exists()

    @pytest.mark.filterwarnings("ignore::oddlens.OddlensWarning")
    def test_the_same_image_twice_is_one(self, client: TestClient) -> None:
        data = {"name": "a", "object_name": "plate"}
        found = ok(client.post("/api/stations", files=[*files(1), *files(1)], data=data), 201)
        assert (found["station"]["references"], found["station"]["thresholds"]["image"]) == (1, None)
        assert "1 (2).png is 1.png" in found["copies"]
        (version,) = client.get("/api/stations/a").json()["versions"]
        assert version["what"] == "made of 1 reference (1 copy left out) on the page"

    def test_an_image_that_is_none_is_named(self, client: TestClient) -> None:
        several = [*files(1, 2), ("files", ("junk.png", b"junk", "image/png"))]
        found = client.post("/api/stations", files=several, data={"name": "a", "object_name": "plate"})
        assert found.status_code == 422
        assert found.json()["error"].startswith("junk.png ")

    def test_images_that_are_too_large_together_are_refused(self, serve: Callable[..., TestClient]) -> None:
        client = serve(limits=Limits(max_megapixels=0.01))  # each has 0.0092
        data = {"name": "a", "object_name": "plate", "accept": "all"}
        found = client.post("/api/stations", files=files(1, 2, 3, 4, 5), data=data)
        assert (found.status_code, "more than 0.04 megapixels together" in found.json()["error"]) == (422, True)
        ok(client.post("/api/stations", files=files(1, 2, 3, 4), data=data), 201)

    def test_two_files_of_one_name_are_told_apart(self, client: TestClient) -> None:
        several = [("files", ("image.png", png(seed), "image/png")) for seed in range(4)]
        found = ok(
            client.post("/api/stations", files=several, data={"name": "a", "object_name": "plate", "accept": "all"}),
            201,
        )
        assert {each["name"] for each in found["vetting"]} == {
            "image.png", "image (2).png", "image (3).png", "image (4).png",
        }  # fmt: skip
