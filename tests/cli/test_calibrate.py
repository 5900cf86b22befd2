"""`oddlens calibrate`, and what `detect --station` says of the line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.calibration import Calibration, Readiness
from oddlens.inference.line import LearningSink
from oddlens.io.images import read_image
from oddlens.station import read_log, read_station, utc_now, versions
from oddlens.station.learning import LearningSample, scored_by
from tests.cli.program import Done, run
from tests.noise import write_picture, write_pictures


@pytest.fixture
def station(tmp_path: Path, open_clip_folder: Path, towers: object) -> Path:
    """A station that has just been made of five references."""
    write_pictures(tmp_path / "references", 5, seed=9)
    detector = oddlens.load("winclip", open_clip_folder, device="cpu").add_references(tmp_path / "references")
    detector.object_name = "nut"
    detector.scene, detector.state = detector.scene_of(), Readiness("learning")
    detector.save(tmp_path / "station")
    return tmp_path / "station"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Twenty good images."""
    write_pictures(tmp_path / "good", 20, seed=5)
    return tmp_path / "good"


def calibrate(station: Path, *arguments: object) -> Done:
    return run("calibrate", station, *arguments, "--device", "cpu")


class TestGood:
    def test_it_sets_the_thresholds_and_says_what_they_promise(self, station: Path, good: Path) -> None:
        done = calibrate(station, "--good", good, "--accept", "all")
        assert done.code == 0
        calibration = oddlens.open_station(station, device="cpu").calibration()
        assert calibration is not None
        assert (calibration.kind, len(calibration)) == ("split", 20)
        assert calibration.statement in done.out
        assert "<- NG above" in done.out
        assert Image.open(station / "calibration.png").width > 500
        assert versions(station)[-1].what == "calibrated on 20 good images"
        assert read_log(station)[-1].verb == "calibrate"

    def test_it_says_what_the_threshold_that_was_in_force_calls_them(self, station: Path, good: Path) -> None:
        before = read_station(station).thresholds_in_force
        done = calibrate(station, "--good", good, "--accept", "all")
        calibration = oddlens.open_station(station, device="cpu").calibration()
        assert calibration is not None
        above = sum(before.verdict(score) == "ng" for score in calibration.scores)
        lie = "lies" if above == 1 else "lie"
        said = (
            f"The threshold was {before.image:.4g}; {above} of the 20 images {lie} above it.\n{calibration.statement}"
        )
        assert said in done.out
        run("station", "set", station, "--threshold", sorted(calibration.scores)[-3])
        again = calibrate(station, "--good", good, "--accept", "all", "--json")
        earlier = json.loads(again.out)["earlier"]
        assert (earlier["above"], earlier["total"]) == (2, 20)
        assert json.loads(calibrate(station, "--accept", "all", "--json").out)["earlier"] is None  # of the references

    def test_what_is_in_force_is_printed_where_a_threshold_was_given_by_hand(
        self, station: Path, good: Path, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad"
        write_pictures(bad, 3, seed=31)
        run("station", "set", station, "--threshold", 0.001)
        done = calibrate(station, "--good", good, "--bad", bad, "--accept", "all")
        calibration = read_station(station).calibration
        assert isinstance(calibration, Calibration)
        first = done.out.index("In force: NG above 0.001")
        assert done.out.index(f"By these images alone: NG above {calibration.thresholds.image:.4g}") > first
        assert "promises no false-alarm rate" in done.out
        assert "3 of 3 images with known defects are called NG" in done.out
        document = json.loads(calibrate(station, "--good", good, "--accept", "all", "--json").out)
        assert document["thresholds"]["image"] == 0.001

    def test_the_review_rate_stays_what_it_was(self, station: Path, good: Path) -> None:
        assert read_station(station).thresholds_in_force.review is None  # five references are too few
        done = calibrate(station, "--good", good, "--accept", "all")
        assert "nothing goes to review, as before; --review-rate 0.05 sends 5 % of good images there" in done.err
        assert read_station(station).thresholds_in_force.review is None
        calibrate(station, "--good", good, "--accept", "all", "--review-rate", 0.2)
        done = calibrate(station, "--good", good, "--accept", "all", "--json")
        assert json.loads(done.out)["calibration"]["review_rate"] == 0.2
        assert "nothing goes to review" not in done.err
        calibrate(station, "--good", good, "--accept", "all", "--review-rate", 0)
        done = calibrate(station, "--good", good, "--accept", "all", "--json")
        assert json.loads(done.out)["calibration"]["review_rate"] == 0

    def test_a_station_without_thresholds_sends_the_usual_share_to_review(
        self, station: Path, good: Path, tmp_path: Path, open_clip_folder: Path
    ) -> None:
        oddlens.load("winclip", open_clip_folder, device="cpu").save(tmp_path / "words")
        done = calibrate(tmp_path / "words", "--good", good, "--accept", "all", "--json")
        document = json.loads(done.out)
        assert (document["calibration"]["review_rate"], document["earlier"]) == (0.05, None)

    def test_it_stops_at_a_doubtful_image_until_it_is_accepted_or_left_out(
        self, station: Path, good: Path, tmp_path: Path
    ) -> None:
        Image.fromarray(np.full((48, 64, 3), 255, np.uint8)).save(good / "white.png")
        before = (station / "station.json").read_bytes()
        done = calibrate(station, "--good", good, "--sheet", tmp_path / "sheet.png")
        assert done.code == 2
        assert "white.png" in done.err
        assert "--accept" in done.err
        assert (tmp_path / "sheet.png").exists()
        assert (station / "station.json").read_bytes() == before
        names = [line.split()[0] for line in done.out.splitlines()[1:] if not line.startswith("...")]
        assert names[0] == "white.png"

        accepted = calibrate(station, "--good", good, "--accept", "all", "--json")
        document = json.loads(accepted.out)
        assert str(good / "white.png") in document["calibration"]["accepted"]
        assert "Doubtful images among them were accepted" in document["statement"]
        again = calibrate(station, "--good", good)  # what an earlier version accepted is not asked again
        assert again.code == 0
        flagged = [Path(each).name for each in document["calibration"]["accepted"]]
        left_out = calibrate(station, "--good", good, "--leave-out", *flagged, "--accept", "all", "--json")
        sources = json.loads(left_out.out)["calibration"]["sources"]
        assert len(sources) == 21 - len(flagged)
        assert str(good / "white.png") not in sources

    def test_known_defects_say_how_many_are_found(self, station: Path, good: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "bad", 3, seed=31)
        done = calibrate(station, "--good", good, "--accept", "all", "--bad", tmp_path / "bad", "--json")
        rate = json.loads(done.out)["detection_rate"]
        assert rate["total"] == 3
        assert 0 <= rate["low"] <= rate["found"] / 3 <= rate["high"] <= 1

    def test_an_image_that_cannot_be_read_is_said_and_the_others_count(
        self, station: Path, good: Path, tmp_path: Path
    ) -> None:
        write_pictures(tmp_path / "bad", 2, seed=31)
        for folder in (good, tmp_path / "bad"):
            whole = (folder / "0.png").read_bytes()
            (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
        done = calibrate(station, "--good", good, "--bad", tmp_path / "bad", "--accept", "all", "--json")
        assert done.code == 1
        document = json.loads(done.out)
        assert len(document["calibration"]["scores"]) == 20
        assert document["detection_rate"]["total"] == 2
        assert [each["path"] for each in document["failed"]] == [
            str(good / "cut.png"), str(tmp_path / "bad" / "cut.png"),
        ]  # fmt: skip
        assert done.err.count("cut.png") == 2
        assert versions(station)[-1].number == document["version"] == 2

        for path in good.iterdir():
            path.write_bytes(b"torn")
        done = calibrate(station, "--good", good)
        assert done.code == 2
        assert "no good images were given" in done.err
        assert len(versions(station)) == 2

    def test_images_of_one_name_are_told_apart(self, station: Path, good: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "other", 3, seed=6)
        given = ["--good", good, tmp_path / "other", "--accept", "all"]
        done = calibrate(station, *given)
        shown = {line.split()[0] for line in done.out.splitlines()[1:13]}
        assert {name for name in shown if name.endswith("/0.png")} <= {"good/0.png", "other/0.png"}
        assert not shown & {"0.png", "1.png", "2.png"}
        refused = calibrate(station, *given, "--leave-out", "0.png")
        assert refused.code == 2
        assert "--leave-out 0.png names 2 images: give more of the path (good/0.png, other/0.png)" in refused.err
        done = calibrate(station, *given, "--leave-out", "other/0.png", "5.png", "--json")
        sources = json.loads(done.out)["calibration"]["sources"]
        assert len(sources) == 21
        assert not {str(tmp_path / "other" / "0.png"), str(good / "5.png")} & set(sources)

    def test_a_pattern_names_several(self, station: Path, good: Path) -> None:
        given = ["--good", good, "--accept", "all", "--json"]
        done = calibrate(station, *given, "--leave-out", "1?.png", "good/[23].png", "no-such-folder/*.png")
        assert done.code == 2
        assert '--leave-out "no-such-folder/*.png" names none of the images: give a file' in done.err
        done = calibrate(station, *given, "--leave-out", "1?.png", good / "[23].png", "--false-alarm-rate", 0.5)
        left = [Path(source).name for source in json.loads(done.out)["calibration"]["sources"]]
        assert sorted(left) == sorted(f"{number}.png" for number in (0, 1, 4, 5, 6, 7, 8, 9))

    def test_what_is_to_be_typed_is_said_as_a_shell_takes_it(self, station: Path, good: Path, tmp_path: Path) -> None:
        Image.fromarray(np.full((48, 64, 3), 255, np.uint8)).save(good / "Bild 1 weiß.png")
        moved = station.rename(tmp_path / "line 3")
        refused = calibrate(moved, "--good", good)
        assert refused.code == 2
        assert refused.err.count('"Bild 1 weiß.png"') == 2  # after --accept and after --leave-out

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--accept", "nobody.png"], "--accept nobody.png names none of the images"),
            (["--leave-out", "nobody.png"], "--leave-out nobody.png names none of the images"),
            (["--leave-out", "x*.png"], '--leave-out "x*.png" names none of the images'),
            (["--false-alarm-rate", "0.001", "--accept", "all"], "needs 999 good images"),
            (["--sheet", "sheet.pdf"], "must end in .png or .jpg"),
            (["--sheet", "no/such/folder/sheet.png"], "lies in no folder that exists: make the folder"),
            (["--from-learning"], "contradict each other"),
        ],
    )
    def test_a_wrong_call_is_one_sentence_and_changes_nothing(
        self, station: Path, good: Path, arguments: list[str], said: str
    ) -> None:
        before = (station / "station.json").read_bytes()
        done = calibrate(station, "--good", good, *arguments)
        assert done.code == 2
        assert said in done.err
        assert (station / "station.json").read_bytes() == before


