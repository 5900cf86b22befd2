"""`oddlens station`: shown, changed, rolled back, shared."""

import json
import os
import shutil
from pathlib import Path

import pytest

import oddlens
from oddlens.calibration import Calibration
from oddlens.station import read_station, versions
from tests.cli.line import create, page, write
from tests.cli.program import call, run
from tests.station.killing import killed_everywhere


class TestSet:
    def set(self, station: Path, *options: object) -> str:
        done = run("station", "set", station, *options)
        assert (done.code, done.err) == (0, "")
        return done.out

    def test_a_threshold_is_a_new_version_that_says_what_it_promises(self, station: Path) -> None:
        before = read_station(station).thresholds_in_force
        said = self.set(station, "--threshold", 9)
        assert said.startswith(
            f"version 2: threshold 9 (was {before.image:.6g}, calibrated)\nThe threshold was moved by hand: "
        )
        after = oddlens.open_station(station, "cpu")
        assert (after.thresholds.image, after.thresholds.pixel) == (9, None)
        assert read_station(station).thresholds_in_force.pixel == before.pixel
        assert read_station(station, 1).thresholds_in_force == before

    def test_one_part_of_the_thresholds_leaves_the_others(self, station: Path) -> None:
        self.set(station, "--threshold", "9,5", "--review-threshold", 8)
        self.set(station, "--threshold", ",6")
        self.set(station, "--review-threshold", 7)
        found = read_station(station).thresholds
        assert (found.image, found.pixel, found.review) == (9, 6, 7)
        self.set(station, "--threshold", "9.5")
        assert read_station(station).thresholds.review == 7
        assert "review threshold none (was 7)" in self.set(station, "--threshold", "6.5")
        assert read_station(station).thresholds.review is None

    def test_a_rate_goes_back_to_calibrated_thresholds(self, station: Path) -> None:
        self.set(station, "--threshold", "9,5")
        said = self.set(station, "--false-alarm-rate", 0.4)
        state = read_station(station)
        image = state.thresholds_in_force.image
        assert f"version 3: threshold {image:.6g}, calibrated (was 9), false-alarm rate 0.4 (was 0.2)" in said
        assert (state.thresholds.image, state.thresholds.pixel) == (None, 5)
        scores = sorted(state.calibration_in_force.scores)  # type: ignore[union-attr]
        assert state.thresholds_in_force.image == scores[2]
        opened = oddlens.open_station(station, "cpu").calibration()
        assert opened is not None
        assert opened.thresholds.image == scores[2]

    def test_so_it_does_where_other_images_calibrated_it(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        create(tmp_path / "s", images, open_clip_folder, "--calibrate", images / "good")
        self.set(tmp_path / "s", "--false-alarm-rate", 0.25, "--review-rate", 0)
        state = read_station(tmp_path / "s")
        assert isinstance(state.calibration, Calibration)
        assert state.thresholds_in_force.image == sorted(state.calibration.scores)[9]  # ceil(13 * .75) = 10
        assert oddlens.open_station(tmp_path / "s", "cpu").calibration() == state.calibration

    def test_another_object_must_be_calibrated_again(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        create(tmp_path / "s", images, open_clip_folder, "--calibrate", images / "good")
        done = run("station", "set", tmp_path / "s", "--object", "bolt", "--device", "cpu")
        assert done.code == 0
        assert "version 2: object bolt (was nut), without the calibration" in done.out
        assert "until the station is calibrated again, the thresholds are those of its references" in done.err
        state = read_station(tmp_path / "s")
        assert (state.object_name, state.calibration) == ("bolt", None)
        assert state.leave_one_out is not None  # the references still give thresholds, for the new name
        assert state.leave_one_out.object_name == "bolt"

    def test_regions_in_millimetres(self, station: Path) -> None:
        said = self.set(station, "--min-area", "1.5mm2", "--mm-per-pixel", 0.5)
        assert said.startswith("version 2: regions from 1.5 mm2 on are marked, a pixel is 0.5 mm wide")
        assert oddlens.open_station(station, "cpu").marking == read_station(station).marking

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ([], "nothing is changed"),
            (["--object", "nut"], "nothing is changed"),
            (["--object", "n" * 3000], "has 3000 letters, more than 100"),
            (["--defects", "dent, sc\nratch"], "has a line break"),
            (["--threshold", "high"], "is no threshold: give a finite number"),
            (["--threshold", "1", "--false-alarm-rate", "0.2"], "contradict each other"),
            (["--threshold", "1", "--review-threshold", "2"], "review threshold 2 lies above 1"),
            (["--false-alarm-rate", "0.01"], "99 good images"),
            (["--false-alarm-rate", "2"], "a false-alarm rate cannot be 2"),
            (["--review-rate", "nan"], "--review-rate cannot be nan: give a finite number"),
            (["--review-rate", "-0.1"], "a review rate cannot be -0.1"),
            (["--min-area", "1mm2"], "needs the size of a pixel"),
        ],
    )
    def test_what_cannot_be_changed_is_one_sentence(self, station: Path, options: list[str], said: str) -> None:
        done = run("station", "set", station, *options)
        assert done.code == 2
        assert said in done.sentence
        assert len(versions(station)) == 1

    def test_what_is_no_station_is_left_alone(self, tmp_path: Path) -> None:
        for verb in (["set", "{}", "--threshold", "1"], ["rollback", "{}", "1"], ["show", "{}"], ["log", "{}"]):
            done = run("station", *(each.format(tmp_path / "none") for each in verb))
            assert done.code == 2
            assert "none is not a station" in done.sentence
        assert not (tmp_path / "none").exists()


