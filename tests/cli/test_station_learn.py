"""`oddlens station learn`, and what `station show` says of feedback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.calibration import Calibration
from oddlens.station import read_station, versions
from oddlens.station.feedback import read_feedback
from tests.cli.program import call, run
from tests.noise import write_pictures
from tests.station.killing import killed_everywhere


@pytest.fixture
def station(tmp_path: Path, open_clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A station of three references that calls one of the parts NG, and results of it."""
    monkeypatch.chdir(tmp_path)
    write_pictures(Path("good"), 3)
    write_pictures(Path("parts"), 6, seed=1)
    detector = oddlens.load(model=open_clip_folder, device="cpu").add_references("good")
    detector.object_name = "nut"
    scores = sorted(found.score for found in detector.detect("parts", "nut"))
    detector.set_thresholds(image=(scores[-2] + scores[-1]) / 2).save("line")
    run("detect", "parts", "--station", "line", "--out", "out", "--audit", 1)
    return Path("line")


def of_verdict(verdict: str) -> list[str]:
    lines = map(json.loads, Path("out/results.jsonl").read_text().splitlines())
    return [line["path"] for line in lines if line["verdict"] == verdict]


def test_from_a_mark_to_a_new_version_and_back(station: Path) -> None:
    (path,) = of_verdict("ng")
    run("detect", "parts", "--station", "line", "--out", "plain")
    assert run("feedback", "line", "plain", "--good", path).code == 0
    home = Path.cwd()
    os.chdir("good")  # it is found from anywhere
    done = run("station", "learn", home / station)
    os.chdir(home)
    assert done.code == 0
    assert done.out.startswith("version 2:\n1 flagged image joins the references. The thresholds stay.")
    assert [each.verb for each in versions(station)] == ["save", "learn"]
    assert versions(station)[-1].what == "learned of the marks: +1 reference that was flagged"
    assert "What was flagged sets no threshold" not in run("station", "show", station).out
    after = run("detect", path, "--station", "line", "--json").records[0]
    assert after["verdict"] == "ok"
    again = run("station", "learn", station)
    assert (again.code, again.out) == (0, "There is nothing new to learn of what is marked.\n")
    refused = run("calibrate", station)
    assert refused.code == 2
    assert "1 reference joined because it was flagged" in refused.err
    changed = run("station", "set", station, "--object", "bolt")
    assert "thresholds by 3 of 4 references (the others were flagged)" in changed.out
    assert json.loads((station / "station.json").read_text())["calibration"]["sources"] == [
        f"good/{n}.png" for n in range(3)
    ]
    run("station", "rollback", station, 1)
    assert run("detect", path, "--station", "line", "--json").records[0]["verdict"] == "ng"


def test_marks_are_of_the_stations_verdicts_and_not_of_thresholds_given_by_hand(station: Path) -> None:
    (path,) = of_verdict("ng")
    run("judge", "out", "--threshold", 100, "--write", "nothing")
    refused = run("feedback", "line", "out", "--bad", path)
    assert refused.code == 2
    assert "out was judged by thresholds given by hand" in refused.err
    run("judge", "out", "--station", "line", "--write", "nothing")
    assert run("feedback", "line", "out", "--bad", path).code == 0


def test_defects_and_their_names_are_shown(station: Path) -> None:
    (path,) = of_verdict("ng")
    run("feedback", "line", "out", "--bad", path, "--defect", "dent")
    done = run("station", "learn", station, "--defect-memory", "--json")
    assert done.code == 0
    learned = json.loads(done.out)
    assert (learned["version"], learned["defects"], learned["named"], learned["remembered"]) == (
        2,
        [str(Path.cwd() / path)],
        1,
        1,
    )
    assert run("station", "set", station, "--defects", "scratch, dent").code == 0
    shown = run("station", "show", station).out
    assert "defects             1 known (1 dent), named among scratch, dent, a memory of 1\n" in shown
    assert "Of the NG images that were marked, 1 of 1 is bad" in shown
    record = run("detect", path, "--station", "line", "--threshold", "0,0.1", "--json").records[0]
    assert {name for name, _ in record["regions"][0]["names"]} & {"scratch", "dent"}


def test_another_region_of_interest_says_nothing_of_a_calibration_that_references_make(station: Path) -> None:
    """A station that learned keeps the thresholds of its first references; they are made anew, so that none is dropped."""
    (path,) = of_verdict("ng")
    run("detect", "parts", "--station", "line", "--out", "plain")
    run("feedback", "line", "plain", "--good", path)
    Path("left.json").write_text(json.dumps({"include": [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]], "ignore": []}))
    assert run("station", "learn", station).out.startswith("version 2:\n1 flagged image joins the references")
    done = run("station", "set", station, "--roi", "left.json", "--device", "cpu")
    assert (done.code, done.err) == (0, "")
    assert "another region of interest, thresholds by 3 of 4 references (the others were flagged)" in done.out
    calibration = read_station(station).calibration
    assert isinstance(calibration, Calibration)
    assert (calibration.kind, len(calibration)) == ("leave-one-out", 3)