def test_without_images_it_is_the_references(station: Path) -> None:
    done = calibrate(station, "--false-alarm-rate", 0.4, "--accept", "all", "--json")
    document = json.loads(done.out)
    assert document["calibration"]["kind"] == "leave-one-out"
    assert document["calibration"]["false_alarm_rate"] == 0.4


def test_a_contact_sheet_overwrites_no_image(station: Path, good: Path) -> None:
    image = good / "0.png"
    before = image.read_bytes()
    refused = calibrate(station, "--good", good, "--sheet", image)
    assert refused.code == 2
    assert "would overwrite one of the images" in refused.err
    assert image.read_bytes() == before


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_contact_sheet_overwrites_nothing_but_a_contact_sheet(
    station: Path, good: Path, tmp_path: Path, suffix: str
) -> None:
    sheet = tmp_path / f"sheet.{suffix}"
    write_picture(tmp_path / "other.png")
    Image.open(tmp_path / "other.png").save(sheet)
    before = sheet.read_bytes()
    refused = calibrate(station, "--good", good, "--accept", "all", "--sheet", sheet)
    assert refused.code == 2
    assert f"the contact sheet {sheet} would overwrite another file: give another name" in refused.sentence
    assert sheet.read_bytes() == before
    sheet.unlink()
    for _ in range(2):
        assert calibrate(station, "--good", good, "--accept", "all", "--sheet", sheet).code == 0
    assert sheet.read_bytes() != before


