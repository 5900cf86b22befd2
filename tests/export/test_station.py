"""Exported stations: they are stations, they run without torch, and they hold themselves against what they were made of."""

import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import oddlens
from oddlens.calibration import Rates
from oddlens.errors import OddlensError, UsageError
from oddlens.export import station as export_module
from oddlens.export.parity import Difference, Parity, compare
from oddlens.export.station import Exported, export_station
from oddlens.runtime import GraphMethod
from oddlens.teaching.references import calibrate_by_unflagged


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Good parts: grey discs that differ a little."""
    folder, rng = tmp_path_factory.mktemp("good"), np.random.default_rng(0)
    y, x = np.mgrid[:72, :96]
    paths = []
    for number in range(3):
        disc = 90 + 80 * ((x - 48) ** 2 + (y - 36) ** 2 < 700) + rng.normal(0, 6, (72, 96))
        paths.append(folder / f"{number}.png")
        Image.fromarray(np.repeat(disc.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def station(good: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stations") / "discs"
    detector = oddlens.load("winclip", device="cpu", runtime="torch").add_references(good)
    detector.object_name = "disc"
    detector.calibrate()
    detector.save(folder)
    return folder


@pytest.fixture(scope="module")
def exported(station: Path) -> Exported:
    return export_station(station, station.with_name("exported"))


def test_an_export_is_a_station_of_graphs_that_gives_the_same(
    exported: Exported, station: Path, good: list[Path]
) -> None:
    one, other = oddlens.open_station(station, runtime="torch"), oddlens.open_station(exported.folder)
    assert isinstance(other.method, GraphMethod)
    assert other.identity == one.identity
    assert exported.parity.within()
    assert len(exported.parity.images) == 6 + len(good)
    assert not exported.absent
    for expected, found in zip(one.detect(good, "disc"), other.detect(good, "disc"), strict=True):
        assert found.score == pytest.approx(expected.score, abs=1e-4)
        assert found.verdict == expected.verdict
        assert found.thresholds.image == pytest.approx(expected.thresholds.image, abs=1e-4)


@pytest.mark.parametrize("name", ["winclip", "patch-knn"])
def test_it_says_how_images_are_prepared_and_what_the_scorer_takes(
    name: str, exported: Exported, good: list[Path], tmp_path: Path
) -> None:
    """As a program without Python would: encoder, scorer, score; only the resizing is Pillow's."""
    import onnxruntime

    folder = exported.folder
    if name == "patch-knn":  # which keeps the aspect of images
        oddlens.load(name, device="cpu").add_references(good).save(tmp_path / "station")
        folder = export_station(tmp_path / "station", tmp_path / "exported").folder
    told = json.loads((folder / "preprocess.json").read_text())
    image = Image.open(good[0]).convert("RGB")
    size, cell, most = (told["resize"][key] for key in ("size", "aspect_cell", "most_aspect"))
    height = width = size
    if cell is not None:
        root = math.sqrt(min(max(image.width / image.height, 1 / most), most))
        height, width = (max(1, round(each / cell)) * cell for each in (size / root, size * root))
        assert width > height
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    normalise = told["normalise"]
    pixels = (np.asarray(image) / normalise["divide_by"] - normalise["mean"]) / normalise["std"]
    encoder, scorer = (onnxruntime.InferenceSession(folder / told[role]["file"]) for role in ("encoder", "scorer"))
    given = {told["encoder"]["input"]: pixels.transpose(2, 0, 1)[None].astype(np.float32)}
    features = dict(zip(told["encoder"]["outputs"], encoder.run(told["encoder"]["outputs"], given), strict=True))
    memory = load_file(folder / told["memory"])
    inputs = {name: {**features, **memory}[name] for name in told["scorer"]["inputs"]}
    score, anomaly_map = scorer.run([told["scorer"]["score"], told["scorer"]["map"]], inputs)
    (expected,) = oddlens.open_station(folder).detect(good[0], told["object_name"])
    assert float(score[0]) == pytest.approx(expected.score, abs=1e-4)
    assert anomaly_map[0] == pytest.approx(expected.anomaly_map, abs=1e-4)
    assert told["thresholds"] == {each: getattr(expected.thresholds, each) for each in ("image", "review", "pixel")}