class TestHistory:
    def test_versions_log_and_rollback(self, station: Path) -> None:
        before = read_station(station).thresholds_in_force.image
        run("station", "set", station, "--threshold", 9)
        done = run("station", "rollback", station, 1)
        assert (done.code, done.out) == (0, "version 3: version 1 again\n")
        for verb in ("versions", "log"):
            lines = run("station", verb, station).out.splitlines()
            assert [line.split(maxsplit=5)[0::4] for line in lines[1:]] == [
                ["1", "create"], ["2", "set"], ["3", "rollback"],
            ]  # fmt: skip
            assert [each["what"] for each in json.loads(run("station", verb, station, "--json").out)] == [
                "made of 4 references", f"threshold 9 (was {before:.6g}, calibrated)", "version 1 again",
            ]  # fmt: skip
        assert page(run("station", "show", station, "--version", 2))["verdict"] == "NG above 9"
        done = run("station", "show", station, "--version", 7)
        assert (done.code, done.sentence) == (2, f"{station} has no version 7: it has versions 1 to 3")

    def test_old_versions_are_removed_on_request(self, station: Path) -> None:
        for threshold in (9, 8):
            run("station", "set", station, "--threshold", threshold)
        done = run("station", "versions", station, "--prune", 2, "--json")
        assert (done.code, done.err) == (0, "oddlens: 1 version was removed\n")
        assert [each["number"] for each in json.loads(done.out)] == [2, 3]
        assert run("station", "versions", station, "--prune", 0).code == 2
        assert run("station", "show", station).code == 0

    def test_a_station_without_its_station_json_is_mended(
        self, station: Path, images: Path, open_clip_folder: Path
    ) -> None:
        (station / "station.json").unlink()
        hint = f"{station / 'station.json'} is missing: 'oddlens station rollback {station} 1' goes back to version 1"
        for done in (
            run("station", "show", station), run("station", "versions", station), run("station", "log", station),
            run("station", "check", station, "--good", images / "good"), create(station, images, open_clip_folder),
            run("station", "set", station, "--threshold", 1), run("detect", images / "good", "--station", station),
            run("calibrate", station), run("station", "learn", station),
        ):  # fmt: skip
            assert done.code == 2
            assert hint in done.sentence
        assert run("station", "rollback", station, 1).code == 0
        assert page(run("station", "show", station))["object"] == "nut"

    def test_a_damaged_file_is_said(self, station: Path) -> None:
        file = min((station / "files").glob("*.safetensors"))
        file.write_bytes(b"torn")
        done = run("station", "show", station)
        assert done.code == 1
        assert f"{file.name} is damaged, or not the file that the station names" in done.sentence


def test_detect_says_of_images_that_have_another_size(station: Path, images: Path, tmp_path: Path) -> None:
    parts = shutil.copytree(images / "good", tmp_path / "parts")
    write(tmp_path / "large", 2, 9, (60, 50))
    done = run("detect", parts, tmp_path / "large", "--station", station, "--device", "cpu")
    assert done.code == 0
    assert (
        "oddlens: 2 images have another size than the 40 x 40 pixels that the station expects (2 of 60 x 50): check "
        "camera and crop"
    ) in done.err
    assert "another size" not in run("detect", parts, "--station", station, "--device", "cpu").err


KILLED = {
    "set": ["station", "set", "{station}", "--threshold", "9"],
    "rollback": ["station", "rollback", "{station}", "1"],
    "calibrate": ["calibrate", "{station}", "--good", "{images}/good", "--accept", "all", "--device", "cpu"],
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
@pytest.mark.parametrize("verb", KILLED)
def test_a_verb_that_is_killed_leaves_the_old_or_the_new_station(
    made: Path, images: Path, tmp_path: Path, verb: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The verb runs whole in the process that is killed."""
    whole = shutil.copytree(made, tmp_path / "whole")
    run("station", "set", whole, "--threshold", 5)

    def start() -> Path:
        shutil.rmtree(tmp_path / "line-3", ignore_errors=True)
        return shutil.copytree(whole, tmp_path / "line-3")

    def work(folder: Path) -> None:
        assert call(*(word.format(station=folder, images=images) for word in KILLED[verb])) == 0

    before = read_station(whole)
    found = []
    for folder in killed_everywhere(start, work):
        state = read_station(folder)
        found.append(len(versions(folder)))
        is_new = (state.thresholds, state.object_name, state.calibration) != (
            before.thresholds, before.object_name, before.calibration,
        )  # fmt: skip
        assert is_new == (found[-1] == 3)
    assert found == sorted(found)
    assert set(found) == {2, 3}


def test_a_station_is_pushed_and_pulled(tmp_path: Path) -> None:
    oddlens.load(device="cpu", runtime="onnx").set_thresholds(image=0.5).save(tmp_path / "line")
    done = run("station", "push", tmp_path / "line", "--to", tmp_path / "shared")
    assert (done.code, done.out) == (0, f"{tmp_path}/shared\n")
    done = run("station", "pull", tmp_path / "shared", "--to", tmp_path / "other")
    assert (done.code, done.out) == (0, f"{tmp_path}/other: pushed as version 1 of line\n")
    done = run("station", "show", tmp_path / "other")
    assert "NG above 0.5" in done.out
