"""AnomalyDINO through the public door, held against the numbers of its authors' program: every option, masks, and a set alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.vision_pass import pass_pixels
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.methods.anomalydino import method as anomalydino
from oddlens.methods.anomalydino.foreground import first_component, foreground

Case = dict[str, NDArray[Any]]

RUNS: dict[str, tuple[slice, dict[str, object]]] = {
    "k1": (slice(0, 1), {"augment": "none", "mask": "none"}),
    "k1_seed1": (slice(1, 2), {"augment": "none", "mask": "none"}),
    "k2_rot": (slice(0, 2), {"mask": "none"}),
    "k1_cos_3nn": (slice(0, 1), {"augment": "none", "mask": "none", "neighbours": 3}),
    "k1_l2_3nn": (slice(0, 1), {"augment": "none", "mask": "none", "neighbours": 3, "metric": "l2"}),
    "k1_rot_mask": (slice(0, 1), {"mask": "images"}),
    "k2_mask_both": (slice(0, 2), {"augment": "none", "mask": "both"}),
}
"""The references of each run, and its recipe."""


@pytest.fixture(scope="module")
def case(parity: Path) -> Case:
    return dict(np.load(parity / "anomalydino" / "case.npz"))


def load(parity: Path, **recipe: object) -> Detector:
    return oddlens.load("anomalydino", parity / "dinov2-12", device="cpu", **{"image_size": 196, **recipe})


def gap(ours: object, theirs: NDArray[Any]) -> float:
    found = np.asarray(ours)
    assert found.shape == theirs.shape
    return float(np.abs(found - theirs).max())


def check(found: list[Detection], case: Case, run: str, tolerance: float = 1e-4) -> None:
    assert gap([each.anomaly_map for each in found], case[f"{run}_map"]) < tolerance
    assert gap([each.score for each in found], case[f"{run}_image_score"]) < tolerance


@pytest.mark.parametrize("run", RUNS)
def test_with_good_examples(run: str, parity: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turned pictures are the program's own: OpenCV's releases turn them differently."""
    which, recipe = RUNS[run]
    turned = {
        image.tobytes(): views for image, views in zip(case["references"], case["rotated_references"], strict=False)
    }
    monkeypatch.setattr(anomalydino, "turned_evenly", lambda pixels, count: list(turned[pixels.tobytes()][1:]))
    detector = load(parity, **recipe).add_references(list(case["references"][which]))
    found = detector.detect(list(case["queries"]))
    check(found, case, run)
    references = detector.references
    assert references is not None
    text, memory = detector.method.encode_prompts("part"), detector.method.fit(references.features)
    encoded = detector.encode(list(case["queries"])).features
    distance = memory.distance("patches", encoded["patches"], neighbours=int(recipe.get("neighbours", 1)))  # type: ignore[call-overload]
    if recipe.get("metric") == "l2":
        distance = (2 * distance).sqrt()
    if "masked" in text:
        distance = distance * foreground(encoded["patches"], (14, 15), 10, "sequence")
    relative = 1e-5 * max(1, float(case[f"{run}_patch_distances"].max()))
    assert gap(distance.view(2, 14, 15), case[f"{run}_patch_distances"]) < relative
    if f"{run}_reference_masks" in case:
        real = references.features["real"].view(-1, 210).numpy()
        assert np.array_equal(real, case[f"{run}_reference_masks"])


@torch.inference_mode()
def test_pixels_and_tokens(parity: Path, case: Case) -> None:
    detector = load(parity, augment="none")
    method = detector.method
    view = method.request.view(case["queries"][0])
    assert np.array_equal(view, case["query_resized"][0][:196, :210])
    pixels = method.backbone.to_pixels([view], (196, 210))
    assert gap(pixels[0], case["query_pixel_values_first"]) < 1e-5
    for images, name in ((case["queries"], "query_tokens"), (case["references"][:1], "reference_tokens")):
        patches = detector.encode(list(images)).features["patches"]
        theirs = case[name].reshape(patches.shape)
        assert gap(patches, theirs) < 1e-5 * theirs.std()
    features = method.encode(pass_pixels(method.backbone, pixels, method.request))
    assert gap(features["patches"][0], case["query_tokens"][0]) < 1e-5 * case["query_tokens"].std()


@pytest.mark.parametrize("name", ["k1_rot_mask_query", "k2_mask_both_query", "negated_query", "k1_rot_mask_reference"])
def test_masks_are_theirs_exactly(name: str, case: Case) -> None:
    tokens = torch.tensor(
        case["rotated_tokens_first_reference"] if name.endswith("reference") else case["query_tokens"]
    )
    tokens = -tokens if name.startswith("negated") else tokens
    assert gap(first_component(tokens), case[f"{name}_first_pc"]) < 1e-3
    if not name.endswith("reference"):
        assert np.array_equal(foreground(tokens, (14, 15), 10, "sequence").numpy(), case[f"{name}_masks"])
        assert not np.array_equal(foreground(tokens, (14, 15), 10, "grid").numpy(), case[f"{name}_masks"])


@pytest.mark.parametrize(("run", "mask"), [("batched", "none"), ("batched_mask", "images")])
def test_a_set_alone(run: str, mask: str, parity: Path, case: Case) -> None:
    check(load(parity, image_size=392, mask=mask).detect_set(list(case["batched_images"])), case, run)
    if mask == "images":
        tokens, grid = torch.tensor(case["batched_tokens"]), tuple(case["batched_grid"].tolist())
        assert np.array_equal(foreground(tokens, grid, 10, "sequence").numpy(), case["batched_mask_masks"])


def test_the_fixture_can_tell_the_positions(parity: Path, case: Case) -> None:
    detector = load(parity, position=None, augment="none", mask="none").add_references(case["references"][0])
    with pytest.raises(AssertionError):
        check(detector.detect(list(case["queries"])), case, "k1")