def test_it_keeps_how_far_it_lies_from_torch(exported: Exported) -> None:
    told = json.loads((exported.folder / "parity.json").read_text())
    assert told["precision"] == "fp32"
    assert told["verdict_flips"] == 0
    assert 0 < told["largest"]["features"] < 1e-4
    assert told["largest"]["scores"] == max(abs(each["scores"][0] - each["scores"][1]) for each in told["images"])


def test_a_score_on_the_threshold_turns_no_verdict() -> None:
    """The good image that sets a threshold has that score in one runtime, and a last bit more in another."""
    scores = (0.2, 0.2 + 1e-7)
    assert Parity((Difference("x", scores, ("ok", "ng"), 0.0, 0.0, tie=True),)).within()
    assert not Parity((Difference("x", scores, ("ok", "ng"), 0.0, 0.0),)).within()
    detectors = [oddlens.load("winclip", device="cpu").set_thresholds(image=0.9) for _ in range(2)]
    (found,) = compare(*detectors, [("x", np.zeros((64, 64, 3), np.uint8))], "part")
    assert not found.images[0].tie
    for number, detector in enumerate(detectors):
        detector.set_thresholds(image=found.images[0].scores[0] - number * 1e-6)
    (found,) = compare(*detectors, [("x", np.zeros((64, 64, 3), np.uint8))], "part")
    assert (found.images[0].verdicts, found.flips, found.within()) == (("ok", "ng"), 0, True)


def test_an_export_can_be_changed_and_saved_again(exported: Exported, tmp_path: Path) -> None:
    oddlens.open_station(exported.folder).set_thresholds(image=0.9).save(tmp_path / "again")
    again = oddlens.open_station(tmp_path / "again")
    assert isinstance(again.method, GraphMethod)
    assert again.thresholds.image == 0.9
    with pytest.raises(UsageError, match="holds graphs, which runtime 'torch' cannot run"):
        oddlens.open_station(tmp_path / "again", runtime="torch")


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_less_precision_makes_references_and_thresholds_anew(precision: str, station: Path, tmp_path: Path) -> None:
    made = export_station(station, tmp_path / "made", precision=precision)
    detector = oddlens.open_station(made.folder)
    assert isinstance(detector.method, GraphMethod)
    assert detector.method.precision == precision
    assert len(detector.references or ()) == 3
    assert 0 < made.parity.score < 0.05
    (before, _), (after, _) = made.thresholds
    assert before is not None
    assert after is not None
    assert after != before
    assert after == pytest.approx(before, abs=0.05)
    encoders = [
        max(folder.rglob("encoder.onnx")).stat().st_size for folder in (made.folder, station.with_name("exported"))
    ]
    assert encoders[0] < 0.9 * encoders[1]


def test_less_precision_leaves_thresholds_to_references_that_were_not_flagged(
    station: Path, good: list[Path], tmp_path: Path
) -> None:
    detector = oddlens.open_station(station, runtime="torch")
    odd = tmp_path / "odd.png"
    Image.fromarray(255 - np.asarray(Image.open(good[0]))).save(odd)
    detector.add_references(odd)
    assert detector.references is not None
    calibrate_by_unflagged(detector, Rates(), detector.references.digests[-1:])
    detector.save(tmp_path / "learned")
    export_station(tmp_path / "learned", tmp_path / "made", precision="fp16")
    found = oddlens.open_station(tmp_path / "made")
    assert found.references is not None
    assert (len(found.references), found.flagged) == (4, frozenset(detector.references.digests[-1:]))
    calibration, before = found.calibration(), oddlens.open_station(station).calibration()
    assert calibration is not None
    assert before is not None
    assert calibration.kind == "leave-one-out"
    assert calibration.scores == pytest.approx(before.scores, abs=0.01)


