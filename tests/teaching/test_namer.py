"""Names of regions: by words, by regions that were named, and "unknown" where neither decides."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.detection import Detection, Thresholds, ValueRange
from oddlens.errors import UsageError
from oddlens.station.defects import NamedRegions
from oddlens.teaching.namer import CROP_TEMPERATURE, MARGIN, MOST_REGIONS, PROMPT, Namer
from oddlens.teaching.region_crops import region_crop
from tests.teaching.test_region_crops import region
from tests.tiny_dinov2 import write_dinov2

WORDS = ("scratch", "dent", "stain")


@pytest.fixture(scope="module")
def backbone(open_clip_folder: Path) -> Backbone:
    return load_backbone(open_clip_folder, device="cpu")


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (120, 160, 3), np.uint8)


def test_words_are_ranked_by_how_well_they_fit_the_crop(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    part = region(20, 30, 40, 30)
    (names,) = Namer(backbone, WORDS, "nut").names(pixels, [part])
    prompts = F.normalize(backbone.encode_text([PROMPT.format(object="nut", defect=word) for word in WORDS]), dim=-1)
    vision = backbone.vision
    with torch.inference_mode():
        batch = backbone.to_pixels([region_crop(pixels, part).pixels, pixels], backbone.card.image_size)
        fits = F.normalize(vision.embed_image(vision.run_blocks(vision.embed(batch)).image), dim=-1) @ prompts.T
        weights = (fits[0] * backbone.model.logit_scale.exp()).softmax(dim=-1)
    ranked = sorted(zip(WORDS, weights.tolist(), strict=True), key=lambda each: -each[1])
    given = names[1:] if names[0][0] == "unknown" else names
    assert [name for name, _ in given] == [name for name, _ in ranked]
    assert [weight for _, weight in given] == pytest.approx([weight for _, weight in ranked], abs=1e-3)
    best = int(weights.argmax())
    decided = ranked[0][1] - ranked[1][1] >= MARGIN and bool(fits[0, best] > fits[1, best])
    assert decided == (names[0][0] != "unknown")


def test_what_fits_the_whole_image_as_well_says_nothing_of_the_region(backbone: Backbone) -> None:
    square = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    (names,) = Namer(backbone, WORDS).names(square, [region(0, 0, 80, 80)])
    assert names[0] == ("unknown", pytest.approx(1 - names[1][1], abs=1e-3))
    assert {name for name, _ in names[1:]} == set(WORDS)


def test_the_nearest_named_region_gives_the_name(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    regions = [region(0, 0, 30, 30), region(100, 60, 40, 40)]
    features = Namer(backbone).features(pixels, regions)
    assert features.shape[0] == 2
    assert np.linalg.norm(features, axis=1) == pytest.approx(1, abs=1e-5)
    known = NamedRegions(("chip", "burn", "burn"), np.stack([features[0], features[1], -features[0]]))
    names = Namer(backbone, known=known).names(pixels, regions)
    nearness = float(features[0] @ features[1])
    gap = np.array([1, nearness]) / CROP_TEMPERATURE
    weight = float(np.exp(gap[0]) / np.exp(gap).sum())
    for found, right in zip(names, ("chip", "burn"), strict=True):
        ranked = found[1:] if found[0][0] == "unknown" else found
        assert ranked[0] == (right, pytest.approx(weight, abs=1e-3))
        assert (found[0][0] == right) == (2 * weight - 1 >= MARGIN)


def test_named_regions_win_over_words_where_they_decide(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    part = region(0, 0, 30, 30)
    (feature,) = Namer(backbone).features(pixels, [part])
    decisive = NamedRegions(("chip", "burn"), np.stack([feature, -feature]))
    undecided = NamedRegions(("chip", "burn"), np.stack([feature, feature]))
    by_words = Namer(backbone, WORDS).names(pixels, [part])
    (won,) = Namer(backbone, WORDS, known=decisive).names(pixels, [part])
    assert won[0] == ("chip", pytest.approx(1, abs=1e-4))
    assert Namer(backbone, WORDS, known=undecided).names(pixels, [part]) == by_words


def test_one_name_alone_decides_nothing(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    part = region(0, 0, 30, 30)
    known = NamedRegions(("chip",), Namer(backbone).features(pixels, [part]))
    (names,) = Namer(backbone, known=known).names(pixels, [part])
    assert names == (("unknown", 0.0), ("chip", 1.0))


def test_a_detection_gets_names_for_its_hottest_regions(backbone: Backbone) -> None:
    spots = np.zeros((100, 100), np.float32)
    for number in range(MOST_REGIONS + 2):
        spots[10 * (number % 10) : 10 * (number % 10) + 4, 10 : 14 + number] = 1 + number
    found = Detection(2.0, spots, (100, 100), Thresholds(1.0, 0.5), ValueRange(0, 1, ""), "a.png")
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    named = Namer(backbone, WORDS).named(found, pixels)
    assert [bool(each.names) for each in named.regions] == [True] * MOST_REGIONS + [False] * 2
    assert [each.to_dict()["box"] for each in named.regions] == [each.to_dict()["box"] for each in found.regions]
    assert not any(each.names for each in found.regions)
    assert (named.score, named.verdict) == (found.score, found.verdict)


def test_an_image_without_regions_stays_as_it_is(backbone: Backbone, pixels: NDArray[np.uint8]) -> None:
    blank = Detection(0.0, np.zeros((9, 9), np.float32), (160, 120), Thresholds(1.0, 0.5), ValueRange(0, 1, ""))
    assert Namer(backbone, WORDS).named(blank, pixels) is blank
    assert Namer(backbone, WORDS).names(pixels, []) == []


def test_a_model_without_words_is_refused_in_a_sentence(tmp_path: Path) -> None:
    wordless = load_backbone(write_dinov2(tmp_path / "dino"), device="cpu")
    with pytest.raises(UsageError, match="naming defects needs a text tower"):
        Namer(wordless, WORDS)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    part = region(5, 5, 20, 20)
    known = NamedRegions(("chip", "burn"), np.tile(Namer(wordless).features(pixels, [part]), (2, 1)))
    assert Namer(wordless, known=known).names(pixels, [part])[0][0][0] == "unknown"
