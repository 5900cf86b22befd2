"""Stations: a detector in a folder that detects the same elsewhere, and says so where it cannot."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import oddlens
from oddlens.backbone.tensors import aligned
from oddlens.detector import Detector
from oddlens.errors import ModelError, UsageError
from oddlens.station import prune
from tests.station.saved import Pictures, hold_the_same, model_of, save
from tests.tiny_clip import (
    Weights,
    write_embedded,
    write_open_clip,
    write_openai_archive,
    write_transformers,
)


class TestSame:
    def test_it_detects_what_was_saved(self, detector: Detector, station: Path, pictures: Pictures) -> None:
        opened = oddlens.open_station(station, device="cpu")
        assert (opened.name, opened.recipe) == (detector.name, detector.recipe)
        hold_the_same(opened, detector, pictures[3:])

    def test_without_references_too(self, open_clip_folder: Path, tmp_path: Path, pictures: Pictures) -> None:
        detector = oddlens.load("winclip", model=open_clip_folder, device="cpu")
        station = save(detector, tmp_path / "station")
        assert sorted(path.name for path in station.iterdir()) == ["files", "log.jsonl", "station.json", "versions"]
        assert [path.name for path in (station / "files").rglob("*.safetensors")] == ["open_clip_model.safetensors"]
        hold_the_same(oddlens.open_station(station, device="cpu"), detector, pictures[:2])

    def test_a_calibration_is_kept(self, detector: Detector, tmp_path: Path, pictures: Pictures) -> None:
        """Its thresholds, its p-values, its object: with no image of it at hand."""
        detector.calibrate(pictures[3:7], false_alarm_rate=0.4, object_name="nut")
        detector.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station", device="cpu")
        assert opened.object_name == "nut"
        assert opened.calibration() == detector.calibration("nut")
        (one,), (other,) = (each.detect(pictures[0], "nut") for each in (opened, detector))
        assert (one.thresholds, one.p_value, one.verdict) == (other.thresholds, other.p_value, other.verdict)
        assert opened.identity.calibration == detector.identity.calibration

    def test_the_rates_of_references_are_kept(self, detector: Detector, tmp_path: Path, pictures: Pictures) -> None:
        detector.calibrate(false_alarm_rate=0.5, review_rate=0.1)
        detector.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station", device="cpu")
        (one,), (other,) = (each.detect(pictures[0], "nut") for each in (opened, detector))
        assert one.thresholds == other.thresholds
        assert one.thresholds.source == "leave-one-out scores of 3 references"

    def test_a_calibration_of_something_else_is_refused(
        self, detector: Detector, tmp_path: Path, pictures: Pictures
    ) -> None:
        detector.calibrate(pictures[3:7])
        detector.save(tmp_path / "station")
        path = tmp_path / "station" / "station.json"
        state = json.loads(path.read_text())
        path.write_text(json.dumps(state | {"calibration": state["calibration"] | {"seal": "0" * 64}}))
        with pytest.raises(
            ModelError, match="its thresholds were calibrated with another method, model, recipe or references"
        ):
            oddlens.open_station(tmp_path / "station", device="cpu")

    @pytest.mark.parametrize(
        "damage",
        [{"scores": [0.1]}, {"kind": "other"}, {"false_alarm_rate": 0.001}, {"review_rate": "much"}, {"usual": None}],
    )
    def test_a_damaged_calibration_is_refused(
        self, detector: Detector, tmp_path: Path, pictures: Pictures, damage: dict[str, object]
    ) -> None:
        detector.calibrate(pictures[3:7])
        detector.save(tmp_path / "station")
        path = tmp_path / "station" / "station.json"
        state = json.loads(path.read_text())
        path.write_text(json.dumps(state | {"calibration": state["calibration"] | damage}))
        with pytest.raises(UsageError, match=r"station\.json is damaged \(.*\): .* goes back to version 1"):
            oddlens.open_station(tmp_path / "station", device="cpu")

    def test_thresholds_given_by_hand_are_kept(self, detector: Detector, tmp_path: Path, pictures: Pictures) -> None:
        detector.set_thresholds(image=0.3)
        opened = oddlens.open_station(save(detector, tmp_path / "station"), device="cpu")
        assert opened.thresholds == detector.thresholds
        hold_the_same(opened, detector, pictures[3:5])

    def test_more_references_can_be_added(self, detector: Detector, station: Path, pictures: Pictures) -> None:
        opened = oddlens.open_station(station, device="cpu").add_references(pictures[3:5])
        hold_the_same(opened, detector.add_references(pictures[3:5]), pictures[5:7])

    def test_it_can_be_saved_again_into_its_own_folder(
        self, detector: Detector, station: Path, pictures: Pictures
    ) -> None:
        before = sorted(path.name for path in (station / "files").rglob("*"))
        for _ in range(2):
            oddlens.open_station(station, device="cpu").save(station)
        assert sorted(path.name for path in (station / "files").rglob("*")) == before
        assert sorted(path.name for path in (station / "versions").iterdir()) == ["0001.json", "0002.json", "0003.json"]
        hold_the_same(oddlens.open_station(station, device="cpu"), detector, pictures[3:5])


WRITERS: dict[str, Callable[[Path, Weights], Path]] = {
    "open_clip": lambda place, weights: write_open_clip(place / "clip", weights),
    "transformers, shards": lambda place, weights: write_transformers(place / "clip", weights, form="sharded"),
    "OpenAI": lambda place, weights: write_openai_archive(place / "clip" / "ViT.pt", weights),
    "our own": lambda place, _: write_embedded(place / "clip"),
}


class TestLayout:
    def test_its_references_lie_in_memory_as_those_that_were_just_encoded(
        self, detector: Detector, station: Path
    ) -> None:
        """Kernels choose their path by it; without this the same station gives other last bits on some processors."""
        opened = oddlens.open_station(station, device="cpu")
        for each in (detector, opened):
            assert each.references is not None
            assert all(aligned(value) is value for value in each.references.features.values())

    def test_so_do_those_that_were_cut_out_of_a_larger_tensor(self, detector: Detector) -> None:
        assert detector.references is not None
        cut = {
            name: torch.cat([torch.zeros(1), value.flatten()])[1:].view(value.shape)
            for name, value in detector.references.features.items()
        }
        assert not any(aligned(value) is value for value in cut.values())
        detector.references = replace(detector.references, features=cut)
        assert all(aligned(value) is value for value in detector.references.features.values())
        assert all(value.equal(cut[name]) for name, value in detector.references.features.items())


class TestElsewhere:
    @pytest.mark.parametrize("layout", WRITERS)
    def test_it_needs_nothing_but_its_folder(
        self, layout: str, tmp_path: Path, weights: Weights, pictures: Pictures
    ) -> None:
        """The folder is moved, and the model that it was made with is gone."""
        detector = oddlens.load("winclip", model=WRITERS[layout](tmp_path, weights), device="cpu").add_references(
            pictures[:2]
        )
        expected = detector.detect(pictures[2:4], "nut")
        save(detector, tmp_path / "station").rename(tmp_path / "moved")
        shutil.rmtree(tmp_path / "clip")
        opened = oddlens.open_station(tmp_path / "moved", device="cpu")
        for ours, theirs in zip(opened.detect(pictures[2:4], "nut"), expected, strict=True):
            assert ours.to_dict() == theirs.to_dict()
            assert np.array_equal(ours.anomaly_map, theirs.anomaly_map)

    def test_it_names_no_path_of_the_machine_but_the_pictures(self, station: Path, tmp_path: Path) -> None:
        assert str(tmp_path) not in (station / "station.json").read_text()

    def test_files_are_copied_and_never_linked(self, station: Path, open_clip_folder: Path) -> None:
        """A link would change with the model that the station was made with."""
        copied = [path for path in model_of(station).iterdir() if path.is_file()]
        assert {path.name for path in copied} <= {path.name for path in open_clip_folder.iterdir()}
        assert all(path.stat().st_nlink == 1 and not path.is_symlink() for path in copied)

    def test_a_model_in_the_hub_cache_is_taken_as_files_and_not_as_links(
        self, tmp_path: Path, weights: Weights, pictures: Pictures
    ) -> None:
        blobs, snapshot = write_open_clip(tmp_path / "blobs", weights), tmp_path / "snapshot"
        snapshot.mkdir()
        for path in blobs.iterdir():
            (snapshot / path.name).symlink_to(path)
        detector = oddlens.load("winclip", model=snapshot, device="cpu")
        station = save(detector, tmp_path / "station")
        assert not any(path.is_symlink() for path in station.rglob("*"))


class TestAnotherOne:
    def test_a_station_in_the_place_of_another_is_its_next_version(
        self, station: Path, detector: Detector, tmp_path: Path, weights: Weights, pictures: Pictures
    ) -> None:
        """The first has references and a model in another layout, which would be read before the second's."""
        second = oddlens.load("winclip", model=write_transformers(tmp_path / "clip", weights), device="cpu")
        second.save(station)
        hold_the_same(oddlens.open_station(station, device="cpu"), second, pictures[:2])
        hold_the_same(oddlens.open_station(station, device="cpu", version=1), detector, pictures[3:5])


