"""Files that earlier versions wrote open, or are refused in one sentence that loses nothing: see tests/fixtures/README.md."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.data.named import open_sources
from oddlens.detection import Detection
from oddlens.errors import UsageError
from oddlens.evaluation import Benchmark, Plan, RulePicks, variants
from oddlens.methods.weights import read_weights
from oddlens.station import rollback, versions
from oddlens.training import settings_class, trainable_class
from oddlens.training.loop import Schedule
from oddlens.training.precision import Precision
from oddlens.training.reporting import Reporter
from oddlens.training.run import TrainingRun
from oddlens.training.samples import gather_samples
from tests.cli.program import run
from tests.tiny_clip import Weights, write_open_clip
from tests.training.test_run import RECIPES

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="module")
def open_clip_folder(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> Path:
    """In float32, as these versions had it: what they wrote names its bytes."""
    return write_open_clip(tmp_path_factory.mktemp("models") / "open-clip", weights)


@pytest.fixture
def place(tmp_path: Path, open_clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, as those programs had it: the model as `clip`, the data set as `lids`."""
    (tmp_path / "clip").symlink_to(open_clip_folder)
    shutil.copytree(FIXTURES / "lids", tmp_path / "lids")
    for path in (tmp_path / "lids").rglob("*.png"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class TestResults:
    DETECT = (
        "detect", "lids/lid/test/good", "--model", "clip", "--device", "cpu", "--reference", "lids/lid/train/good",
        "--object", "lid", "--no-overlays",
    )  # fmt: skip

    def test_a_run_whose_thresholds_followed_another_rule_is_kept_and_not_gone_on_with(self, place: Path) -> None:
        """Its verdicts and those of today would stand in one list."""
        out = Path(shutil.copytree(FIXTURES / "results_2", place / "results_2"))
        before = contents(out)
        done = run(*self.DETECT, "--out", out, "--resume")
        assert done.code == 2
        assert (
            "holds results of an earlier version of oddlens, whose thresholds followed another rule: "
            "give another --out to keep them, or add --overwrite to start over" in done.err
        )
        assert contents(out) == before

    def test_its_detections_are_read(self) -> None:
        for line in (FIXTURES / "results_2" / "results.jsonl").read_text().splitlines():
            record = json.loads(line)
            found = Detection.from_dict(record)
            assert (found.score, found.is_anomalous) == (record["score"], record["is_anomalous"])

    def test_what_differs_is_named_in_the_names_of_today(self, place: Path) -> None:
        out = Path(shutil.copytree(FIXTURES / "results_2", place / "results_2"))
        before = contents(out)
        done = run(*self.DETECT, "--set", "temperature=0.5", "--out", out, "--resume")
        assert done.code == 2
        assert "whose thresholds followed another rule, and of other settings (recipe temperature): give" in done.err
        assert contents(out) == before

    def test_results_that_do_not_name_their_files_are_kept_and_not_gone_on_with(self, place: Path) -> None:
        out = Path(shutil.copytree(FIXTURES / "results_1", place / "results_1"))
        before = contents(out)
        done = run(*self.DETECT, "--out", out, "--resume")
        assert done.code == 2
        assert "holds results of another version of oddlens, whose lines do not say which file they are of" in done.err
        assert contents(out) == before


@pytest.mark.parametrize("method", ["april-gan", "anomalyclip"])
def test_learned_weights_find_what_they_found(method: str, place: Path) -> None:
    weights = FIXTURES / "weights_1" / f"{method}.safetensors"
    provenance = read_weights(weights).provenance
    assert provenance is not None
    backbone = load_backbone("clip", device="cpu")
    assert {name: provenance[name] for name in backbone.identity.to_dict()} == backbone.identity.to_dict()
    detector = oddlens.load(method, "clip", weights, "cpu")
    found = detector.detect(["lids/lid/test/crack/0.png", "lids/lid/test/good/0.png"], "lid")
    expected = json.loads(weights.with_suffix(".json").read_text())
    assert [each.score for each in found] == pytest.approx(expected, abs=1e-5)  # last bits differ between processors


def test_a_training_goes_on_from_its_checkpoint(place: Path) -> None:
    """Two of four steps are done. What follows is what an undisturbed training gave then."""
    out = place / "prompts.safetensors"
    shutil.copy(FIXTURES / "checkpoint_1" / "prompts.safetensors.checkpoint.pt", place)
    settings: Any = replace(settings_class("anomalyclip")(), epochs=2, batch=2, mosaic=0.0)  # type: ignore[type-var]
    trainable = trainable_class("anomalyclip")(load_backbone("clip", device="cpu"), RECIPES["anomalyclip"], settings)
    schedule = Schedule(gather_samples(open_sources([Path("lids")]), "test", "fake"), settings)
    said: list[str] = []
    training = TrainingRun(trainable, schedule, out, Precision("float32", {}), report=False)
    assert training.checkpoint.differs() == []
    history = training.run(Reporter(said.append))
    assert said[0] == f"going on from {out}.checkpoint.pt"
    expected = json.loads((FIXTURES / "checkpoint_1" / "losses.json").read_text())
    assert history.losses[:2] == expected[:2]
    assert [each for losses in history.losses for each in losses.values()] == pytest.approx(
        [each for losses in expected for each in losses.values()], rel=1e-4
    )
    before = read_weights(FIXTURES / "checkpoint_1" / "whole.safetensors").tensors
    for name, value in read_weights(out).tensors.items():
        torch.testing.assert_close(value, before[name], atol=1e-4, rtol=1e-3)


def test_a_cell_with_other_figures_is_refused_and_stays(place: Path) -> None:
    cell = place / "out" / "cells" / "lids" / "lid" / "winclip-2shot-seed0.json"
    cell.parent.mkdir(parents=True)
    shutil.copy(FIXTURES / "cell_2" / cell.name, cell)
    before = cell.read_bytes()
    detector = oddlens.load("winclip", "clip", device="cpu")
    benchmark = Benchmark(
        Plan(open_sources([Path("lids")]), (detector,), variants([2], [0]), RulePicks()), place / "out"
    )
    with pytest.raises(
        UsageError, match=r"seed0\.json is of another version of oddlens, whose figures differ: give another"
    ):
        benchmark.open()
    assert cell.read_bytes() == before


class TestStation2:
    @pytest.fixture
    def station(self, place: Path, open_clip_folder: Path) -> Path:
        station = Path(shutil.copytree(FIXTURES / "station_2", place / "station"))
        shutil.copytree(open_clip_folder, station / "model")
        return station

    def test_it_detects_what_it_detected(self, station: Path) -> None:
        found = oddlens.open_station(station, "cpu").detect(
            ["lids/lid/test/crack/0.png", "lids/lid/test/good/0.png"], "lid"
        )
        assert [each.score for each in found] == pytest.approx(
            json.loads((station / "scores.json").read_text()), abs=1e-6
        )
        assert {each.threshold for each in found} == {0.5}

    def test_its_seal_still_counts(self, station: Path) -> None:
        state = json.loads((station / "station.json").read_text())
        state["recipe"]["window_sizes"] = [3]
        (station / "station.json").write_text(json.dumps(state))
        with pytest.raises(
            oddlens.errors.ModelError, match=r"references\.safetensors is damaged, or station\.json was edited: "
        ):
            oddlens.open_station(station, "cpu")

    def test_saved_again_it_has_the_names_of_today(self, station: Path, tmp_path: Path) -> None:
        oddlens.open_station(station, "cpu").save(tmp_path / "new")
        state = json.loads((tmp_path / "new" / "station.json").read_text())
        assert (state["format"], state["model"]) == (5, "clip")
        assert state["model_sha256"] == json.loads((station / "station.json").read_text())["model"]["hash"]


SAID = ("scores", "verdicts")
"""What the program that wrote the station found on the same pictures."""


class TestStation4:
    """References, a split calibration, and a file of each kind beside station.json."""

    @pytest.fixture
    def station(self, tmp_path: Path, open_clip_folder: Path) -> Path:
        station = Path(shutil.copytree(FIXTURES / "station_4", tmp_path / "station"))
        shutil.copytree(open_clip_folder, station / "model")
        return station

    def detect_as_it_did(self, station: Path, pictures: list[NDArray[np.uint8]], version: int | None = None) -> None:
        found = oddlens.open_station(station, "cpu", version=version).detect(pictures[3:], "nut")
        scores, verdicts = (json.loads((FIXTURES / "station_4" / f"{name}.json").read_text()) for name in SAID)
        assert [each.score for each in found] == pytest.approx(scores, abs=1e-5)
        limits = {
            each for found_one in found for each in (found_one.thresholds.image, found_one.thresholds.review) if each
        }
        # A score on a threshold turns with a processor's last bit.
        sure = [all(abs(score - limit) > 1e-5 for limit in limits) for score in scores]
        assert sum(sure) > len(sure) // 2
        assert list(compress((each.verdict for each in found), sure)) == list(compress(verdicts, sure))

    def test_it_detects_what_it_detected(self, station: Path, pictures: list[NDArray[np.uint8]]) -> None:
        self.detect_as_it_did(station, pictures)
        assert [(each.number, each.time) for each in versions(station)] == [(1, "")]

    def test_what_is_written_over_it_is_its_second_version(
        self, station: Path, pictures: list[NDArray[np.uint8]]
    ) -> None:
        for name in SAID:
            (station / f"{name}.json").unlink()
        detector = oddlens.open_station(station, "cpu")
        detector.set_thresholds(image=0.25).save(station, note="stricter")
        assert [(each.number, each.what) for each in versions(station)] == [
            (1, "written by an earlier version of oddlens"),
            (2, "stricter"),
        ]
        assert sorted(path.name for path in station.iterdir()) == ["files", "log.jsonl", "station.json", "versions"]
        assert {each.verdict for each in oddlens.open_station(station, "cpu").detect(pictures[3:], "nut")} == {"ng"}
        self.detect_as_it_did(station, pictures, version=1)
        assert rollback(station, 1).number == 3
        self.detect_as_it_did(station, pictures)