@pytest.mark.needs_openvino
def test_an_export_for_openvino_is_tried_on_it_and_runs_on_it(station: Path, good: list[Path], tmp_path: Path) -> None:
    made = export_station(station, tmp_path / "made", precision="fp16", target="openvino")
    told = json.loads((made.folder / "parity.json").read_text())
    assert (told["runtime"], told["versions"].keys() >= {"openvino"}) == ("openvino", True)
    assert 0 < made.parity.score < 0.05
    one, other = oddlens.open_station(made.folder), oddlens.open_station(made.folder, runtime="onnx")
    assert (one.runtime, other.runtime, one.identity) == ("openvino", "onnx", other.identity)
    (expected,), (found,) = (detector.detect(good[0], "disc") for detector in (one, other))
    assert found.score == pytest.approx(expected.score, abs=1e-4)
    assert found.verdict == expected.verdict


def test_where_openvino_is_not_installed_an_export_for_it_says_so(
    station: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    sentence = r"runtime 'openvino' needs OpenVINO, which is not installed: run pip install 'oddlens\[openvino\]'"
    for call in (
        lambda: export_station(station, tmp_path / "made", target="openvino"),
        lambda: oddlens.load("winclip", runtime="openvino"),
    ):
        with pytest.raises(UsageError, match=sentence):
            call()
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_differs_is_not_left(station: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Parity((Difference("x", (0.1, 0.2), ("ok", "ok"), 1e-3, 0.1),))
    monkeypatch.setattr(export_module, "_parity", lambda one, other: (wrong, ()))
    with pytest.raises(OddlensError, match=r"scores by 1\.0e-01"):
        export_station(station, tmp_path / "made")
    assert list(tmp_path.iterdir()) == []


def test_an_export_of_which_images_cannot_be_compared_is_not_left(
    station: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where all its scores are NaN: nothing differs, and nothing was compared."""
    monkeypatch.setattr(export_module, "_parity", lambda one, other: (Parity((), ("x: its score is NaN",)), ()))
    for precision in ("fp32", "fp16"):
        with pytest.raises(OddlensError, match=r"cannot be compared with torch on 1 image \(x: its score is NaN\)"):
            export_station(station, tmp_path / "made", precision=precision)
    assert list(tmp_path.iterdir()) == []


def test_calls_that_are_wrong_say_so_before_anything_is_made(station: Path, good: list[Path], tmp_path: Path) -> None:
    def refused(match: str, call: Callable[[], object]) -> None:
        with pytest.raises(UsageError, match=match):
            call()

    (tmp_path / "there").mkdir()
    refused("there exists: give a new folder", lambda: export_station(station, tmp_path / "there"))
    refused("there is no precision 'fp64'", lambda: export_station(station, tmp_path / "new", precision="fp64"))
    refused("there is no target 'tflite'", lambda: export_station(station, tmp_path / "new", target="tflite"))
    refused(
        "int8 is slower than fp32 on OpenVINO: give another precision",
        lambda: export_station(station, tmp_path / "new", precision="int8", target="openvino"),
    )
    refused("is not a station", lambda: export_station(tmp_path / "none", tmp_path / "new"))
    moved = tmp_path / "moved"
    moved.mkdir()
    copies = [Path(shutil.copy(path, moved)) for path in good]
    oddlens.load("winclip", device="cpu").add_references(copies).save(tmp_path / "station")
    copies[1].unlink()
    refused(
        "1.png is not there any more", lambda: export_station(tmp_path / "station", tmp_path / "new", precision="int8")
    )
    assert not (tmp_path / "new").exists()


def test_convolutions_stay_as_they_are_in_int8(good: list[Path], tmp_path: Path) -> None:
    oddlens.load("patch-knn", device="cpu").add_references(good).save(tmp_path / "station")
    with pytest.raises(UsageError, match="int8 changes nothing here"):
        export_station(tmp_path / "station", tmp_path / "new", precision="int8")
