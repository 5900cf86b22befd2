"""SubspaceAD through the public door, held against the numbers of its authors' program: one and four references, and a set alone.

The program draws its angles from a generator that all of it shares, so that they are replayed from the fixture.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import oddlens
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.io.pixels import Pixels
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.methods.subspacead import method as subspacead

Case = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def case(parity: Path) -> Case:
    return dict(np.load(parity / "subspacead" / "case.npz"))


def load(parity: Path, case: Case, run: str, **recipe: object) -> Detector:
    model = parity / str(case[f"{run}_model"])
    return oddlens.load("subspacead", model, device="cpu", recipe="released", image_size=112, **recipe)


def far(ours: object, theirs: NDArray[np.generic]) -> float:
    found = np.asarray(ours)
    assert found.shape == theirs.shape
    return float(np.abs(found - theirs).max())


def relative(ours: object, theirs: NDArray[np.generic], case: Case, run: str) -> float:
    return far(ours, theirs) / float(case[f"{run}_patch_scores"].max())


@pytest.fixture(scope="module")
def one(parity: Path, case: Case) -> Detector:
    """k1, from the resized pictures on: the program resizes with torchvision."""
    with pytest.MonkeyPatch.context() as patch:
        turned = [*case["k1_resized_mean_pass"][1:], *case["k1_resized_cov_pass"][1:]]
        patch.setattr(subspacead, "turned_by", lambda pixels, degrees: turned)
        return load(parity, case, "k1").add_references(case["k1_resized_mean_pass"][0])


@pytest.fixture(scope="module")
def four(parity: Path, case: Case) -> Detector:
    """k4, whole, with the program's angles."""
    chosen = case["k4_references"][case["k4_chosen"]]
    both = [case[f"k4_angles_{which}_pass"].reshape(4, 30) for which in ("mean", "cov")]

    def replayed(pixels: Pixels, count: int, seed: int, most: float) -> list[float]:
        (number,) = [number for number, image in enumerate(chosen) if np.array_equal(image, pixels)]
        angles = [float(angle) for angles in both for angle in angles[number]]
        assert (len(angles), seed, most) == (count, 42, 345)
        return angles

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subspacead, "drawn_angles", replayed)
        return load(parity, case, "k4").add_references(list(chosen))


def memory_of(detector: Detector) -> MemoryBank:
    references = detector.references
    assert references is not None
    memory, _ = detector.method.fit_prompts(detector.method.fit(references.features), references.features, {})
    return memory


def check_fit(memory: MemoryBank, case: Case, run: str) -> None:
    """Mean, dimension and projection are the program's; eigenvalues come from the same covariance."""
    assert far(memory.values["mean"], case[f"{run}_mean"].astype(np.float32)) < 3e-5
    probe = torch.tensor(case[f"{run}_probe"])
    projected = probe - probe @ memory.values["residual"]
    assert far(projected, case[f"{run}_probe_projected"]) < 1e-4
    _, covariance = subspacead._mean_and_covariance(subspacead._by_image(memory).sum(dim=0))
    values = torch.linalg.eigvalsh(covariance).flip(0)
    assert far(values, case[f"{run}_eigenvalues"]) < 3e-5
    width, r = len(values), int(case[f"{run}_r"])
    assert round(float(memory.values["residual"].trace())) == width - r


def test_the_released_recipe_on_a_tower_of_twelve_blocks(one: Detector) -> None:
    recipe = one.recipe
    assert (recipe.layers, recipe.draws, recipe.rotations, recipe.variance) == ((8, 9), "two", 30, 0.99)


@torch.inference_mode()
def test_one_reference(one: Detector, case: Case) -> None:
    method, memory = one.method, memory_of(one)
    check_fit(memory, case, "k1")
    pixels = torch.tensor(case["k1_query_pixel_values"])
    features = method.encode(pass_pixels(method.backbone, pixels, method.request))
    assert far(features["patches"].view(2, 8, 8, -1), case["k1_query_tokens"]) < 3e-5
    found = method.score(features, {}, memory)
    assert relative(found.maps, case["k1_map_final"], case, "k1") < 1e-4
    assert relative(found.scores, case["k1_image_score"], case, "k1") < 1e-4


def check_found(found: list[Detection], case: Case, run: str) -> None:
    maps = [each.anomaly_map for each in found]
    assert relative(maps, case[f"{run}_map_final"], case, run) < 1e-4
    assert relative([each.score for each in found], case[f"{run}_image_score"], case, run) < 1e-4


def test_four_references(four: Detector, case: Case) -> None:
    check_fit(memory_of(four), case, "k4")
    check_found(four.detect(list(case["k4_queries"])), case, "k4")


def test_a_set_alone(parity: Path, case: Case) -> None:
    detector = load(parity, case, "batched")
    check_found(detector.detect_set(list(case["batched_images"])), case, "batched")


@torch.inference_mode()
def test_patch_scores_before_they_are_enlarged(four: Detector, case: Case) -> None:
    memory, tokens = memory_of(four), torch.tensor(case["k4_query_tokens"]).flatten(1, 2)
    outside: Tensor = (tokens - memory.values["mean"]) @ memory.values["residual"]
    found = outside.square().sum(-1).view(2, 8, 8)
    assert relative(found, case["k4_patch_scores"], case, "k4") < 1e-4


@torch.inference_mode()
def test_one_draw_is_another_fit(four: Detector, case: Case, parity: Path) -> None:
    """The fixture can tell it."""
    chosen = case["k4_references"][case["k4_chosen"]]
    detector = load(parity, case, "k4", draws="one").add_references(list(chosen))
    with pytest.raises(AssertionError):
        check_found(detector.detect(list(case["k4_queries"])), case, "k4")
