"""WinCLIP through the public door, held against the numbers of the public port (21 templates, two references)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detector import Detector
from oddlens.methods.base import Features
from oddlens.methods.common.templates import load_states, load_templates, sentences

Case = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def case(parity: Path) -> Case:
    return dict(np.load(parity / "winclip" / "case.npz"))


@pytest.fixture(scope="module")
def detector(parity: Path) -> Detector:
    return oddlens.load("winclip", model=parity / "clip-12", device="cpu", templates="port21")


@pytest.fixture(scope="module")
def with_references(parity: Path, case: Case) -> Detector:
    detector = oddlens.load("winclip", model=parity / "clip-12", device="cpu", templates="port21")
    return detector.add_references(list(case["raw_uint8"][2:]))


def gap(ours: object, theirs: NDArray[np.generic]) -> float:
    found = np.asarray(ours)
    assert found.shape == theirs.shape
    return float(np.abs(found - theirs).max())


def test_the_recipe_is_the_models_own_size(detector: Detector) -> None:
    assert detector.recipe.image_size == 80
    assert detector.recipe.temperature == 0.07


def test_pixels(detector: Detector, case: Case) -> None:
    pixels = detector.method.backbone.to_pixels(list(case["raw_uint8"]), 80)
    assert gap(pixels[:2], case["img"]) < 1e-5
    assert gap(pixels[2:], case["ref"]) < 1e-5


def test_prototypes(detector: Detector, case: Case) -> None:
    found = detector.method.encode_prompts("bottle")["prototypes"]
    for ours, theirs in zip(found, (case["text_normal"], case["text_abnormal"]), strict=True):
        assert gap(ours, theirs[0, 0] / np.linalg.norm(theirs)) < 1e-5


def test_the_ensemble_has_147_and_84_sentences() -> None:
    states, templates = load_states("winclip"), load_templates("port21")
    assert [len(sentences("bottle", each, templates)) for each in (states.normal, states.abnormal)] == [147, 84]


def encode(detector: Detector, pixels: torch.Tensor) -> Features:
    method = detector.method
    return method.encode(pass_pixels(method.backbone, pixels, method.request))


@torch.inference_mode()
def test_window_embeddings(detector: Detector, case: Case) -> None:
    vision = detector.method.backbone.vision
    embedded = vision.embed(torch.tensor(case["img"]))
    for size, name in ((2, "mid"), (3, "large")):
        theirs = torch.nn.functional.normalize(torch.tensor(case[name])[:, :, 0], dim=-1)
        ours = torch.nn.functional.normalize(vision.windows(embedded, size), dim=-1)
        assert gap(ours, theirs.numpy()) < 1e-5


@torch.inference_mode()
def test_whole_picture_and_patches(detector: Detector, case: Case) -> None:
    features = encode(detector, torch.tensor(case["img"]))
    cls, patch = case["cls"], case["patch"][:, :, 0]
    assert gap(features["image"], cls / np.linalg.norm(cls, axis=-1, keepdims=True)) < 1e-5
    assert gap(features["reference:patch"], patch / np.linalg.norm(patch, axis=-1, keepdims=True)) < 1e-5


def test_zero_shot_scores_and_maps(detector: Detector, case: Case) -> None:
    found = detector.detect(list(case["raw_uint8"][:2]), "bottle")
    assert gap([detection.score for detection in found], case["image_score_zero"]) < 1e-4
    size = (80, 80)
    expected = torch.nn.functional.interpolate(torch.tensor(case["map_zero"])[:, None], size, mode="bilinear")[:, 0]
    assert gap([detection.anomaly_map for detection in found], expected.numpy()) < 1e-4


@torch.inference_mode()
def test_distances_to_the_references(with_references: Detector, case: Case) -> None:
    references = with_references.references
    assert references is not None
    memory = with_references.method.fit(references.features)
    features = encode(with_references, torch.tensor(case["img"]))
    for name, theirs in (("patch", "assoc_patch"), ("window2", "assoc_mid"), ("window3", "assoc_large")):
        distance = memory.distance(f"reference:{name}", features[f"reference:{name}"]) / 2
        assert gap(distance, case[theirs]) < 1e-5


def test_few_shot_scores_and_maps(with_references: Detector, case: Case) -> None:
    found = with_references.detect(list(case["raw_uint8"][:2]), "bottle")
    assert gap([detection.score for detection in found], case["image_score_few"]) < 1e-4
    assert gap([detection.anomaly_map for detection in found], case["map_final"][:, 0]) < 1e-4


def test_few_shot_beside_anomalib(parity: Path, case: Case) -> None:
    """The numbers are anomalib 2.7.0's, on open_clip 2.24.0's towers, with the port's prompts.

    It compares patches after the final LayerNorm.
    """
    scores = np.array([0.3389863, 0.3624250])
    values = np.array(
        [[0.3236684, 0.3317804, 0.3212534, 0.3319393], [0.3614448, 0.3330033, 0.3406520, 0.3385604]]
    )  # at (0, 0), (20, 60), (40, 40) and (79, 10)
    for tokens, agrees in (("normed", True), ("block", False)):
        recipe = {"templates": "port21", "fusion": "mean", "reference_tokens": tokens}
        detector = oddlens.load("winclip", model=parity / "clip-12", device="cpu", **recipe)
        found = detector.add_references(list(case["raw_uint8"][2:])).detect(list(case["raw_uint8"][:2]), "bottle")
        maps = np.array([each.anomaly_map[[0, 20, 40, 79], [0, 60, 40, 10]] for each in found])
        assert (gap([each.score for each in found], scores) < 1e-6) == agrees
        assert (gap(maps, values) < 1e-6) == agrees
