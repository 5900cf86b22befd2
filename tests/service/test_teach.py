"""Teaching over HTTP: each change is a new version with an audit entry, and what is doubtful is asked about."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

import oddlens
from oddlens.calibration.conformal import declared_bound, moved_bound
from oddlens.station import locked, read_station, versions
from oddlens.station.feedback import add_feedback, read_feedback
from tests.service.conftest import REFERENCES, service_of
from tests.service.given import STATION, files, inspect, ok, png


class TestReferences:
    def test_they_join_as_a_new_version(self, client: TestClient, station: Path) -> None:
        dry = ok(client.post(f"{STATION}/references?dry_run=1", files=files(20, 21)))
        assert dry["version"] is None
        assert len(dry["vetting"]) == REFERENCES + 2
        assert [each.number for each in versions(station)] == [1]
        found = ok(client.post(f"{STATION}/references", files=files(20, 21), data={"who": "Ada", "accept": "all"}))
        assert found["version"] == 2
        assert found["sentences"] == [
            "2 references added.",
            f"The thresholds were made anew, by {REFERENCES + 2} references, each against the others.",
        ]
        after = client.get(STATION).json()
        assert (len(after["references"]), after["calibrated"], after["state"]) == (
            REFERENCES + 2,
            REFERENCES + 2,
            "learning",
        )
        assert after["references"][-1]["source"] == "21.png"

    def test_each_that_was_sent_has_a_thumbnail(self, client: TestClient) -> None:
        ok(client.post(f"{STATION}/references", files=files(61)))
        *made, sent = client.get(f"{STATION}/references").json()
        assert [each["has_thumbnail"] for each in made] == [False] * REFERENCES  # they were arrays
        found = client.get(f"{STATION}/references/{sent['digest']}/thumbnail")
        assert (found.status_code, found.headers["content-type"]) == (200, "image/jpeg")
        with Image.open(io.BytesIO(found.content)) as image:
            assert image.size == (96, 96)
        for digest in (made[0]["digest"], "0" * 64, "..%2f..%2fetc%2fpasswd"):
            assert client.get(f"{STATION}/references/{digest}/thumbnail").status_code == 404

    def test_a_doubtful_one_is_asked_about(self, client: TestClient, station: Path) -> None:
        bad = files(40, defect=True)
        found = client.post(f"{STATION}/references", files=bad)
        assert found.status_code == 409
        assert "40.png differs most" in found.json()["error"]
        first = found.json()["vetting"][0]
        assert (first["name"], first["flagged"]) == ("40.png", True)
        assert [each.number for each in versions(station)] == [1]
        accept = {"accept": [each["name"] for each in found.json()["vetting"] if each["flagged"]]}
        assert ok(client.post(f"{STATION}/references", files=bad, data=accept))["version"] == 2
        state = read_station(station)
        assert state.accepted is not None
        assert list(state.accepted.reasons) == ["40.png"]
        ok(client.post(f"{STATION}/references", files=files(20), data={"accept": "all"}))  # in every later promise
        assert "were accepted: 40.png" in client.get(f"{STATION}/calibration").json()["promise"]

    def test_one_goes_by_its_digest(self, client: TestClient) -> None:
        digest = client.get(f"{STATION}/references").json()[3]["digest"]
        assert ok(client.delete(f"{STATION}/references/{digest}"))["version"] == 2
        left = client.get(f"{STATION}/references").json()
        assert len(left) == REFERENCES - 1
        assert digest not in [each["digest"] for each in left]
        again = client.delete(f"{STATION}/references/{digest}")
        assert (again.status_code, "no reference" in again.json()["error"]) == (422, True)

    def test_what_is_left_without_one_is_said_before_it_goes(self, client: TestClient, station: Path) -> None:
        digest = client.get(f"{STATION}/references").json()[3]["digest"]
        dry = ok(client.delete(f"{STATION}/references/{digest}?dry_run=1"))
        assert dry["version"] is None
        assert dry["sentences"][0] == "1 reference removed."
        assert [each.number for each in versions(station)] == [1]

    def test_the_last_one_stays(self, client: TestClient) -> None:
        ok(client.post("/api/stations", files=files(1, 2), data={"name": "two", "object_name": "plate"}), 201)
        first, last = client.get("/api/stations/two/references").json()
        found = ok(client.delete(f"/api/stations/two/references/{first['digest']}"))
        assert found["sentences"] == ["1 reference removed.", "There are too few references for thresholds."]
        again = client.delete(f"/api/stations/two/references/{last['digest']}")
        assert (again.status_code, "cannot go" in again.json()["error"]) == (422, True)

    def test_what_turns_is_said_before_it_is_saved(self, client: TestClient) -> None:
        flagged = inspect(client, png(41, True))
        assert flagged["verdict"] == "ng"
        dry = ok(client.post(f"{STATION}/references?dry_run=true", files=files(41, defect=True)))
        (turned,) = dry["turned"]
        assert (turned["id"], turned["now"], turned["then"]) == (flagged["id"], "ng", "ok")
        assert turned["score_now"] == flagged["score"]
        assert turned["score_then"] < turned["score_now"]


class TestScores:
    """Which scores the page Thresholds counts."""

    def test_those_of_other_references_are_left_out_and_named(self, client: TestClient) -> None:
        inspect(client, png(41, True))
        inspect(client, png(42))
        ok(client.patch(STATION, json={"threshold": 0.3}))
        assert len(ok(client.get(f"{STATION}/scores"))["id"]) == 2  # thresholds alone change no score
        ok(client.post(f"{STATION}/references", files=files(20), data={"accept": "all"}))
        found = ok(client.get(f"{STATION}/scores"))
        assert found["id"] == []
        assert found["note"] == (
            "Not counted: 2 earlier inspections scored in another way (references): the thresholds are not for such scores."
        )
        now = inspect(client, png(42))
        assert ok(client.get(f"{STATION}/scores"))["id"] == [now["id"]]
        ok(client.post(f"{STATION}/rollback", json={"version": 1}))
        assert ok(client.get(f"{STATION}/scores"))["id"] == [now["id"] - 1, now["id"] - 2]

    def test_another_name_for_the_object_keeps_them_where_no_score_depends_on_it(self, client: TestClient) -> None:
        inspect(client, png(42))
        ok(client.patch(STATION, json={"object_name": "steel plate"}))
        found = ok(client.get(f"{STATION}/scores"))
        assert (found["id"], found["note"]) == ([1], None)


class TestCalibration:
    def test_what_it_says(self, client: TestClient) -> None:
        found = client.get(f"{STATION}/calibration").json()
        assert (found["kind"], found["count"]) == ("leave-one-out", REFERENCES)
        assert found["scores"] == sorted(found["scores"])
        assert found["bounds"] == [moved_bound(REFERENCES, rank) for rank in range(REFERENCES + 1)]
        assert found["declared"] == [declared_bound(REFERENCES, rank) for rank in range(REFERENCES + 1)]
        assert found["threshold"] == found["scores"][-1]

    def test_a_review_threshold_that_was_given_by_hand_makes_no_rate(self, client: TestClient) -> None:
        assert client.get(f"{STATION}/calibration").json()["review_rate"] == 0  # too few images for any
        ok(client.patch(STATION, json={"review_threshold": 0.0001}))
        found = client.get(f"{STATION}/calibration").json()
        assert (found["review_threshold"], found["review_rate"]) == (0.0001, 0)

    def test_on_other_good_images(self, client: TestClient) -> None:
        good = files(*range(60, 72))
        before = client.get(f"{STATION}/calibration").json()
        found = ok(
            client.post(
                f"{STATION}/calibration", files=good, data={"false_alarm_rate": "0.1", "who": "Ada", "accept": "all"}
            )
        )
        assert (found["kind"], found["count"], found["false_alarm_rate"]) == ("split", 12, 0.1)
        assert found["review_rate"] == 0  # as before: so few references have none
        above = sum(score > before["threshold"] for score in found["scores"])
        assert found["sentences"] == [
            f"The threshold was {before['threshold']:.4g}; {above} of the 12 images {'lies' if above == 1 else 'lie'} above it."
        ]
        station = client.get(STATION).json()
        assert (station["state"], station["version"]) == ("ready", 2)
        assert station["audit"][0]["what"] == "calibrated on 12 good images"

    def test_a_doubtful_one_stops_it(self, client: TestClient) -> None:
        good = [*files(*range(60, 70)), *files(40, defect=True)]
        found = client.post(f"{STATION}/calibration", files=good)
        assert found.status_code == 409
        vetting = found.json()["vetting"]
        assert (vetting[0]["name"], vetting[0]["flagged"]) == ("40.png", True)
        assert client.get(STATION).json()["version"] == 1
        accept = [each["name"] for each in vetting if each["flagged"]]
        assert ok(client.post(f"{STATION}/calibration", files=good, data={"accept": accept}))["count"] == 11

    def test_on_the_references_again(self, client: TestClient) -> None:
        ok(client.post(f"{STATION}/calibration", files=files(*range(60, 70)), data={"accept": "all"}))
        found = ok(client.post(f"{STATION}/calibration", json={"on": "references", "false_alarm_rate": 0.25}))
        assert (found["kind"], found["false_alarm_rate"]) == ("leave-one-out", 0.25)

    def test_on_what_the_line_brought(self, client: TestClient) -> None:
        ok(client.post(f"{STATION}/calibration", json={}))  # it is learning from now on
        assert client.get(STATION).json()["state"] == "learning"
        early = client.post(f"{STATION}/calibration", json={"on": "learning"})
        assert (early.status_code, "no images of its line" in early.json()["error"]) == (422, True)
        several = [("files", (f"{n}.png", png(n), "image/png")) for n in range(100, 121)]
        client.post(f"{STATION}/inspect", files=several)
        assert client.get(f"{STATION}/calibration").json()["learning"]["kept"] == 21
        found = ok(client.post(f"{STATION}/calibration", json={"on": "learning", "accept": ["all"]}))
        assert (found["kind"], found["count"]) == ("split", 21)
        assert client.get(STATION).json()["state"] == "ready"

    def test_what_cannot_be_is_refused(self, client: TestClient) -> None:
        for body in (
            {"on": "nothing"},
            {"rate": 1},
            {"false_alarm_rate": 0.001},
            {"on": "files"},
            {"false_alarm_rate": 2},
        ):
            found = client.post(f"{STATION}/calibration", json=body)
            assert found.status_code == 422, body
            assert found.json()["error"]
        found = client.post(f"{STATION}/calibration", files=files(60), data={"false_alarm_rate": "few"})
        assert found.status_code == 422
        assert "false_alarm_rate is not as it should be: Input should be a valid number" in found.json()["error"]


class TestFeedback:
    def test_a_false_alarm_is_learned(self, client: TestClient, station: Path) -> None:
        flagged = inspect(client, png(42, True))
        said = ok(
            client.post(
                f"/api/results/{flagged['id']}/feedback", json={"judged": "wrong", "comment": "dirt", "reviewer": "Ada"}
            )
        )
        assert (said["said"], said["judged"], said["comment"]) == ("good", "wrong", "dirt")
        (mark,) = read_feedback(station).marks
        assert (mark.said, mark.verdict, mark.reviewer) == ("good", "ng", "Ada")
        add_feedback(
            station, [replace(mark, sha256="0" * 64, image="/elsewhere.png", said="bad")]
        )  # 'oddlens feedback'
        assert client.get(STATION).json()["marks"] == {"good": 1, "bad": 1}
        dry = ok(client.post(f"{STATION}/learn", json={"dry_run": True}))
        assert (dry["version"], dry["is_new"]) == (None, True)
        assert len(dry["joined"]) == 1
        assert [(each["id"], each["then"]) for each in dry["turned"]] == [(flagged["id"], "ok")]
        assert [each.number for each in versions(station)] == [1]
        real = ok(client.post(f"{STATION}/learn", json={"who": "Ada"}))
        assert real["version"] == 2
        assert real["turned"] == dry["turned"]
        learned = client.get(f"{STATION}/references").json()[-1]  # it lies in a file that is called by its hash
        assert (learned["source"], learned["time"]) == (flagged["source"], flagged["time"])
        assert inspect(client, png(42, True))["verdict"] == "ok"
        nothing = ok(client.post(f"{STATION}/learn", json={}))
        assert (nothing["version"], nothing["is_new"], real["is_new"]) == (None, False, True)
        (entry,) = client.get(STATION).json()["audit"]
        assert entry["what"] == versions(station)[-1].what == "learned of the marks: +1 reference that was flagged"

    def test_what_would_change_is_said_while_another_program_writes(self, client: TestClient, station: Path) -> None:
        flagged = inspect(client, png(42, True))
        ok(client.post(f"/api/results/{flagged['id']}/feedback", json={"judged": "wrong"}))
        with locked(station):
            assert ok(client.post(f"{STATION}/learn", json={"dry_run": True}))["is_new"]
            assert ok(client.post(f"{STATION}/references?dry_run=1", files=files(20)))["version"] is None
            refused = client.post(f"{STATION}/learn", json={})
        assert "another program is writing to the station" in refused.json()["error"]
        assert [each.number for each in versions(station)] == [1]

    def test_a_defect_is_known_by_its_name_and_names_others_without_torch(
        self, client: TestClient, station: Path
    ) -> None:
        flagged = inspect(client, png(43, True))
        ok(client.post(f"/api/results/{flagged['id']}/feedback", json={"judged": "right", "defect": "dent"}))
        found = ok(client.post(f"{STATION}/learn", json={}))
        assert (found["version"], found["named"], len(found["defects"])) == (2, 1, 1)
        assert "One name has nothing to be chosen from" in " ".join(found["sentences"])
        alone = inspect(client, png(43, True))["regions"]
        assert alone
        assert not any("names" in each for each in alone)
        defects = read_station(station).defects
        assert defects is not None
        assert defects.regions.names == ("dent",)
        assert [each.name for each in defects.known] == ["dent"]
        assert client.get(f"{STATION}/calibration").json()["bad"] == [flagged["score"]]
        other = inspect(client, png(44, True))
        ok(client.post(f"/api/results/{other['id']}/feedback", json={"said": "bad", "defect": "burn"}))
        assert "One name" not in " ".join(ok(client.post(f"{STATION}/learn", json={}))["sentences"])
        named = inspect(client, png(43, True))["regions"][0]["names"]
        assert {name for name, _ in named} - {"unknown"} == {"dent", "burn"}

    def test_what_was_inspected_is_within_the_limit(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        result = inspect(client, png(44))
        monkeypatch.setenv("ODDLENS_MAX_MEGAPIXELS", "0.001")
        assert inspect(client, png(45))["error"]
        for part in ("thumbnail", "overlay", "image"):
            assert client.get(result["links"][part]).status_code == 200
        assert "remark" not in ok(client.post(f"{result['links']['self']}/feedback", json={"said": "good"}))

    def test_all_who_listen_are_told_what_was_said(self, client: TestClient) -> None:
        result = inspect(client, png(44))
        ok(client.post(f"{result['links']['self']}/feedback", json={"said": "good", "comment": "dirt"}))
        event = json.loads(service_of(client).events._kept[-1].text.partition("data: ")[2])
        assert (event["kind"], event["station"]) == ("feedback", "plates")
        assert [event["data"][name] for name in ("id", "said", "comment")] == [result["id"], "good", "dirt"]

    def test_what_cannot_be_said_is_refused(self, client: TestClient) -> None:
        number = inspect(client, png(1))["id"]
        for none in (999, 0, -1, 10**30):
            assert client.post(f"/api/results/{none}/feedback", json={"judged": "right"}).status_code == 404
        for body in ({}, {"judged": "maybe"}, {"said": "great"}, {"judged": "right", "reviewer": ""},
                     {"said": "bad", "defect": "a,b"}, {"said": "bad", "comment": "x" * 3000}):  # fmt: skip
            assert client.post(f"/api/results/{number}/feedback", json=body).status_code == 422, body
        failed = inspect(client, b"no image")["id"]
        assert client.post(f"/api/results/{failed}/feedback", json={"judged": "right"}).status_code == 422
        answer = ok(client.post(f"/api/results/{failed}/feedback", json={"said": "bad"}))
        assert "cannot learn from it" in answer["remark"]

    def test_a_memory_of_defects_says_what_it_needs(self, client: TestClient) -> None:
        number = inspect(client, png(43, True))["id"]
        ok(client.post(f"/api/results/{number}/feedback", json={"said": "bad"}))
        service_of(client).settings.__dict__["runtime"] = "onnx"
        found = client.post(f"{STATION}/learn", json={"defect_memory": True})
        assert found.status_code == 422
        assert "torch" in found.json()["error"]


class TestTry:
    def test_against_a_station_and_by_words_alone(self, client: TestClient, station: Path) -> None:
        file = {"file": ("a.png", png(45, True), "image/png")}
        detector = oddlens.open_station(station)
        (expected,) = detector.detect(png(45, True), detector.object_name)
        found = ok(client.post("/api/try", files=file, data={"station": "plates"}))
        assert found["score"] == expected.score
        assert found["overlay"].startswith("data:image/jpeg;base64,")
        assert found["image"].startswith("data:image/jpeg;base64,")
        words = ok(client.post("/api/try", files=file, data={"object_name": "steel plate"}))
        assert words["verdict"] is None
        assert client.get("/api/results").json()["total"] == 0  # nothing is kept
        assert service_of(client).history.pictures.path(client.get(STATION).json()["references"][0]["digest"]) is None

    def test_what_cannot_be_tried_is_refused(self, client: TestClient) -> None:
        two = [("file", ("a.png", png(1), "image/png"))] * 2
        for status, found in (
            (422, client.post("/api/try", files=two)),
            (422, client.post("/api/try", files={"file": ("a.png", b"junk", "image/png")})),
            (
                422,
                client.post(
                    "/api/try", files={"file": ("a.png", png(1), "image/png")}, data={"object_name": "x" * 200}
                ),
            ),
            (404, client.post("/api/try", files={"file": ("a.png", png(1), "image/png")}, data={"station": "none"})),
        ):
            assert found.status_code == status
            assert found.json()["error"]
