"""`oddlens station create`: a station of good images, or one sentence and none."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

import oddlens
from oddlens.station import read_station
from tests.cli.line import create, page
from tests.cli.program import Done, run
from tests.station.killing import killed_everywhere


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

    def test_a_review_threshold_given_by_hand_has_no_declared_rate(self, made: Path, tmp_path: Path) -> None:
        shutil.copytree(made, tmp_path / "s")
        run("station", "set", tmp_path / "s", "--review-threshold", 0.01)
        facts = page(run("station", "show", tmp_path / "s"))
        assert facts["declared"] == "20 % of good images NG; review is given by hand"
        assert facts["from"] == "review: given; the other: leave-one-out scores of 4 references"

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
        assert facts["references"] == f"12 of {mixed}: 000.png, 001.png, 002.png, 003.png, and 8 more"
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

    def test_references_and_calibration_images_are_asked_about_at_once_with_their_folders(
        self, mixed: Path, images: Path, open_clip_folder: Path, tmp_path: Path
    ) -> None:
        other = shutil.copytree(images / "references", tmp_path / "other")
        shutil.copy(images / "bad" / "001.png", other / "spot.png")
        done = self.create(tmp_path / "s", open_clip_folder, "--reference", mixed, "--calibrate", other)
        assert done.code == 2
        assert "mixed/spot.png differs most" in done.sentence
        assert "other/spot.png" in done.sentence
        assert "--leave-out mixed/spot.png other/spot.png" in done.sentence

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
