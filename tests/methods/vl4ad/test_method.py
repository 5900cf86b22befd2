"""VL4AD as a method: words that change after the frames were seen, labels, stations, and what is refused."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

import oddlens
from oddlens.backbone.text import TextTower
from oddlens.backbone.vision import ClipTower
from oddlens.backbone.vision_pass import VisionPass
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, UsageError
from oddlens.methods.base import Features, Text
from oddlens.methods.recipe import make_recipe
from oddlens.methods.vl4ad.dense import trained_temperature
from oddlens.methods.vl4ad.method import VL4AD, _warn_once
from oddlens.methods.vl4ad.recipe import VL4ADRecipe
from oddlens.methods.vl4ad.scores import SCORES, ClassificationRule, MaskPredictions, probabilities

Frame = NDArray[np.uint8]
STREET = {"road": ["road", "street"], "sky": ["sky"], "car": ["car", "van"]}


def noise(height: int, width: int, seed: int = 0) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def street(open_clip_folder: Path) -> Detector:
    return oddlens.load("vl4ad", open_clip_folder, device="cpu", classes=STREET)


class TestMaps:
    def test_a_map_is_the_paper_by_hand(self, street: Detector) -> None:
        """Cosines of patches with the words, the largest a class, a softmax over classes, and minus its highest."""
        frame = noise(40, 56)
        backbone, templates = street.method.backbone, street.recipe.sentences
        words = [word for group in STREET.values() for word in group]
        sentences = [backbone.encode_text([each.replace("{}", word) for each in templates]) for word in words]
        means = torch.stack([F.normalize(F.normalize(each, dim=1).mean(dim=0), dim=0) for each in sentences])
        features = street.encode([frame])
        cosines = features.features["embeddings"][0] @ means.T
        best = torch.stack([cosines[:, :2].amax(dim=1), cosines[:, 2], cosines[:, 3:].amax(dim=1)], dim=1)
        temperature = float(torch.exp(-backbone.model.logit_scale))
        grid = (best / temperature).softmax(dim=1).T.view(1, 3, 5, 7)
        expected = F.interpolate(grid, scale_factor=2, mode="bilinear", align_corners=False)[0]
        (found,) = street.predict(features)
        assert np.allclose(found.anomaly_map, -expected.amax(dim=0), atol=1e-5)
        assert found.labels is not None
        assert np.array_equal(found.labels, expected.argmax(dim=0))
        assert found.label_names == ("road", "sky", "car")
        assert found.score == pytest.approx(float(found.anomaly_map.max()))

    def test_the_score_of_a_frame_is_the_mean_of_its_highest_values(self, street: Detector) -> None:
        (found,) = street.predict(street.encode([noise(80, 80)]), top=0.1)
        highest = np.sort(found.anomaly_map.ravel())[-40:]
        assert found.score == pytest.approx(float(highest.mean()), abs=1e-6)

    def test_maps_have_the_frames_aspect_whatever_else_is_in_the_batch(self, street: Detector) -> None:
        frames = [noise(40, 80), noise(90, 30, 1), noise(17, 23, 2)]
        together = street.detect(frames)
        assert [each.anomaly_map.shape for each in together] == [(10, 20), (23, 8), (5, 6)]
        for frame, found in zip(frames, together, strict=True):
            (alone,) = street.detect([frame])
            assert np.allclose(found.anomaly_map, alone.anomaly_map, atol=1e-6)
            assert found.heatmap().shape == frame.shape[:2]

    @pytest.mark.parametrize("name", SCORES)
    def test_every_score_stays_within_the_range_that_pictures_are_drawn_with(self, street: Detector, name: str) -> None:
        (found,) = street.predict(street.encode([noise(40, 80)]), score=name)
        assert np.isfinite(found.anomaly_map).all()
        assert found.value_range.low - 1e-5 <= found.anomaly_map.min()
        assert found.anomaly_map.max() <= found.value_range.high + 1e-5


class TestWords:
    def test_other_words_cost_no_second_look(self, street: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
        encoded = street.encode([noise(40, 80)])
        monkeypatch.setattr(ClipTower, "embed", lambda *_: pytest.fail("the vision tower ran"))
        (plain,), (other,) = (
            street.predict(encoded),
            street.predict(encoded, classes="camvid", ood=["dog"], merge="camvid6"),
        )
        assert other.label_names[:3] == ("sky", "building", "pole")
        assert plain.label_names == ("road", "sky", "car")

    def test_words_that_were_asked_before_do_not_run_the_text_tower(
        self, open_clip_folder: Path, street: Detector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encoded = street.encode([noise(40, 40)])
        street.predict(encoded, ood=["hay bale"])
        again = oddlens.load("vl4ad", open_clip_folder, device="cpu", classes=STREET)
        monkeypatch.setattr(TextTower, "forward", lambda *_: pytest.fail("the text tower ran"))
        street.predict(encoded, ood=["hay bale"])
        again.predict(encoded, ood=["hay bale"])  # from disk

    def test_unknown_words_only_ever_raise_the_map(self, street: Detector) -> None:
        encoded = street.encode([noise(80, 120)])
        before = street.predict(encoded)[0].anomaly_map
        for ood in (["dog"], ["dog", ["hay bale", "straw"]], ["dog", ["hay bale", "straw"], "tent"]):
            after = street.predict(encoded, ood=ood)[0].anomaly_map
            assert (after >= before - 1e-6).all()
            assert after.mean() > before.mean()
            before = after

    def test_known_classes_are_reported_unmerged(self, street: Detector) -> None:
        encoded = street.encode([noise(80, 120)])
        (plain,), (merged,) = street.predict(encoded), street.predict(encoded, merge={"ground": ["road", "car"]})
        assert merged.label_names == plain.label_names
        assert merged.labels is not None
        assert plain.labels is not None
        assert np.array_equal(merged.labels, plain.labels)
        assert not np.allclose(merged.anomaly_map, plain.anomaly_map, atol=1e-3)

    def test_asking_is_loading(self, street: Detector, open_clip_folder: Path) -> None:
        words: dict[str, Any] = {"classes": "cityscapes", "ood": "dog, tent", "merge": "soft8", "merging": "sum"}
        loaded = oddlens.load("vl4ad", open_clip_folder, device="cpu", **words)
        frame = noise(40, 80)
        (query_field,), (said,) = street.predict(street.encode([frame]), **words), loaded.detect([frame])
        assert np.array_equal(query_field.anomaly_map, said.anomaly_map)

    def test_the_object_name_says_nothing(self, street: Detector) -> None:
        encoded = street.encode([noise(40, 80)])
        (one,), (other,) = street.predict(encoded, "street"), street.predict(encoded, "screw")
        assert np.array_equal(one.anomaly_map, other.anomaly_map)

    def test_templates_may_be_sentences_of_ones_own(self, street: Detector) -> None:
        encoded = street.encode([noise(40, 80)])
        (plain,), (other,) = street.predict(encoded), street.predict(encoded, templates=["{} on a picture"])
        assert not np.allclose(plain.anomaly_map, other.anomaly_map, atol=1e-4)


class Planted:
    """Two frames, of three masks and of one, each mask a column of the frame; `text` where it knows no words."""

    temperature = 0.2
    pooled = True
    short_side = None

    def __init__(self, text: Text | None = None) -> None:
        self.text = text
        self.names = () if text is None else tuple(STREET)
        self._frames = cycle([slice(0, 1), slice(1, 2)])  # they are looked at one by one

    def encode(self, vision_pass: VisionPass) -> Features:
        generator = torch.Generator().manual_seed(5)
        embeddings = F.normalize(torch.randn(2, 3, 32, generator=generator), dim=-1)
        pooled = F.normalize(torch.randn(2, 3, 32, generator=generator), dim=-1)
        void = torch.rand(2, 3, generator=generator)
        both = {"embeddings": embeddings, "masks": torch.tensor([3, 1]), "void": void, "pooled": pooled}
        (_,), frame = vision_pass.images, next(self._frames)
        return {name: value[frame] for name, value in both.items()}

    def spread(self, features: Mapping[str, Tensor], values: Tensor) -> Tensor:
        assert len(values) == features["masks"]
        return values.T[:, None].expand(-1, 4, -1)


class TestMasksOfAnyKind:
    def detector(self, street: Detector, masks: Planted, **fields: Any) -> Detector:
        recipe = make_recipe(VL4ADRecipe, {"classes": STREET} | fields)
        return Detector("vl4ad", VL4AD(street.method.backbone, recipe, masks=masks))

    def test_each_frame_is_asked_by_its_real_masks_with_void_and_pooled_ones(self, street: Detector) -> None:
        frames = [noise(8, 8), noise(8, 8, 1)]
        detector = self.detector(street, Planted(), alpha=0.4, void="in_softmax", ood=["dog"])
        features, text = detector.encode(frames).features, detector.method.encode_prompts("part")
        found = detector.detect(frames)
        clip = trained_temperature(street.method.backbone)
        for number, real in enumerate((3, 1)):
            own = [features[name][number, :real] for name in ("embeddings", "void", "pooled")]
            look = MaskPredictions(own[0], 0.2, own[1], own[2], clip)
            expected = -probabilities(look, text, ClassificationRule(alpha=0.4, void="in_softmax")).amax(dim=1)
            assert np.allclose(found[number].anomaly_map, expected.expand(4, -1), atol=1e-6)

    def test_a_temperature_that_is_given_wins_over_the_masks_own(self, street: Detector) -> None:
        detector = self.detector(street, Planted())
        encoded = detector.encode([noise(8, 8), noise(8, 8)])
        plain, own, other = (
            detector.predict(encoded, **each)[0] for each in ({}, {"temperature": 0.2}, {"temperature": 1.0})
        )
        assert np.array_equal(plain.anomaly_map, own.anomaly_map)
        assert not np.allclose(plain.anomaly_map, other.anomaly_map, atol=1e-3)

    def test_masks_that_know_no_words_have_classes_that_can_be_merged_and_nothing_else(self, street: Detector) -> None:
        numbers = torch.arange(3)
        detector = self.detector(street, Planted({"concepts": torch.eye(3, 32), "columns": numbers, "member": numbers}))
        encoded = detector.encode([noise(8, 8), noise(8, 8)])
        (found, _) = detector.predict(encoded)
        expected = (encoded.features["embeddings"][0, :, :3] / 0.2).softmax(dim=1) * (1 - encoded.features["void"][0])[
            :, None
        ]
        assert np.allclose(found.anomaly_map[0], -expected.amax(dim=1), atol=1e-6)
        merged = detector.predict(encoded, merge={"ground": ["road", "car"]}, merging="sum")[0]
        both = torch.stack([expected[:, 0] + expected[:, 2], expected[:, 1]], dim=1)
        assert np.allclose(merged.anomaly_map[0], -both.amax(dim=1), atol=1e-6)
        others: tuple[dict[str, Any], ...] = (
            {"ood": ["dog"]},
            {"classes": "cityscapes"},
            {"classes": {"lake": ["lake"], "field": ["field"], "wood": ["wood"]}},
            {"classes": dict(reversed(STREET.items()))},
        )
        for words in others:
            with pytest.raises(UsageError, match=f"these masks know {', '.join(STREET)} and no words"):
                detector.predict(encoded, **words)


class TestRecipe:
    def test_it_survives_json(self) -> None:
        recipe = make_recipe(
            VL4ADRecipe,
            {"classes": STREET, "ood": ["dog", ("hay bale", "straw")], "merge": {"ground": ("road", "car")}},
        )
        told = json.loads(json.dumps(asdict(recipe)))
        assert make_recipe(VL4ADRecipe, told) == recipe

    def test_a_station_keeps_the_words_without_their_files(self, open_clip_folder: Path, tmp_path: Path) -> None:
        lists = tmp_path / "street.json"
        lists.write_text(json.dumps({"classes": STREET, "ood": ["dog"], "merge": {"ground": ["road", "car"]}}))
        detector = oddlens.load("vl4ad", open_clip_folder, classes=str(lists), ood=str(lists), merge=str(lists))
        detector.save(tmp_path / "station")
        (before,) = detector.detect([noise(40, 80)])
        lists.unlink()
        opened = oddlens.open_station(tmp_path / "station")
        (after,) = opened.detect([noise(40, 80)])
        assert opened.recipe == detector.recipe
        assert np.array_equal(after.anomaly_map, before.anomaly_map)

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"alpha": 1.5}, "alpha cannot be 1.5: it is a share, at most 1"),
            ({"alpha": -0.5}, "the recipe field alpha cannot be -0.5: give 0 or a number above 0"),
            ({"top": 2.0}, "top cannot be 2.0"),
            ({"overlap": 1.0}, "overlap cannot be 1.0: it is a share of a window, below 1"),
            ({"classes": 3}, "the recipe field classes cannot be 3: give text or a dictionary of text to a list of one or more"),
            ({"classes": {"road": "street"}}, "the recipe field classes cannot be"),
            ({"ood": [3]}, r"the recipe field ood cannot be \[3\]"),
            ({"classes": "streets"}, "classes 'streets' is no list of ours"),
            ({"ood": ["road"]}, "'road' is given as unknown and belongs to the known class 'road'"),
            ({"merge": {"ground": ["mud"]}}, "the merge names the class 'mud', which is not known"),
            ({"templates": ["a photo."]}, "the template 'a photo.' has no place for a word"),
            ({"score": "best"}, "the recipe field score cannot be 'best': give one of 'vl4ad'"),
            ({"masks": "decoder"}, "masks='decoder' needs weights"),
            ({"alpha": 0.4}, "alpha mixes the frozen model's own view into that of masks learned by words"),
            ({"window": 64}, "window is the side of what goes through a mask decoder: .* image_size"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_reported_before_a_frame_is_read(
        self, open_clip_folder: Path, fields: dict[str, Any], sentence: str
    ) -> None:
        with pytest.raises(UsageError, match=sentence):
            oddlens.load("vl4ad", open_clip_folder, device="cpu", **fields)

    def test_a_question_is_checked_against_the_words_in_force(self, street: Detector) -> None:
        encoded = street.encode([noise(40, 40)])
        with pytest.raises(UsageError, match="'van' is given as unknown and belongs to the known class 'car'"):
            street.predict(encoded, ood=["van"])
        assert street.predict(encoded, ood=["bus"])  # a class of Cityscapes, but not of this street

    def test_a_file_that_was_changed_between_questions_is_read_again(self, street: Detector, tmp_path: Path) -> None:
        encoded, words = street.encode([noise(40, 40)]), tmp_path / "unknown.json"
        for group in (["dog"], ["caravan"]):
            words.write_text(json.dumps(group))
            (found,), (expected,) = street.predict(encoded, ood=words), street.predict(encoded, ood=group)
            assert np.array_equal(found.anomaly_map, expected.anomaly_map)

    def test_words_may_come_in_mappings_of_any_kind(self, street: Detector) -> None:
        encoded = street.encode([noise(40, 40)])
        for other in ("lake", "field"):
            classes = {"road": ["road"], "rest": [other]}
            (found,), (expected,) = (
                street.predict(encoded, classes=each) for each in (MappingProxyType(classes), classes)
            )
            assert np.array_equal(found.anomaly_map, expected.anomaly_map)

    def test_classes_in_another_order_have_other_numbers(self, street: Detector) -> None:
        encoded, other = street.encode([noise(40, 40)]), dict(reversed(STREET.items()))
        (found,), (turned,) = street.predict(encoded, classes=STREET), street.predict(encoded, classes=other)
        assert turned.label_names == tuple(other)
        assert np.array_equal(turned.labels, 2 - found.labels)

    def test_how_frames_are_read_cannot_change_between_questions(self, street: Detector) -> None:
        with pytest.raises(UsageError, match="short_side cannot change between questions"):
            street.predict(street.encode([noise(40, 40)]), short_side=64)


class TestWhatItDoesNotTake:
    def test_masks_that_are_the_frozen_models_own_view_take_no_alpha(self, street: Detector) -> None:
        with pytest.raises(
            UsageError, match="alpha mixes the frozen model's own view into that of masks learned by words"
        ):
            street.predict(street.encode([noise(40, 40)]), alpha=0.4)

    def test_dense_masks_take_no_weights(self, open_clip_folder: Path, tmp_path: Path) -> None:
        torch.save({"w": torch.zeros(1)}, tmp_path / "weights.pth")
        with pytest.raises(UsageError, match="masks='dense' learns nothing, so it takes no weights"):
            oddlens.load("vl4ad", open_clip_folder, weights=tmp_path / "weights.pth", device="cpu")


def test_the_embedded_model_runs_and_says_that_it_knows_no_street() -> None:
    _warn_once.cache_clear()
    with pytest.warns(OddlensWarning, match="its maps of streets mean nothing") as told:
        (found,) = oddlens.load("vl4ad", device="cpu", ood="caravan, dog").detect([noise(100, 300)])
    assert np.isfinite(found.anomaly_map).all()
    assert told[-1].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        oddlens.load("vl4ad", device="cpu")
