"""Images that learned weights were trained on promise nothing: what they score is not what new images score."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.data.contents import TrainingImages
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.station import read_station
from tests.cli.program import run
from tests.noise import write_pictures
from tests.tiny_prompts import random_prompts

pytest.importorskip("torch")


@pytest.fixture
def good(tmp_path: Path) -> list[Path]:
    write_pictures(tmp_path / "good", 8)
    return sorted((tmp_path / "good").iterdir())


def trained(folder: Path, model: Path, images: list[Path]) -> Path:
    """Weights that were trained on images."""
    from oddlens.backbone.load import load_backbone
    from oddlens.methods.weights import write_weights

    backbone = load_backbone(model, device="cpu")
    recipe = AnomalyCLIPRecipe(image_size=40, layers=(3,), local_from=1, prompt_depth=2)
    data = {"name": "nuts", "images_sha256": TrainingImages(images).sha256()}
    made = {"method": "anomalyclip", "recipe": asdict(recipe), **backbone.identity.to_dict(), "data": [data]}
    write_weights(folder / "w.safetensors", random_prompts(backbone, recipe).state_dict(), made)
    return folder / "w.safetensors"


@pytest.fixture
def detector(good: list[Path], open_clip_folder: Path, tmp_path: Path) -> Detector:
    """Trained on the first three images."""
    return oddlens.load("anomalyclip", open_clip_folder, trained(tmp_path, open_clip_folder, good[:3]), "cpu")


def test_calibration_images_among_them_break_the_promise(detector: Detector, good: list[Path], tmp_path: Path) -> None:
    with pytest.warns(
        OddlensWarning, match="the threshold promises no false-alarm rate: the weights were trained on 3 of"
    ):
        calibration = detector.calibrate([*map(str, good)])
    said = (
        f"The threshold promises no false-alarm rate: the weights were trained on 3 of the 8 calibration images ({good[0]}, and 2 "
        "more), which may score lower than new ones: calibrate on good images that they were not trained on."
    )
    assert calibration.promise == calibration.broken == said
    assert said in calibration.statement
    assert calibration.promise_at(calibration.scores[0]) == said
    (found,) = detector.detect(good[0])
    assert found.thresholds.promise == said
    detector.save(tmp_path / "line")
    assert oddlens.open_station(tmp_path / "line", "cpu").calibration().promise == said
    assert read_station(tmp_path / "line").calibration_in_force.broken == said


def test_a_copy_is_one_and_others_promise(detector: Detector, good: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(good[1].read_bytes())
    with pytest.warns(OddlensWarning, match=r"trained on 1 of the 6 calibration images \(.*copy.png\)"):
        assert detector.calibrate([*map(str, good[3:]), str(copy)]).broken
    assert not detector.calibrate([*map(str, good[3:])]).broken
    assert not detector.calibrate([np.asarray(Image.open(each)) for each in good[3:]]).broken


def test_a_station_says_so_wherever_its_promise_stands(
    detector: Detector, good: list[Path], open_clip_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "station"
    done = run(
        "station", "create", folder, "--object", "nut", "--method", "anomalyclip", "--model", open_clip_folder, "--weights",
        detector.weights, "--calibrate", tmp_path / "good", "--accept", "all", "--device", "cpu",
    )  # fmt: skip
    assert done.code == 0, done.err
    said = "trained on 3 of the 8 calibration images"
    for args in (("station", "show", folder), ("calibrate", folder, "--good", tmp_path / "good", "--accept", "all")):
        assert said in " ".join(run(*args).out.split()), args
    run("detect", tmp_path / "good", "--station", folder, "--out", tmp_path / "out", "--device", "cpu")
    assert said in (tmp_path / "out" / "run.json").read_text(encoding="utf-8")
    assert said in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_references_among_them_break_the_promise_of_leave_one_out(
    good: list[Path], open_clip_folder: Path, tmp_path: Path
) -> None:
    detector = oddlens.load("winclip", open_clip_folder, device="cpu")
    detector.learned_from = str(trained(tmp_path, open_clip_folder, good[:3]))
    detector.add_references([*map(str, good[2:])])
    with pytest.warns(OddlensWarning, match="trained on 1 of the 6 references"):
        calibration = detector.calibrate()
    assert "the weights were trained on 1 of the 6 references" in calibration.promise
    assert not detector.with_references(None).add_references([*map(str, good[3:])]).calibration().broken


def test_a_check_of_a_station_does_not_count_them(detector: Detector, good: list[Path], tmp_path: Path) -> None:
    detector.set_thresholds(image=0.9).save(tmp_path / "line")
    done = run("station", "check", tmp_path / "line", "--good", tmp_path / "good", "--device", "cpu", "--json")
    assert "3 of the good images are among the images that its weights were trained on: left out" in done.err
    assert json.loads(done.out)["false_alarms"]["total"] == 5
