"""Stations: a detector in a folder that detects the same elsewhere, and says so where it cannot."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.backbone.tensors import aligned
from oddlens.detector import Detector
from oddlens.errors import ModelError, OddlensError, OddlensWarning, UsageError
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from tests.tiny_clip import (
    Weights,
    random_weights,
    write_embedded,
    write_open_clip,
    write_openai_archive,
    write_transformers,
)
from tests.tiny_layers import random_layers, write_layers

Pictures = list[NDArray[np.uint8]]


def save(detector: Detector, folder: Path) -> Path:
    detector.save(folder)
    return folder


def told_of(station: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((station / "station.json").read_text())
    return told


def model_of(station: Path) -> Path:
    """The folder with the model's files."""
    (found,) = station.glob("files/*/model")
    return found


def references_of(station: Path) -> Path:
    return station / "files" / f"{told_of(station)['references']['file_sha256']}.safetensors"


def hold_the_same(one: Detector, other: Detector, pictures: Pictures) -> None:
    """Both detect the very same, to the last bit."""
    for ours, theirs in zip(one.detect(pictures, "nut"), other.detect(pictures, "nut"), strict=True):
        assert ours.to_dict() == theirs.to_dict()
        assert np.array_equal(ours.anomaly_map, theirs.anomaly_map)
        assert ours.value_range == theirs.value_range
        assert ours.thresholds == theirs.thresholds


@pytest.fixture
def detector(open_clip_folder: Path, pictures: Pictures) -> Detector:
    detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", temperature=0.1, window_sizes=[2])
    return detector.add_references(pictures[:3])


@pytest.fixture
def station(detector: Detector, tmp_path: Path) -> Path:
    return save(detector, tmp_path / "station")


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


class TestFaults:
    def sentence_on(self, station: Path, kind: type[Exception]) -> str:
        with pytest.raises(kind) as error:
            oddlens.open_station(station, device="cpu")
        sentence = str(error.value)
        assert "\n" not in sentence
        assert str(station) in sentence
        return sentence

    def test_a_folder_that_is_none_is_reported(self, tmp_path: Path) -> None:
        assert "is not a station (no station.json in it)" in self.sentence_on(tmp_path, UsageError)
        assert "is not a station" in self.sentence_on(tmp_path / "none", UsageError)

    @pytest.mark.parametrize("content", ["", "{", "\xff"])
    def test_a_damaged_one_is_reported(self, station: Path, content: str) -> None:
        (station / "station.json").write_text(content, encoding="latin-1")
        assert "goes back to version 1, the last whole one" in self.sentence_on(station, UsageError)

    @pytest.mark.parametrize("content", ["[]", "{}", '{"format": 0}', '{"format": 6}', '{"format": true}'])
    def test_one_of_another_format_is_reported(self, station: Path, content: str) -> None:
        (station / "station.json").write_text(content)
        assert "is of a format that this version of oddlens does not read" in self.sentence_on(station, UsageError)

    @pytest.mark.parametrize("name", ["station.json", "references"])
    def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(self, station: Path, name: str) -> None:
        path = station / name if name == "station.json" else references_of(station)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(OddlensError, match=r"is no regular file: check the path|is missing or damaged"):
            oddlens.open_station(station, device="cpu")

    @pytest.mark.parametrize(
        "missing", ["method", "recipe", "model", "model_sha256", "files", "thresholds", "references"]
    )
    def test_one_that_lacks_something_is_reported(self, station: Path, missing: str) -> None:
        told = told_of(station)
        del told[missing]
        (station / "station.json").write_text(json.dumps(told))
        assert f"is damaged (it lacks {missing})" in self.sentence_on(station, UsageError)

    def test_another_model_in_its_place_is_reported(self, station: Path, tmp_path: Path) -> None:
        other = write_open_clip(tmp_path / "other", random_weights(99))
        (other / "open_clip_model.safetensors").replace(model_of(station) / "open_clip_model.safetensors")
        assert "is damaged, or not the file that the station names" in self.sentence_on(station, ModelError)

    def test_another_tokenizer_is_another_model(self, station: Path) -> None:
        from oddlens.backbone.tokenizer import clip_tokenizer

        clip_tokenizer().save(model_of(station) / "tokenizer.json")
        assert "its hash differs" in self.sentence_on(station, ModelError)

    def test_a_missing_model_is_reported(self, station: Path) -> None:
        (model_of(station) / "open_clip_model.safetensors").unlink()
        assert "open_clip_model.safetensors is missing or damaged: make the station again" in self.sentence_on(
            station, ModelError
        )

    @pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "of fewer images"])
    def test_damaged_references_are_reported(self, station: Path, damage: str) -> None:
        path = references_of(station)
        if damage == "missing":
            path.unlink()
        elif damage == "of fewer images":
            save_file({name: value[:1].clone() for name, value in load_file(path).items()}, path)
        else:
            path.write_bytes(path.read_bytes()[:-5] if damage == "truncated" else b"")
        sentence = self.sentence_on(station, ModelError)
        assert ("is missing" if damage == "missing" else "is damaged") in sentence
        assert str(path) in sentence
        assert sentence.endswith("make the station again")


