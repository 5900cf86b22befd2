"""`oddlens judge`, and `detect --resume` with other thresholds: the lines are those of a fresh run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.detection import Marking, RegionOfInterest
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.inference.judgement import by_station
from oddlens.station import read_station
from oddlens.station.defects import DefectMemory, Defects
from tests.cli.judged import assert_same_folders, five_good_images, lines_of, run_of, scores_of, ten_images
from tests.cli.program import Done, run

Detect = Callable[..., Done]


LEFT = RegionOfInterest(include=(((0, 0), (0.6, 0), (0.6, 1), (0, 1)),))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return ten_images(tmp_path / "in")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return five_good_images(tmp_path / "good")


class TestLikeAFreshRun:
    def test_by_thresholds(self, detect: Detect, images: Path, tmp_path: Path) -> None:
        detect(images, "--out", tmp_path / "one")
        middle = scores_of(tmp_path / "one")[4]
        detect(images, "--threshold", f"{middle},0.5", "--out", tmp_path / "two")
        done = run("judge", tmp_path / "one", "--threshold", f"{middle},0.5")
        assert (done.code, done.out) == (0, "")
        assert done.err.startswith("10 images (9 with another verdict): 4 NG, 0 review, 5 OK, 1 failed: ")
        assert_same_folders(tmp_path / "one", tmp_path / "two")

    def test_what_is_not_given_comes_from_the_references(
        self, detect: Detect, images: Path, good: Path, tmp_path: Path
    ) -> None:
        detect(images, "--reference", good, "--out", tmp_path / "one")
        middle = scores_of(tmp_path / "one")[4]
        detect(images, "--reference", good, "--threshold", middle, "--out", tmp_path / "two")
        assert run("judge", tmp_path / "one", "--threshold", middle).code == 0
        assert_same_folders(tmp_path / "one", tmp_path / "two")

    def test_with_a_region_of_interest_a_least_area_and_the_size_of_a_pixel(
        self, detect: Detect, images: Path, good: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "roi.json").write_text(json.dumps(LEFT.to_dict()))
        where = ("--reference", good, "--roi", tmp_path / "roi.json")
        size = ("--min-area", "9mm2", "--mm-per-pixel", 0.5)
        detect(images, *where, "--threshold", "0.1,0.4", "--out", tmp_path / "one")
        detect(images, *where, *size, "--threshold", "0.1,0.4", "--out", tmp_path / "two")
        assert run("judge", tmp_path / "one", *size).code == 0
        assert_same_folders(tmp_path / "one", tmp_path / "two")

    @pytest.mark.parametrize("split", [True, False])
    def test_by_a_station_that_was_calibrated_again(
        self, detector: Detector, images: Path, good: Path, tmp_path: Path, split: bool
    ) -> None:
        station = tmp_path / "station"
        detector.roi, detector.object_name = LEFT, "nut"
        detector.add_references(good).save(station)
        run("detect", images, "--station", station, "--out", tmp_path / "one")
        if split:
            detector.calibrate([path for path in sorted(images.iterdir()) if path.stat().st_size])
        else:
            detector.calibrate(false_alarm_rate=0.4)
        detector.marking = Marking(min_area=12)
        detector.save(station)
        run("detect", images, "--station", station, "--out", tmp_path / "two")
        done = run("judge", tmp_path / "one", "--station", station)
        assert done.code == 0
        assert "on average over such samples" in done.err
        assert_same_folders(tmp_path / "one", tmp_path / "two")
        assert run_of(tmp_path / "one")["judged"] == {"by": f"the station {station}, version 2", "is_done": True}

    def test_back_again(self, detect: Detect, images: Path, good: Path, tmp_path: Path) -> None:
        detector_settings = ("--reference", good, "--threshold", "0.3,0.5")
        detect(images, *detector_settings, "--out", tmp_path / "one")
        before = {path: path.read_bytes() for path in (tmp_path / "one").rglob("*") if path.is_file()}
        run("judge", tmp_path / "one", "--threshold", "0.1,0.2")
        assert (tmp_path / "one" / "results.jsonl").read_bytes() != before[tmp_path / "one" / "results.jsonl"]
        run("judge", tmp_path / "one", "--threshold", "0.3,0.5")
        for path, data in before.items():
            if path.name not in ("run.json", "report.html"):
                assert path.read_bytes() == data, path

    def test_what_cannot_be_removed_is_one_sentence(self, detect: Detect, images: Path, tmp_path: Path) -> None:
        detect(images, "--threshold", "0.3,0.5", "--out", tmp_path / "one")
        (tmp_path / "one" / "overlays" / "own.png").mkdir()
        done = run("judge", tmp_path / "one", "--threshold", "0.1,0.2")
        assert "own.png cannot be removed (Is a directory): change its permissions" in done.sentence

    def test_detect_goes_on_with_other_thresholds(
        self, detect: Detect, images: Path, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (images / "4.png").write_bytes((images / "3.png").read_bytes())
        moved = [path.rename(tmp_path / path.name) for path in sorted(images.iterdir())[8:]]
        detect(
            images, "--reference", good, "--out", tmp_path / "one"
        )  # the first batch, as the fresh run has it: the same bits
        for path in moved:
            path.rename(images / path.name)
        options = ("--reference", good, "--threshold", "0.3,0.5", "--min-area", 5)
        detect(images, *options, "--out", tmp_path / "two")
        done = detect(images, *options, "--out", tmp_path / "one", "--resume")
        assert done.code == 0
        assert "with another verdict)" in done.err
        assert "10 images (2 new)" in done.err
        assert_same_folders(tmp_path / "one", tmp_path / "two")
        monkeypatch.setattr(Detector, "detect_each", None)
        assert detect(images, *options, "--out", tmp_path / "one", "--resume").code == 0

    def test_detect_goes_on_with_a_station_that_was_calibrated_again(
        self, detector: Detector, images: Path, good: Path, tmp_path: Path
    ) -> None:
        station = tmp_path / "station"
        detector.add_references(good).save(station)
        run("detect", images, "--station", station, "--out", tmp_path / "one")
        detector.calibrate(false_alarm_rate=0.4)
        detector.save(station)
        run("detect", images, "--station", station, "--out", tmp_path / "two")
        (images / "4.png").write_bytes(b"")  # the failed one runs again
        done = run("detect", images, "--station", station, "--out", tmp_path / "one", "--resume")
        assert done.code == 1
        assert "with another verdict)" in done.err
        assert_same_folders(tmp_path / "one", tmp_path / "two")

    @pytest.mark.parametrize("options", [(), ("--set", "smooth=0.4")])
    def test_frames_of_a_video(self, detect: Detect, good: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
        small_video = pytest.importorskip("tests.small_video")
        video = small_video.write_video(tmp_path / "drive.mp4", small_video.drive(12))
        call = (video, "--every", 3, "--reference", good, *options)
        detect(*call, "--out", tmp_path / "one")
        detect(*call, "--threshold", "0.1,0.2", "--out", tmp_path / "two")
        assert run("judge", tmp_path / "one", "--threshold", "0.1,0.2").code == 0
        assert_same_folders(tmp_path / "one", tmp_path / "two")
        assert ["p_value" in line for line in lines_of(tmp_path / "one")] == [
            not options or each == 0 for each in range(4)
        ]

    def test_what_differs_in_more_is_refused_and_nothing_changes(
        self, detect: Detect, images: Path, tmp_path: Path
    ) -> None:
        detect(images, "--out", tmp_path / "one")
        before = (tmp_path / "one" / "results.jsonl").read_bytes()
        done = detect(images, "--out", tmp_path / "one", "--resume", "--threshold", 0.3, "--object", "nut")
        assert done.code == 2
        assert "holds results of other settings (object)" in done.sentence
        assert (tmp_path / "one" / "results.jsonl").read_bytes() == before


@pytest.fixture
def detector(open_clip_folder: Path) -> Detector:
    return oddlens.load("winclip", model=open_clip_folder, device="cpu")


class TestStations:
    def test_one_that_scores_otherwise_is_refused(
        self, detect: Detect, detector: Detector, images: Path, good: Path, tmp_path: Path
    ) -> None:
        detect(images, "--reference", good, "--object", "nut", "--out", tmp_path / "out")
        before = (tmp_path / "out" / "results.jsonl").read_bytes()
        detector.add_references(sorted(good.iterdir())[:3])
        detector.roi, detector.object_name = LEFT, "screw"
        detector.save(tmp_path / "station")
        done = run("judge", tmp_path / "out", "--station", tmp_path / "station")
        assert done.code == 2
        assert "would score these images in another way (references, roi, object)" in done.sentence
        assert (tmp_path / "out" / "results.jsonl").read_bytes() == before

    def test_names_of_defects_change_no_score_and_a_memory_of_defects_does(
        self, detector: Detector, images: Path, good: Path, tmp_path: Path
    ) -> None:
        detector.add_references(good).save(tmp_path / "station")
        run("detect", images, "--station", tmp_path / "station", "--out", tmp_path / "out", "--write", "maps")
        detector.set_thresholds(0.3, 0.5).defects = Defects(words=("scratch", "dent"))
        detector.save(tmp_path / "station")
        assert run("judge", tmp_path / "out", "--station", tmp_path / "station").code == 0
        assert {line["threshold"] for line in lines_of(tmp_path / "out") if "score" in line} == {0.3}
        memory = DefectMemory().with_image("a defect", {"patch": np.ones((2, 4), np.float32)})
        state = replace(read_station(tmp_path / "station"), defects=Defects(memory=memory))
        with pytest.raises(UsageError, match=r"would score these images in another way \(defects\)"):
            by_station(run_of(tmp_path / "out"), state, "station")

    def test_one_with_another_recipe_is_refused_by_the_field(
        self, detect: Detect, open_clip_folder: Path, images: Path, tmp_path: Path
    ) -> None:
        detect(images, "--out", tmp_path / "out")
        oddlens.load("winclip", model=open_clip_folder, device="cpu", temperature=0.5).save(tmp_path / "station")
        done = run("judge", tmp_path / "out", "--station", tmp_path / "station")
        assert (done.code, "another way (recipe temperature)" in done.sentence) == (2, True)


def test_suggested_names_stay_with_regions_that_stay(detect: Detect, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    detect(images, "--threshold", "0,0.5", "--out", out)
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    named = next(line for line in lines if line.get("regions"))
    named["regions"][0]["names"] = [["scratch", 0.75], ["dent", 0.25]]
    named["concern"] = "this is another part"
    (out / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("judge", out, "--threshold", "0.2,0.5")
    judged = next(line for line in lines_of(out) if line["path"] == named["path"])
    assert judged["regions"][0]["names"] == [["scratch", 0.75], ["dent", 0.25]]
    assert (judged["verdict"], judged["concern"]) == ("review", "this is another part")
    run("judge", out, "--threshold", "0.2,0.99")  # only the hottest part is left
    judged = next(line for line in lines_of(out) if line["path"] == named["path"])
    assert judged["regions"][0]["area"] != named["regions"][0]["area"]
    assert all("names" not in region for region in judged["regions"])


@pytest.mark.parametrize("roi", [None, RegionOfInterest(include=(((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)),))])
def test_a_concern_follows_the_pixel_threshold_as_in_a_fresh_run(
    detector: Detector, images: Path, good: Path, tmp_path: Path, roi: RegionOfInterest | None
) -> None:
    """An image unlike the good ones is a concern where a third of it is marked: another pixel threshold is another answer."""
    Image.fromarray(np.zeros((40, 48, 3), np.uint8)).save(images / "black.png")
    detector.roi = roi
    detector.add_references(good)
    detector.scene = detector.scene_of()
    detector.save(tmp_path / "station")
    (found,) = detector.detect(images / "black.png")
    assert found.unlike
    low, high = float(found.anomaly_map.min()), float(found.anomaly_map.max()) + 0.01
    runs = {}
    for name, pixel in (("low", low), ("high", high)):
        runs[name] = tmp_path / name
        run(
            "detect", images, "--station", tmp_path / "station", "--device", "cpu", "--threshold", f"0.5,{pixel}", "--out",
            runs[name],
        )  # fmt: skip
    fresh = {name: lines_of(out) for name, out in runs.items()}
    concerns = {name: [line["path"] for line in lines if "concern" in line] for name, lines in fresh.items()}
    assert str(images / "black.png") in concerns["low"]
    assert concerns["high"] == []
    for name, other, pixel in (("low", "high", high), ("high", "low", low)):
        assert run("judge", runs[name], "--threshold", f"0.5,{pixel}", "--write", "nothing").code == 0
        drawn = ("overlay", "mask")
        assert lines_of(runs[name]) == [
            {key: value for key, value in line.items() if key not in drawn} for line in fresh[other]
        ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --threshold, --review-threshold, --min-area, --mm-per-pixel or --station"),
        (("--threshold", 0.5, "--station", "s"), "--station brings its thresholds"),
        (("--threshold", 0.5), "holds no results: give the folder of a run"),
        (("--threshold", 0.5, "--write", "maps"), "--write 'maps' is not known"),
        (("--min-area", "2mm2"), "needs the size of a pixel"),
    ],
)
def test_a_call_that_is_wrong_changes_nothing(words: tuple[object, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    if "holds" not in said:
        (tmp_path / "out" / "run.json").write_text(
            '{"run": {"thresholds": {"image": null, "pixel": null, "source": null}}}'
        )
        (tmp_path / "out" / "results.jsonl").write_text("")
    before = sorted(tmp_path.rglob("*"))
    done = run("judge", tmp_path / "out", *words)
    assert done.code == 2
    assert said in done.sentence
    assert sorted(tmp_path.rglob("*")) == before


def test_a_review_threshold_above_the_threshold_is_refused(detect: Detect, images: Path, tmp_path: Path) -> None:
    detect(images, "--out", tmp_path / "out")
    done = run("judge", tmp_path / "out", "--threshold", 0.3, "--review-threshold", 0.4)
    assert (done.code, "the review threshold 0.4 lies above 0.3" in done.sentence) == (2, True)
    assert run("judge", tmp_path / "out", "--threshold", 0.9, "--review-threshold", 0.1).code == 0
    assert {line.get("verdict") for line in lines_of(tmp_path / "out")} == {"review", None}
    dropped = "Nothing goes to review any more, as it did above 0.1: --review-threshold gives another one."
    assert dropped in run("judge", tmp_path / "out", "--threshold", 0.8).err
    assert dropped not in run("judge", tmp_path / "out", "--threshold", 0.9).err


def test_lines_go_to_stdout_where_they_are_asked_for(detect: Detect, images: Path, tmp_path: Path) -> None:
    detect(images, "--out", tmp_path / "out")
    done = run("judge", tmp_path / "out", "--threshold", 0.3, "--json")
    assert done.out == (tmp_path / "out" / "results.jsonl").read_text()


WITHOUT_TORCH = """
import sys
from oddlens.cli import main
sys.argv = ["oddlens", "judge", *sys.argv[1:]]
try:
    main()
finally:
    assert "torch" not in sys.modules
"""


def test_no_torch_is_imported(detect: Detect, images: Path, tmp_path: Path) -> None:
    detect(images, "--out", tmp_path / "out")
    call = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "out"), "--threshold", "0.3,0.5"]
    done = subprocess.run(call, capture_output=True, text=True, env=os.environ, check=False)
    assert (done.returncode, "Error" in done.stderr) == (0, False)
    assert np.asarray(Image.open(tmp_path / "out" / "masks" / "0.png")).any()