class TestWhere:
    """Into which folders a station is saved."""

    def test_a_folder_with_other_files_is_refused(self, detector: Detector, tmp_path: Path) -> None:
        folder = tmp_path / "pictures"
        folder.mkdir()
        (folder / "part.png").write_bytes(b"mine")
        with pytest.raises(
            UsageError, match=r"pictures is no station and holds other files \(part\.png\): give an empty or"
        ):
            detector.save(folder)
        assert [path.name for path in folder.iterdir()] == ["part.png"]

    def test_an_empty_folder_and_what_a_stopped_save_left_are_taken(
        self, detector: Detector, station: Path, pictures: Pictures
    ) -> None:
        (station / "station.json").unlink()
        (station / ".DS_Store").touch()
        detector.save(station)
        hold_the_same(oddlens.open_station(station, device="cpu"), detector, pictures[3:4])


class TestFormat1:
    """A station that version 0.1.0 wrote (its model, which is that of these tests in float32, is put beside it here)."""

    @pytest.fixture
    def old(self, weights: Weights, tmp_path: Path) -> Path:
        station = tmp_path / "old"
        shutil.copytree(Path(__file__).parents[1] / "fixtures" / "station_1", station)
        write_open_clip(station / "model", weights)
        return station

    def test_it_detects_what_it_detected(self, old: Path, pictures: Pictures) -> None:
        found = oddlens.open_station(old, device="cpu").detect(pictures[3:], "nut")
        assert [each.score for each in found] == pytest.approx(json.loads((old / "scores.json").read_text()), abs=1e-6)
        assert {each.threshold for each in found} == {0.5}

    def test_saved_again_it_has_checksums(self, old: Path, tmp_path: Path) -> None:
        oddlens.open_station(old, device="cpu").save(tmp_path / "new")
        assert json.loads((tmp_path / "new" / "station.json").read_text())["references"]["seal"]

    def test_pruned_it_is_what_it_was(self, old: Path) -> None:
        before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
        assert prune(old, 1) == []
        assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before

    @pytest.mark.parametrize("damage", ["cut", "nan", "shape", "name"])
    def test_references_that_cannot_be_used_are_one_sentence(self, old: Path, damage: str) -> None:
        path = old / "references.safetensors"
        tensors = load_file(path)
        name = next(iter(tensors))
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:-100])
        elif damage == "nan":
            tensors[name].view(-1)[0] = float("nan")
        elif damage == "shape":
            tensors[name] = tensors[name][:1]
        else:
            tensors["other"] = tensors.pop(name)
        if damage != "cut":
            save_file(tensors, path)
        with pytest.raises(ModelError, match="is damaged"):
            oddlens.open_station(old, device="cpu")