class TestLearning:
    def test_a_station_on_which_nothing_is_calibrated_learns_of_its_line(
        self, tmp_path: Path, open_clip_folder: Path, towers: object
    ) -> None:
        folder = tmp_path / "bare"
        oddlens.load("winclip", open_clip_folder, device="cpu").save(folder)
        line = write_pictures(tmp_path / "line", 20, seed=5)
        done = run("detect", *line, "--station", folder, "--device", "cpu")
        assert done.code == 0
        assert "20 of 60 images so far" in done.err
        assert calibrate(folder, "--from-learning", "--accept", "all").code == 0
        calibration = read_station(folder).calibration
        assert isinstance(calibration, Calibration)
        assert len(calibration) == 20

    def test_a_station_learns_on_its_line_and_is_ready_then(self, station: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "line", 24, seed=77)
        nothing = calibrate(station, "--from-learning")
        assert nothing.code == 2
        assert "has kept no images of its line yet" in nothing.err
        done = run("detect", tmp_path / "line", "--station", station, "--device", "cpu", "--out", tmp_path / "out")
        assert "the station is learning" in done.err
        assert "24 of 60 images" in done.err
        assert len(list((station / "learning").iterdir())) == 24
        said = json.loads((tmp_path / "out" / "run.json").read_text())["said"]
        assert "the station is learning" in said["station"][0]
        again = run(
            "detect", tmp_path / "line", "--station", station, "--device", "cpu", "--out", tmp_path / "out", "--resume"
        )
        assert "24 of 60 images" in again.err

        learned = calibrate(station, "--from-learning", "--accept", "all")
        assert learned.code == 0
        detector = oddlens.open_station(station, device="cpu")
        assert detector.state is not None
        assert (detector.state.stage, detector.state.sampled) == ("ready", 24)
        assert detector.state.tested is not None
        assert versions(station)[-1].what == "calibrated on 24 images of its line"
        calibration = detector.calibration()
        assert calibration is not None
        scores = {each.source: each.score for each in detector.detect(tmp_path / "line", "nut")}
        assert calibration.scores == tuple(scores[source] for source in calibration.sources)

        run("station", "rollback", station, 1)  # the sample is still there
        assert calibrate(station, "--from-learning", "--accept", "all").code == 0

    def test_what_is_marked_as_bad_and_references_are_no_good_images_of_the_line(
        self, station: Path, tmp_path: Path
    ) -> None:
        write_pictures(tmp_path / "line", 22, seed=77)
        reference = tmp_path / "references" / "0.png"
        out = tmp_path / "out"
        run("detect", tmp_path / "line", reference, "--station", station, "--device", "cpu", "--out", out)
        bad, unsure = (tmp_path / "line" / name for name in ("0.png", "1.png"))
        assert run("feedback", station, out, "--bad", bad, "--unsure", unsure).code == 0
        detector = oddlens.open_station(station, device="cpu")
        sample = LearningSample(station, scored_by(detector.identity, "nut"))
        assert len(sample) == 22  # no reference joined it
        assert detector.scene is not None
        earlier = LearningSink(sample, detector.calibration("nut"), detector.scene)  # one that let references in
        earlier.draw(0, detector.detect(reference)[0], lambda: read_image(reference).pixels)
        earlier.write(0, {"path": "0.png"})
        done = calibrate(station, "--from-learning", "--accept", "all", "--json")
        assert done.code == 0
        sources = {Path(each) for each in json.loads(done.out)["calibration"]["sources"]}
        assert sources == {tmp_path / "line" / f"{number}.png" for number in range(2, 22)}
        assert "1 image of the sample is a reference of the station: left out" in done.err
        assert "2 images of the sample are marked as bad or unsure: left out" in done.err

    def test_a_few_images_are_no_sample_of_the_line(self, station: Path, tmp_path: Path) -> None:
        write_pictures(tmp_path / "line", 21, seed=77)
        run("detect", tmp_path / "line" / "0.png", "--station", station, "--device", "cpu")
        done = calibrate(station, "--from-learning", "--accept", "all")
        assert done.code == 2
        assert (
            "the station has kept 1 image of its line, and 20 are the least that it is calibrated on" in done.sentence
        )
        run("detect", tmp_path / "line", "--station", station, "--device", "cpu")
        done = calibrate(station, "--from-learning", "--accept", "all", "--leave-out", "3.png", "7.png")
        assert done.code == 2
        assert "has kept 21 images of its line, of which 19 are not left out, and 20 are the least" in done.sentence
        assert len(versions(station)) == 1
        moved = station.rename(tmp_path / "moved")
        assert calibrate(moved, "--from-learning", "--accept", "all", "--leave-out", "3.png").code == 0

    def test_images_that_are_in_the_sample_are_not_compared_with_themselves(
        self, station: Path, tmp_path: Path
    ) -> None:
        good = tmp_path / "line"
        write_pictures(good, 25, seed=77)
        run("detect", good, "--station", station, "--device", "cpu")
        calibrated = calibrate(station, "--good", good, "--accept", "all", "--json")
        assert calibrated.code == 0
        assert json.loads(run("station", "show", station, "--json").out)["compared_with_line"] is None
        write_pictures(tmp_path / "others", 40, seed=78)
        assert calibrate(station, "--good", tmp_path / "others", "--accept", "all").code == 0
        assert json.loads(run("station", "show", station, "--json").out)["compared_with_line"]["later"] == 25

    def test_the_promise_is_not_printed_where_references_do_not_stand_for_the_line(
        self, station: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "line").mkdir()
        rng = np.random.default_rng(0)
        for number in range(25):
            pixels = np.full((48, 64, 3), 200, np.uint8) + rng.integers(0, 20, (48, 64, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "line" / f"{number}.png")
        done = run("detect", tmp_path / "line", "--station", station, "--device", "cpu")
        compared = f"On {utc_now()[:10]} (UTC), 5 good images were compared with 25 of the line"
        refused = f"The threshold promises no false-alarm rate: {compared}"
        assert refused in done.err
        assert "on average over such samples" not in done.err

        # Whoever comes back later reads it too; whoever calibrates on something else does not.
        shown = run("station", "show", station)
        assert f"promise             {refused}" in shown.out
        told = json.loads(run("station", "show", station, "--json").out)
        assert told["in_force"]["promise"].startswith(refused)
        compared_with_line = told["compared_with_line"]
        assert (compared_with_line["later"], compared_with_line["is_refuted"]) == (25, True)
        assert compared_with_line["time"][:10] in compared_with_line["sentence"]
        write_pictures(tmp_path / "new", 3, seed=8)
        checked = run("station", "check", station, "--good", tmp_path / "new", "--device", "cpu")
        assert compared in checked.out.splitlines()[-1]
        as_json = run("station", "check", station, "--good", tmp_path / "new", "--device", "cpu", "--json")
        assert json.loads(as_json.out)["compared_with_line"] == compared_with_line
        write_pictures(tmp_path / "others", 6, seed=9)
        assert calibrate(station, "--good", tmp_path / "others", "--accept", "all").code == 0
        assert compared not in run("station", "show", station).out


def test_doubtful_references_of_a_run_are_said_in_one_line(tmp_path: Path, open_clip_folder: Path, parts: Path) -> None:
    write_pictures(tmp_path / "good", 9, seed=5)
    Image.fromarray(np.full((48, 64, 3), 255, np.uint8)).save(tmp_path / "good" / "white.png")
    done = run(
        "detect", parts, "--model", open_clip_folder, "--reference", tmp_path / "good", "--out", tmp_path / "out"
    )
    (line,) = [line for line in done.err.splitlines() if "white.png" in line]
    assert line.startswith("oddlens: among the references: ")
    said = json.loads((tmp_path / "out" / "run.json").read_text())["said"]
    assert "white.png" in said["references"][0]
