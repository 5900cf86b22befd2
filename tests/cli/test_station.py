"""`oddlens station`: made, shown, checked, changed, rolled back."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.calibration import Calibration
from oddlens.station import read_station, versions
from tests.cli.program import Done, call, run
from tests.station.killing import killed_everywhere


def write(folder: Path, count: int, seed: int, size: tuple[int, int] = (40, 40), spot: bool = False) -> Path:
    """Pictures of one part under noise, some with a dark spot."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    part = np.add.outer(np.arange(size[1]), np.arange(size[0])) % 64 + 96
    for number in range(count):
        pixels = np.clip(part[..., None] + rng.normal(0, 4, (*part.shape, 3)), 0, 255).astype(np.uint8)
        if spot:
            pixels[10:26, 10:26] = 0
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for name, count, seed in (("references", 4, 1), ("good", 12, 2), ("more", 9, 3)):
        write(root / name, count, seed)
    write(root / "bad", 9, 4, spot=True)
    return root


@pytest.fixture(scope="module")
def made(images: Path, open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station of four references. Not to be written to."""
    folder = tmp_path_factory.mktemp("stations") / "line-3"
    done = create(folder, images, open_clip_folder)
    assert (done.code, done.err) == (0, "")
    return folder


@pytest.fixture
def station(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "line-3")


def create(folder: Path, images: Path, model: Path, *more: object) -> Done:
    return run(
        "station", "create", folder, "--object", "nut", "--reference", images / "references", "--model", model,
        "--device", "cpu", "--set", "window_sizes=[2]", *more,
    )  # fmt: skip


def page(done: Done) -> dict[str, str]:
    """The facts that a page shows."""
    assert done.code == 0, done.err
    return {line[:20].strip(): line[20:] for line in done.out.splitlines()[1:]}


class TestCreate:
    def test_it_detects_as_a_detector_of_the_same_references(
        self, made: Path, images: Path, open_clip_folder: Path
    ) -> None:
        detector = oddlens.load("winclip", open_clip_folder, device="cpu", window_sizes=(2,))
        detector.object_name = "nut"
        detector.add_references(images / "references").calibrate()
        found, expected = (each.detect(images / "bad", "nut") for each in (oddlens.open_station(made, "cpu"), detector))
        assert [each.to_dict() for each in found] == [each.to_dict() for each in expected]

    def test_the_page_says_what_it_is(self, made: Path, images: Path) -> None:
        facts = page(run("station", "show", made))
        assert facts["object"] == "nut"
        assert facts["method"] == "winclip on open-clip"
        assert facts["references"] == f"4 of {images / 'references'}: 000.png, 001.png, 002.png, 003.png"
        assert facts["images"] == "40 x 40 pixels"
        assert facts["from"] == "leave-one-out scores of 4 references"
        assert facts["declared"] == "20 % of good images NG, none to review"  # too few for 5 % more
        assert "at most 20 % of good images are called NG" in facts["promise"]

    def test_it_is_calibrated_on_other_images(self, images: Path, open_clip_folder: Path, tmp_path: Path) -> None:
        done = create(
            tmp_path / "s", images, open_clip_folder, "--calibrate", images / "good", "--false-alarm-rate", 0.1,
            "--review-rate", 0.2, "--json",
        )  # fmt: skip
        document = json.loads(done.out)
        assert (document["calibration"]["kind"], len(document["calibration"]["scores"])) == ("split", 12)
        assert (document["calibration"]["false_alarm_rate"], document["calibration"]["review_rate"]) == (0.1, 0.2)
        assert document["in_force"]["image"] == max(document["calibration"]["scores"])
        assert (document["version"]["number"], document["version"]["verb"]) == (1, "create")

    def test_it_is_calibrated_on_its_references_at_a_rate(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        done = create(
            tmp_path / "s", images, open_clip_folder, "--calibrate-from-references", "--false-alarm-rate", 0.4
        )
        assert page(done)["declared"] == "40 % of good images NG, none to review"

    def test_where_to_look_and_what_to_mark_come_along(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        left = tmp_path / "left.json"
        left.write_text(json.dumps({"include": [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]], "ignore": []}))
        done = create(
            tmp_path / "s",
            images,
            open_clip_folder,
            "--roi",
            left,
            "--min-area",
            "20",
            "--tiles",
            "2x1",
            "--fit",
            "pad",
        )
        facts = page(done)
        assert facts["preparation"] == "tiles 2x1, overlap 0.2, fit pad"
        assert facts["region of interest"] == "1 polygon to look in"
        assert facts["marking"] == "regions from 20 px on are marked"

    def test_how_images_are_cut_comes_along(self, images: Path, open_clip_folder: Path, tmp_path: Path) -> None:
        done = create(tmp_path / "s", images, open_clip_folder, "--tiles", "2x2", "--overlap", "0.3", "--fit", "pad")
        assert page(done)["preparation"] == "tiles 2x2, overlap 0.3, fit pad"
        by_hand = oddlens.load(
            "winclip", open_clip_folder, device="cpu", window_sizes=[2], tiles="2x2", overlap=0.3, fit="pad"
        )
        (expected,) = by_hand.add_references(images / "references").detect(images / "bad" / "000.png", "nut")
        done = run("detect", images / "bad" / "000.png", "--station", tmp_path / "s", "--device", "cpu", "--json")
        (found,) = map(json.loads, done.out.splitlines())
        assert (found["score"], found["threshold"]) == (expected.score, expected.threshold)

    def test_one_reference_is_a_station_without_a_verdict(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        done = run(
            "station", "create", tmp_path / "s", "--object", "nut", "--reference", images / "references" / "000.png",
            "--model", open_clip_folder, "--device", "cpu",
        )  # fmt: skip
        assert done.code == 0
        assert "the station has no threshold, and so gives no verdict" in done.err
        assert page(done)["verdict"].startswith("none: there is no threshold")

    def test_a_station_that_is_there_is_left_alone(self, station: Path, images: Path, open_clip_folder: Path) -> None:
        before = (station / "station.json").read_bytes()
        done = create(station, images, open_clip_folder)
        assert done.code == 2
        assert "line-3 is a station already: 'oddlens station set' changes it" in done.sentence
        assert (station / "station.json").read_bytes() == before

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            (["--calibrate", "{images}/good", "--calibrate-from-references"], "contradict each other"),
            (["--false-alarm-rate", "0.01"], "99 good images"),
            (["--reference", "{images}/none"], "does not exist: check the path"),
            (["--calibrate", "{images}/none"], "does not exist: check the path"),
            (["--roi", "{images}/none.json"], "none.json"),
            (["--min-area", "much"], "'much' is no area"),
            (["--object", " "], "the object name is empty"),
            (["--object", "a\nnut"], "has a line break"),
            (["--tiles", "2x1", "--set", "tiles=3x1"], "tiles is given more than once"),
        ],
    )
    def test_what_cannot_be_used_leaves_no_station(
        self, images: Path, open_clip_folder: Path, tmp_path: Path, more: list[str], said: str
    ) -> None:
        given = [each.format(images=images) for each in more]
        words = ["--object", "nut"] if "--object" not in given else []
        done = run(
            "station", "create", tmp_path / "s", *words, "--reference", images / "references", "--model",
            open_clip_folder, "--device", "cpu", *given,
        )  # fmt: skip
        assert done.code == 2
        assert said in done.sentence
        assert not (tmp_path / "s").exists()

    def test_a_folder_with_other_files_is_refused_before_a_model_is_loaded(self, images: Path, tmp_path: Path) -> None:
        done = create(images / "good", images, tmp_path / "no model")
        assert done.code == 2
        assert "is no station and holds other files (000.png)" in done.sentence


class TestSet:
    def set(self, station: Path, *options: object) -> str:
        done = run("station", "set", station, *options)
        assert (done.code, done.err) == (0, "")
        return done.out

    def test_a_threshold_is_a_new_version_that_says_what_it_promises(self, station: Path) -> None:
        before = read_station(station).thresholds_in_force
        said = self.set(station, "--threshold", 9)
        assert said.startswith("version 2: threshold 9 (was calibrated)\nThe threshold was moved by hand; ")
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
        self.set(station, "--threshold", "9.5")  # its review threshold is another matter
        assert read_station(station).thresholds.review is None

    def test_a_rate_goes_back_to_calibrated_thresholds(self, station: Path) -> None:
        self.set(station, "--threshold", "9,5")
        said = self.set(station, "--false-alarm-rate", 0.4)
        assert "version 3: threshold calibrated (was 9), false-alarm rate 0.4 (was 0.2)" in said
        state = read_station(station)
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
            (["--review-rate", "nan"], "a review rate cannot be nan"),
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
        run("station", "set", station, "--threshold", 9)
        done = run("station", "rollback", station, 1)
        assert (done.code, done.out) == (0, "version 3: version 1 again\n")
        for verb in ("versions", "log"):
            lines = run("station", verb, station).out.splitlines()
            assert [line.split(maxsplit=5)[0::4] for line in lines[1:]] == [
                ["1", "create"], ["2", "set"], ["3", "rollback"],
            ]  # fmt: skip
            assert [each["what"] for each in json.loads(run("station", verb, station, "--json").out)] == [
                "made of 4 references", "threshold 9 (was calibrated)", "version 1 again",
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


class TestCheck:
    def check(self, station: Path, *words: object) -> Done:
        return run("station", "check", station, "--device", "cpu", *words)

    def test_false_alarms_and_misses_at_the_thresholds(self, station: Path, images: Path) -> None:
        detector = oddlens.open_station(station, "cpu")
        verdicts = {name: [each.verdict for each in detector.detect(images / name, "nut")] for name in ("good", "bad")}
        done = self.check(station, "--good", images / "good", "--bad", images / "bad", "--json")
        assert done.code == 0
        found: dict[str, Any] = json.loads(done.out)
        assert found["false_alarms"]["count"] == verdicts["good"].count("ng")
        assert found["false_alarms"]["total"] == 12
        assert (found["missed"]["count"], found["missed"]["total"]) == (verdicts["bad"].count("ok"), 9)
        assert found["promised_on_average"] == pytest.approx(0.2)
        assert found["keeps_promise"] is True
        (entry,) = json.loads(run("station", "log", station, "--json").out)[1:]
        assert (entry["verb"], entry["version"]) == ("check", 1)
        assert f"{found['false_alarms']['count']} of 12 good images NG (false alarms)" in entry["what"]
        assert len(versions(station)) == 1

    def test_a_broken_promise_is_exit_code_1(self, station: Path, images: Path) -> None:
        """Images with defects, called good: all are false alarms. A station that knows its scene would ask for a look."""
        detector = oddlens.open_station(station, "cpu")
        detector.scene = None
        detector.save(station)
        done = self.check(station, "--good", images / "bad")
        assert done.code == 1
        assert "are more than the 52.7 % that the station promises at most" in done.out

    def test_images_that_the_station_knows_are_left_out(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        create(tmp_path / "s", images, open_clip_folder, "--calibrate", images / "more")
        copied = shutil.copytree(images / "references", tmp_path / "copied")
        done = self.check(
            tmp_path / "s", "--good", copied, "--good", images / "more", "--good", images / "good", "--json"
        )
        assert json.loads(done.out)["false_alarms"]["total"] == 12
        assert "4 of the good images are among the references: left out" in done.err
        assert "9 of the good images are among the calibration images: left out" in done.err
        moved = shutil.copytree(images / "more", tmp_path / "moved")
        done = self.check(tmp_path / "s", "--good", moved)
        assert done.code == 2
        assert "9 of the good images are among the calibration images: left out" in done.err
        assert "no good image is left to count" in done.err
        done = self.check(
            tmp_path / "s", "--good", images / "good", images / "good" / "000.png", "--bad", images / "good"
        )
        assert "1 of the good images is among the good images that were given already: left out" in done.err
        assert "12 of the bad images are among the good images that were given already: left out" in done.err

    def test_calibration_images_are_known_by_their_pixels(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        more = shutil.copytree(images / "more", tmp_path / "more")
        create(tmp_path / "s", images, open_clip_folder, "--calibrate", more)
        shutil.copy(images / "good" / "000.png", more / "000.png")  # another image of that name
        done = self.check(tmp_path / "s", "--good", more, "--json")
        assert json.loads(done.out)["false_alarms"]["total"] == 1
        station = tmp_path / "s" / "station.json"  # of an earlier version, which knows their names alone
        document = json.loads(station.read_text())
        del document["calibration"]["digests"]
        station.write_text(json.dumps(document))
        done = self.check(tmp_path / "s", "--good", more)
        assert "9 of the good images are among the calibration images: left out" in done.err
        assert done.code == 2
        assert "no good image is left to count" in done.err

    def test_images_that_fail_are_said_and_the_others_count(self, station: Path, images: Path, tmp_path: Path) -> None:
        good = shutil.copytree(images / "good", tmp_path / "good")
        (good / "torn.png").write_bytes(b"torn")
        done = self.check(station, "--good", good)
        assert done.code == 1
        assert "torn.png" in done.err
        assert done.out.splitlines()[1].split() == ["good", "13", *done.out.splitlines()[1].split()[2:5], "1"]

    def test_without_a_threshold_there_is_nothing_to_check(
        self, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        oddlens.load("winclip", open_clip_folder, device="cpu").save(tmp_path / "s")
        done = self.check(tmp_path / "s", "--good", images / "good")
        assert done.code == 2
        assert "has no threshold to be checked" in done.sentence


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
def test_a_create_that_is_killed_leaves_a_station_or_none(
    images: Path, open_clip_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def start() -> Path:
        shutil.rmtree(tmp_path / "line-3", ignore_errors=True)
        return tmp_path / "line-3"

    found = []
    for folder in killed_everywhere(start, lambda folder: create(folder, images, open_clip_folder)):
        found.append((folder / "station.json").exists())
        if found[-1]:
            assert read_station(folder).thresholds_in_force.image is not None
    assert found == sorted(found)
    assert set(found) == {False, True}
    assert create(folder, images, open_clip_folder).code == 2  # the last one is whole, and left alone


class TestVetting:
    """A doubtful good image stops `create`, until somebody says what it is."""

    @pytest.fixture
    def mixed(self, images: Path, tmp_path: Path) -> Path:
        """Good examples, one of them with a spot."""
        folder = shutil.copytree(images / "good", tmp_path / "mixed")
        shutil.copy(images / "bad" / "000.png", folder / "spot.png")
        return folder

    def create(self, folder: Path, model: Path, *more: object) -> Done:
        return run(
            "station", "create", folder, "--object", "nut", "--model", model, "--device", "cpu", "--method", "winclip",
            "--set", "window_sizes=[2]", *more,
        )  # fmt: skip

    def test_a_doubtful_reference_is_refused_with_a_contact_sheet(
        self, mixed: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        done = self.create(tmp_path / "s", open_clip_folder, "--reference", mixed)
        assert done.code == 2
        assert "spot.png differs most" in done.sentence
        assert "say --accept spot.png (or all) where they are good, or --leave-out spot.png" in done.sentence
        assert not (tmp_path / "s").exists()
        with Image.open(tmp_path / "s-doubtful.png") as sheet:
            assert sheet.width > 300

    @pytest.mark.parametrize("accept", ["spot.png", "all"])
    def test_an_accepted_one_is_said_from_then_on(
        self, mixed: Path, open_clip_folder: Path, tmp_path: Path, accept: str
    ) -> None:
        done = self.create(tmp_path / "s", open_clip_folder, "--reference", mixed, "--accept", accept)
        assert done.err == ""
        assert page(done)["promise"].endswith(f"Doubtful images among them were accepted: {mixed / 'spot.png'}.")
        facts = page(run("station", "show", tmp_path / "s"))
        assert facts["accepted"].startswith(f"{mixed / 'spot.png'} differs most")

    def test_one_that_is_left_out_is_no_reference(self, mixed: Path, open_clip_folder: Path, tmp_path: Path) -> None:
        done = self.create(tmp_path / "s", open_clip_folder, "--reference", mixed, "--leave-out", "spot.png")
        facts = page(done)
        assert facts["references"] == f"12 of {mixed}: 000.png, 001.png, 002.png, 003.png and 8 more"
        assert facts["state"] == "learning"

    def test_calibration_images_are_looked_at_too(
        self, mixed: Path, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        given = ["--reference", images / "references", "--calibrate", mixed]
        done = self.create(tmp_path / "s", open_clip_folder, *given)
        assert done.code == 2
        assert "spot.png differs most" in done.sentence
        done = self.create(tmp_path / "s", open_clip_folder, *given, "--leave-out", "spot.png")
        assert page(done)["from"] == "scores of 12 calibration images"
        assert page(done)["state"] == "ready"
        done = self.create(tmp_path / "accepted", open_clip_folder, *given, "--accept", "all")
        assert page(done)["promise"].endswith(f"accepted: {mixed / 'spot.png'}.")
        assert page(done)["promise"] == oddlens.open_station(tmp_path / "accepted", "cpu").calibration().promise  # type: ignore[union-attr]

    @pytest.mark.parametrize("option", ["--accept", "--leave-out"])
    def test_a_name_that_several_images_have_needs_more_of_the_path(
        self, images: Path, open_clip_folder: Path, tmp_path: Path, option: str
    ) -> None:
        given = ["--reference", images / "references", "--calibrate", images / "good"]
        done = self.create(tmp_path / "s", open_clip_folder, *given, option, "001.png")
        assert done.code == 2
        assert (
            f"{option} 001.png names 2 images: give more of the path (references/001.png, good/001.png)"
            in done.sentence
        )
        done = self.create(tmp_path / "s", open_clip_folder, *given, option, "good/001.png", "--accept", "all")
        assert page(done)["from"] == f"scores of {11 if option == '--leave-out' else 12} calibration images"
        assert page(done)["references"].startswith("4 of ")

    def test_a_contact_sheet_overwrites_no_file_of_others(
        self, mixed: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        own = tmp_path / "s-doubtful.png"
        own.write_bytes(b"mine")
        done = self.create(tmp_path / "s", open_clip_folder, "--reference", mixed)
        assert done.code == 2
        assert f"the contact sheet {own} would overwrite another file" in done.sentence
        assert own.read_bytes() == b"mine"
        own.unlink()
        for _ in range(2):  # the second one is written over the first
            assert (
                "spot.png differs most" in self.create(tmp_path / "s", open_clip_folder, "--reference", mixed).sentence
            )

    @pytest.mark.parametrize("option", ["--accept", "--leave-out"])
    def test_a_name_that_is_none_is_refused(
        self, images: Path, open_clip_folder: Path, tmp_path: Path, option: str
    ) -> None:
        done = self.create(tmp_path / "s", open_clip_folder, "--reference", images / "references", option, "spto.png")
        assert done.code == 2
        assert f"{option} spto.png names none of the images" in done.sentence


def test_a_station_is_pushed_and_pulled(tmp_path: Path) -> None:
    oddlens.load(device="cpu", runtime="onnx").set_thresholds(image=0.5).save(tmp_path / "line")
    done = run("station", "push", tmp_path / "line", "--to", tmp_path / "shared")
    assert (done.code, done.out) == (0, f"{tmp_path}/shared\n")
    done = run("station", "pull", tmp_path / "shared", "--to", tmp_path / "other")
    assert (done.code, done.out) == (0, f"{tmp_path}/other: pushed as version 1 of line\n")
    done = run("station", "show", tmp_path / "other")
    assert "NG above 0.5" in done.out