STRANGE: tuple[object, ...] = (
    None, True, 0, -1, 3, 1.5, 10**20, "", "x", "../x", "/x", "a\nb", [], [1], [[]], ["x"], {}, {"x": 1}, "x" * 5000,
)  # fmt: skip


def places(value: object, place: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Where something lies in a JSON value: the keys and numbers that lead there."""
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*place, key))


def edited(value: Any, place: tuple[object, ...], *new: object) -> Any:
    """The value with `new` in a place, or without what lies there."""
    if not place:
        return new[0] if new else None
    key, *rest = place
    other = dict(value) if isinstance(value, dict) else list(value)
    if rest or new:
        other[key] = edited(value[key], tuple(rest), *new)
    else:
        del other[key]
    return other


class TestEdited:
    """Whatever is changed in a station, it is refused in one sentence or it detects."""

    def judge(self, station: Path, picture: NDArray[np.uint8]) -> bool:
        """Whether it detects. Fails for anything but a sentence and finite numbers."""
        sentence = ""
        try:
            (found,) = oddlens.open_station(station, device="cpu").detect(picture)
        except OddlensError as error:
            sentence = str(error)
        if sentence:
            assert sentence.isprintable()
            assert len(sentence) < 1000
            return False
        assert np.isfinite(found.score)
        assert np.isfinite(found.anomaly_map).all()
        json.dumps(found.to_dict(), allow_nan=False)
        return True

    @pytest.fixture(params=["winclip", "april-gan"])
    def whole(
        self, request: pytest.FixtureRequest, open_clip_folder: Path, tmp_path: Path, pictures: Pictures
    ) -> Iterator[Path]:
        """A station whose towers stay loaded, so that opening it costs little."""
        weights = None
        if request.param == "april-gan":
            weights = tmp_path / "layers.safetensors"
            write_layers(
                weights,
                random_layers(),
                load_backbone(open_clip_folder, device="cpu"),
                AprilGANRecipe(image_size=40, layers=(1, 2, 3)),
            )
        detector = oddlens.load(request.param, open_clip_folder, weights, "cpu").add_references(pictures[:3])
        detector.save(tmp_path / "whole")
        opened = oddlens.open_station(tmp_path / "whole", device="cpu")
        yield tmp_path / "whole"
        del opened

    def test_its_json_can_be_anything(self, whole: Path, pictures: Pictures) -> None:
        file = whole / "station.json"
        told = told_of(whole)
        edits = [(place, new) for place in places(told) for new in ((), *((value,) for value in STRANGE))]
        rng = random.Random(5)
        ends = []
        for place, new in rng.sample(edits, 150):
            file.write_text(json.dumps(edited(told, place, *new)))
            ends.append(self.judge(whole, pictures[3]))
        assert 0 < sum(ends) < 75  # what is for people may say anything
        for text in ("[" * 100_000, json.dumps(told).replace(": 0", ": NaN"), json.dumps(told)[:-1]):
            file.write_text(text)
            assert not self.judge(whole, pictures[3])

    def test_its_files_can_be_anything(self, whole: Path, pictures: Pictures) -> None:
        rng = random.Random(6)
        for file in sorted((whole / "files").glob("*.safetensors")):
            data = file.read_bytes()
            for _ in range(25):
                damaged = bytearray(data)
                place = rng.randrange(len(data) if rng.random() < 0.7 else min(300, len(data)))
                damaged[place] ^= 1 << rng.randrange(8)
                file.write_bytes(damaged[: rng.randrange(len(data))] if rng.random() < 0.2 else damaged)
                assert not self.judge(whole, pictures[3])
            file.write_bytes(data)
        assert self.judge(whole, pictures[3])

    @pytest.mark.parametrize(
        "change", [lambda v: v * np.nan, lambda v: v[:, :1], lambda v: v.double(), lambda v: v[:2]]
    )
    def test_other_features_under_the_same_names_are_refused(
        self, whole: Path, pictures: Pictures, change: Callable[[Tensor], Tensor]
    ) -> None:
        file = references_of(whole)
        save_file({name: change(value).contiguous() for name, value in load_file(file).items()}, file)
        assert not self.judge(whole, pictures[3])

    def test_references_of_another_recipe_are_refused(self, station: Path, pictures: Pictures) -> None:
        told = told_of(station)
        told["recipe"]["window_sizes"] = [3]
        (station / "station.json").write_text(json.dumps(told))
        with pytest.raises(
            ModelError, match=r"station\.json was edited: the references were made with another method, model or rec"
        ):
            oddlens.open_station(station, device="cpu")
        told["recipe"] |= {"window_sizes": [2], "temperature": 0.5}  # which no feature depends on
        (station / "station.json").write_text(json.dumps(told))
        assert oddlens.open_station(station, device="cpu").recipe.temperature == 0.5

    def test_the_references_are_known_by_their_pixels(self, station: Path, pictures: Pictures) -> None:
        opened = oddlens.open_station(station, device="cpu")
        with pytest.warns(OddlensWarning, match="counts once"):
            opened.add_references(pictures[2:4])
        assert opened.references is not None
        assert len(opened.references) == 4


def test_references_that_the_state_no_longer_names_are_not_left_out_in_silence(station: Path) -> None:
    state = told_of(station)
    (station / "station.json").write_text(json.dumps(state | {"references": None}))
    with pytest.raises(UsageError, match="it has 0 references, and its reference_count is 3"):
        oddlens.open_station(station, device="cpu")


class TestEditors:
    """station.json after an editor saved it."""

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_a_mark_at_its_beginning_says_how_it_is_read(
        self, station: Path, detector: Detector, pictures: Pictures, encoding: str
    ) -> None:
        file = station / "station.json"
        file.write_text(file.read_text(), encoding=encoding)
        hold_the_same(oddlens.open_station(station, device="cpu"), detector, pictures[3:4])

    def test_thresholds_may_be_edited(self, station: Path, pictures: Pictures) -> None:
        state = told_of(station)
        state["thresholds"] |= {"image": 0.25, "source": "by hand"}
        (station / "station.json").write_text(json.dumps(state))
        (found,) = oddlens.open_station(station, device="cpu").detect(pictures[3])
        assert (found.threshold, found.thresholds.source) == (
            0.25,
            "image: given; the other: leave-one-out scores of 3 references",
        )

    @pytest.mark.parametrize("name", ["preprocessing_sha256", "model_fingerprint"])
    def test_another_preprocessing_is_reported(self, station: Path, name: str) -> None:
        (station / "station.json").write_text(json.dumps(told_of(station) | {name: "0"}))
        with pytest.raises(
            ModelError, match=f"gives the model other pixels \\({name} differs\\): make the station again"
        ):
            oddlens.open_station(station, device="cpu")


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
