"""SubspaceAD's behaviour: what the subspace knows, what leaves it out, and that neither order nor company matters."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.detector import Detector
from oddlens.errors import UsageError
from oddlens.methods.recipe import Depth, fit_recipe
from oddlens.methods.subspacead.recipe import SubspaceADRecipe

Pictures = list[NDArray[np.uint8]]


def load(model: Path, **recipe: object) -> Detector:
    return oddlens.load("subspacead", model, device="cpu", **{"rotations": 3, **recipe})


def scores(detector: Detector, pictures: Pictures) -> list[float]:
    return [found.score for found in detector.detect(pictures)]


def test_the_subspace_is_the_principal_components(open_clip_folder: Path, pictures: Pictures) -> None:
    """Held against numpy on the patches themselves, without copies."""
    detector = load(open_clip_folder, augment="none", components=7).add_references(pictures[:3])
    patches = detector.encode(pictures[:3]).features["patches"].flatten(0, 1).double().numpy()
    mean = patches.mean(axis=0)
    _, _, directions = np.linalg.svd(patches - mean, full_matrices=False)
    query = detector.encode(pictures[4]).features["patches"][0].double().numpy() - mean
    outside = query - query @ directions[:7].T @ directions[:7]
    (found,) = detector.detect(pictures[4])
    expected = (outside**2).sum(axis=1)
    assert found.anomaly_map.max() == pytest.approx(expected.max(), rel=0.05)  # blurred
    assert found.score <= expected.max() * (1 + 1e-5)
    fixed = detector.fixed_range
    assert fixed.high == pytest.approx(((patches - mean) ** 2).sum() / (len(patches) - 1), rel=1e-9)


@pytest.mark.parametrize("draws", ["one", "two"])
def test_neither_the_order_of_the_references_nor_how_they_came_matters(
    draws: str, open_clip_folder: Path, pictures: Pictures
) -> None:
    together = load(open_clip_folder, draws=draws).add_references(pictures[:3])
    one_by_one = load(open_clip_folder, draws=draws)
    for picture in pictures[2::-1]:
        one_by_one.add_references(picture)
    assert scores(together, pictures[4:]) == pytest.approx(scores(one_by_one, pictures[4:]), rel=1e-4)


def test_a_reference_is_held_against_the_fit_of_the_others(open_clip_folder: Path, pictures: Pictures) -> None:
    detector = load(open_clip_folder).add_references(pictures[:3])
    calibration = detector.calibration()
    assert calibration is not None
    references = detector.references
    assert references is not None
    for number in range(3):
        others = load(open_clip_folder).add_references([*pictures[:number], *pictures[number + 1 : 3]])
        assert calibration.scores[number] == pytest.approx(scores(others, [pictures[number]])[0], rel=1e-4)
    assert "promises no false-alarm rate: subspacead fits one subspace" in calibration.statement


def test_two_draws_are_another_fit_than_one(open_clip_folder: Path, pictures: Pictures) -> None:
    one, two = (load(open_clip_folder, draws=draws).add_references(pictures[:2]) for draws in ("one", "two"))
    assert scores(one, pictures[4:6]) != pytest.approx(scores(two, pictures[4:6]), rel=1e-3)


def test_the_seed_draws_other_angles(open_clip_folder: Path, pictures: Pictures) -> None:
    found = [scores(load(open_clip_folder, seed=seed).add_references(pictures[0]), pictures[4:5]) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_more_variance_kept_leaves_less_outside(open_clip_folder: Path, pictures: Pictures) -> None:
    found = [
        scores(load(open_clip_folder, variance=share).add_references(pictures[0]), pictures[4:5])[0]
        for share in (0.5, 0.9, 0.99)
    ]
    assert found[0] > found[1] > found[2] > 0


def test_a_set_alone_is_scored_by_the_fit_that_saw_it(open_clip_folder: Path, pictures: Pictures) -> None:
    detector = load(open_clip_folder, augment="none")
    found = detector.detect_set(pictures[:4])
    expected = load(open_clip_folder, augment="none").add_references(pictures[:4])
    assert [each.score for each in found] == pytest.approx(scores(expected, pictures[:4]), rel=1e-4)
    assert found[0].value_range.label.startswith("range of this set, 0 to ")
    assert found[0].verdict is None


def test_without_references_it_says_what_to_do(open_clip_folder: Path, pictures: Pictures) -> None:
    sentence = (
        "^subspacead needs good examples: give some as references, or many images at once to Detector.detect_set$"
    )
    detector = load(open_clip_folder)
    for call in (detector.detect, detector.detect_each):
        with pytest.raises(UsageError, match=sentence):
            call(pictures[:1])
    with pytest.raises(UsageError, match="leave the references out, or detect the images with them"):
        detector.add_references(pictures[0]).detect_set(pictures[1:])
    with pytest.raises(UsageError, match=r"encode them with Detector\.encode_references"):
        detector.references = detector.encode(pictures[:2])


def test_the_blocks_are_the_authors_for_every_depth() -> None:
    for layers, expected in (
        (40, (23, 24, 25, 26, 27, 28, 29)), (24, (14, 15, 16, 17, 18)), (12, (8, 9)), (4, (3,)),
    ):  # fmt: skip
        fitted, _ = fit_recipe(SubspaceADRecipe(), (), 518, Depth(layers, 0))
        assert fitted.layers == expected


def test_references_take_the_memory_of_their_moments_alone(open_clip_folder: Path, pictures: Pictures) -> None:
    references = load(open_clip_folder, rotations=9).add_references(pictures[:2]).references
    assert references is not None
    patches, moments = references.features["patches"], references.features["moments"]
    assert moments.shape == (2, patches.shape[2] + 3, patches.shape[2])
    assert moments.dtype == torch.float64
    assert moments[:, 0, 0].tolist() == [10 * patches.shape[1]] * 2
