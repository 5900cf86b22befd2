"""Stations that are damaged, or that somebody edited: each is refused in one sentence, or detects."""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

import oddlens
from oddlens.backbone.load import load_backbone
from oddlens.detector import Detector
from oddlens.errors import ModelError, OddlensError, OddlensWarning, UsageError
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from tests.station.saved import Pictures, hold_the_same, model_of, references_of, told_of
from tests.tiny_clip import random_weights, write_open_clip
from tests.tiny_layers import random_layers, write_layers


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
        assert "is not a station (it does not exist)" in self.sentence_on(tmp_path / "none", UsageError)
        (tmp_path / "file").touch()
        assert "is not a station (it is a file)" in self.sentence_on(tmp_path / "file", UsageError)

    def test_the_stations_that_may_have_been_meant_are_named(self, station: Path, tmp_path: Path) -> None:
        meant = station.rename(tmp_path / "line 3")
        for other in "ABC":  # those whose names are the most like it come first
            (tmp_path / other).mkdir()
            (tmp_path / other / "station.json").touch()
        for wrong in (tmp_path / "line", meant / "station.json"):
            sentence = self.sentence_on(wrong, UsageError)
            assert "is not a station" in sentence
            assert (f"such as {meant}" in sentence) == (wrong.name != "station.json")

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
        assert (
            "open_clip_model.safetensors is missing or damaged: copy the station again, or make it anew"
            in self.sentence_on(station, ModelError)
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
        assert sentence.endswith(": copy the station again, or make it anew")


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
