"""MuSc through the public door, held against the numbers of its authors' program: five and nine pictures, and RsCIN alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detector import Detector
from oddlens.methods.musc.method import _nearest
from oddlens.methods.musc.neighbourhoods import averaged
from oddlens.methods.musc.rscin import neighbours_mean

Case = dict[str, NDArray[Any]]
LAYERS = (6, 12, 18, 24)


@pytest.fixture(scope="module")
def case(parity: Path) -> Case:
    return dict(np.load(parity / "musc" / "case.npz"))


def load(parity: Path, **recipe: object) -> Detector:
    return oddlens.load("musc", parity / "clip-24", device="cpu", image_size=70, **recipe)


def gap(ours: object, theirs: NDArray[Any]) -> float:
    found = np.asarray(ours)
    assert found.shape == theirs.shape
    return float(np.abs(found - theirs).max())


def test_the_recipe_is_the_released_one(parity: Path, case: Case) -> None:
    recipe = load(parity).recipe
    assert recipe.layers == tuple(case["layers"]) == LAYERS
    assert recipe.degrees == tuple(case["r_list"])
    assert recipe.rscin == tuple(case["rscin_k"])


@torch.inference_mode()
def test_pixels_and_features(parity: Path, case: Case) -> None:
    detector = load(parity)
    method = detector.method
    pixels = method.backbone.to_pixels(list(case["images"]), 70, "bicubic")
    assert gap(pixels, case["pixel_values"]) < 1e-5
    features = method.encode(pass_pixels(method.backbone, torch.tensor(case["pixel_values"]), method.request))
    assert gap(features["image"], case["image_features"]) < 1e-5
    for layer, theirs in zip(LAYERS, case["patch_tokens"], strict=True):
        assert gap(features[f"patches:{layer}"], theirs[:, 1:]) < 1e-5 * theirs.std()


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_neighbourhoods(degree: int, case: Case) -> None:
    for tokens, theirs in zip(case["patch_tokens"], case["lnamd"][degree], strict=True):
        assert gap(averaged(torch.tensor(tokens[:, 1:]), int(case["r_list"][degree])), theirs) < 1e-5


@pytest.mark.parametrize("prefix", ["", "nine_"])
def test_mutual_scores_layer_by_layer(prefix: str, parity: Path, case: Case) -> None:
    features = load(parity).encode(list(case[f"{prefix}images"])).features
    for degree, of_degree in zip(case["r_list"], case[f"{prefix}msm"], strict=True):
        for layer, theirs in zip(LAYERS, of_degree, strict=True):
            tokens = features[f"patches:{layer}"]
            nearest = _nearest(averaged(tokens, int(degree)), tokens, int(degree))
            for image in range(len(tokens)):
                nearest[image, :, image] = torch.inf
            count = max(1, int(0.3 * (len(tokens) - 1)))
            found = nearest.sort(dim=-1).values[..., :count].mean(dim=-1).numpy()
            near = theirs < 0.05  # where the program's own distances are rounded
            assert np.abs(found - theirs)[~near].max() < 1e-5
            assert near.any() == (prefix == "")
            assert np.abs(found - theirs).max() < 1e-4


@pytest.mark.parametrize("prefix", ["", "nine_"])
def test_a_set(prefix: str, parity: Path, case: Case) -> None:
    images = list(case[f"{prefix}images"])
    before = load(parity, rscin=()).detect_set(images)
    assert gap([each.anomaly_map for each in before], case[f"{prefix}map"]) < 1e-4
    assert gap([each.score for each in before], case[f"{prefix}image_score_before"]) < 1e-4
    after = load(parity).detect_set(images)
    assert gap([each.score for each in after], case[f"{prefix}image_score_after_1_2_3"]) < 1e-4
    assert all(np.array_equal(one.anomaly_map, two.anomaly_map) for one, two in zip(before, after, strict=True))


def test_a_set_with_the_numbers_for_visa(parity: Path, case: Case) -> None:
    found = load(parity, recipe="visa").detect_set(list(case["nine_images"]))
    assert gap([each.score for each in found], case["nine_image_score_after_1_8_9"]) < 1e-4


def test_a_pool_of_the_others_is_the_same_as_the_set(parity: Path, case: Case) -> None:
    """The inductive form: its scores of the pool itself are those of the program before RsCIN."""
    detector = load(parity).add_references(list(case["nine_images"]))
    calibration = detector.calibration()
    assert calibration is not None
    assert gap(calibration.scores, case["nine_image_score_before"]) < 1e-4


@pytest.mark.parametrize("counts", [(1, 2, 3), (1, 8, 9), (2, 3)])
def test_rscin(counts: tuple[int, ...], case: Case) -> None:
    scores, features = torch.tensor(case["rscin_scores"]), torch.tensor(case["rscin_features"])
    name = "_".join(map(str, counts))
    assert gap(neighbours_mean(scores, features, counts), case[f"rscin_after_{name}"]) < 1e-6
    if counts == (2, 3):
        assert gap(neighbours_mean(scores, features, (2, 3, 1)), case["rscin_mobile_2_3"]) < 1e-6


def test_the_fixture_can_tell_the_gelu(parity: Path, case: Case) -> None:
    found = load(parity, activation="quick_gelu", rscin=()).detect_set(list(case["images"]))
    with pytest.raises(AssertionError):
        assert gap([each.anomaly_map for each in found], case["map"]) < 1e-4