def test_a_doubtful_image_renews_no_calibration_until_it_is_accepted(station: Path) -> None:
    """Nor is it told again and again of random images once they have made the thresholds."""
    write_pictures(Path("drawn"), 9, seed=8)
    Image.fromarray(np.zeros((40, 48, 3), np.uint8)).save("drawn/black.png")
    run("detect", "drawn", "--station", "line", "--out", "all", "--audit", 1, "--threshold", "0")
    run("judge", "all", "--station", "line", "--write", "nothing")
    assert run("feedback", "line", "all", "--good", "drawn").code == 0
    done = run("station", "learn", station, "--renew-calibration")
    assert done.code == 2
    assert "black.png" in done.err
    assert "say --accept" in done.err
    assert "mark them as bad or unsure where they are not; nothing was changed" in done.err
    assert (station / "calibration.png").exists()
    assert len(versions(station)) == 1
    assert run("station", "learn", station, "--accept", "all").code == 2  # nothing is looked at
    done = run("station", "learn", station, "--renew-calibration", "--accept", "all", "--json")
    assert (done.code, json.loads(done.out)["calibrated"]) == (0, 10)
    calibration = read_station(station).calibration
    assert isinstance(calibration, Calibration)
    assert len(calibration.digests) == 10
    assert run("station", "learn", station).out == "There is nothing new to learn of what is marked.\n"


def test_a_defect_that_the_station_remembers_is_none_that_it_finds(station: Path) -> None:
    (path,) = of_verdict("ng")
    run("feedback", "line", "out", "--bad", path)
    assert run("station", "learn", station, "--defect-memory").code == 0
    write_pictures(Path("more"), 9, seed=5)
    write_pictures(Path("bad"), 2, seed=6)
    done = run(
        "calibrate", station, "--good", "more", "--bad", "bad", path, "--accept", "all", "--device", "cpu", "--json"
    )
    assert done.code == 0
    assert json.loads(done.out)["detection_rate"]["total"] == 2
    assert "1 of the bad images is among the defects that it remembers: left out" in done.err


def test_misses_are_estimated_of_audited_images_alone(station: Path) -> None:
    ok = of_verdict("ok")
    run("feedback", "line", "out", "--good", *ok[:4], "--bad", ok[4])
    shown = run("station", "show", station).out
    assert "Of the OK images that were drawn for audit and marked, 1 of 5 is bad" in shown
    told = json.loads(run("station", "show", station, "--json").out)["feedback"]
    assert (told["marked"], told["misses"]["hits"], told["misses"]["total"], told["precision"]) == (5, 1, 5, None)


def test_too_few_random_images_for_a_rate_are_refused_and_nothing_changes(station: Path) -> None:
    done = run("station", "learn", station, "--renew-calibration")
    assert done.code == 2
    assert "no good image was drawn at random" in done.sentence
    assert len(versions(station)) == 1


def test_what_is_no_station_learns_nothing(tmp_path: Path) -> None:
    done = run("station", "learn", tmp_path)
    assert done.code == 2
    assert "not a station" in done.sentence


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
class TestKilled:
    """Verbs that are killed at each of their file operations in the station."""

    @pytest.fixture
    def start(self, station: Path) -> Callable[[], Path]:
        """Makes a copy of the station, in the place of the last one."""

        def copy() -> Path:
            shutil.rmtree("copy", ignore_errors=True)
            return shutil.copytree(station, Path.cwd() / "copy")

        return copy

    def test_feedback_adds_all_marks_or_none(
        self, station: Path, start: Callable[[], Path], capfd: pytest.CaptureFixture[str]
    ) -> None:
        good, (bad,) = of_verdict("ok"), of_verdict("ng")
        assert run("feedback", station, "out", "--unsure", good[2]).code == 0
        words = ["out", "--good", *good[:2], "--bad", bad]
        found = []
        for folder in killed_everywhere(start, lambda folder: call("feedback", folder, *words) and os._exit(3)):
            feedback = read_feedback(folder)
            found.append(len(feedback.marks))
            assert feedback.unread == 0
            assert len(versions(folder)) == 1
            assert run("feedback", folder, *words).code == 0  # nothing is in the way of the next one
            assert [mark.said for mark in read_feedback(folder).last] == ["unsure", "good", "good", "bad"]
        assert found == sorted(found)
        assert set(found) == {1, 4}

    def test_learning_leaves_the_old_or_the_new_station(
        self, station: Path, start: Callable[[], Path], capfd: pytest.CaptureFixture[str]
    ) -> None:
        good, (flagged,) = of_verdict("ok"), of_verdict("ng")
        run("detect", flagged, "--station", station, "--out", "plain")
        assert run("feedback", station, "plain", "--good", flagged).code == 0
        assert run("feedback", station, "out", "--bad", good[0]).code == 0
        words = ["--defect-memory", "--device", "cpu"]
        found = []
        for folder in killed_everywhere(start, lambda folder: call("station", "learn", folder, *words) and os._exit(3)):
            state = read_station(folder)
            assert state.references is not None
            found.append(len(versions(folder)))
            learned = (len(state.references.sources), state.defects is not None)
            assert learned == {1: (3, False), 2: (4, True)}[found[-1]]
            assert len(read_feedback(folder).marks) == 2
        assert found == sorted(found)
        assert set(found) == {1, 2}
        assert run("station", "learn", folder, *words).out == (
            "The memory of defects has 1 image: it pays from about 10 on.\nThere is nothing new to learn of what is marked.\n"
        )
