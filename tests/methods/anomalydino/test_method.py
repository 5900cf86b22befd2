"""AnomalyDINO's behaviour: aspects, masks, several sizes in one batch, and sets too small for the program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import oddlens
from oddlens.backbone.request import FeatureRequest
from oddlens.detection import UNSEEN
from oddlens.detector import Detector
from oddlens.errors import Failure, ImageError, OddlensWarning, UsageError
from oddlens.methods.anomalydino.foreground import foreground
from oddlens.methods.anomalydino.method import _mean_below
from tests.tiny_dinov2 import write_dinov2

Pictures = list[NDArray[np.uint8]]


def load(model: Path, **recipe: object) -> Detector:
    return oddlens.load("anomalydino", model, device="cpu", **{"rotations": 2, **recipe})


@pytest.mark.parametrize(
    ("shape", "expected"), [((900, 1100), (448, 546)), ((1100, 900), (546, 448)), ((500, 500), (448, 448)), ((20, 21), (448, 462))]
)  # fmt: skip
def test_the_aspect_is_kept_and_what_is_beyond_a_patch_is_cut_off(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    view = FeatureRequest(448, cut_to=14).view(np.zeros((*shape, 3), np.uint8))
    assert view.shape == (*expected, 3)


def test_nothing_is_moved_by_the_cut() -> None:
    picture = np.arange(4 * 7 * 3, dtype=np.uint8).reshape(4, 7, 3)
    assert np.array_equal(FeatureRequest(4, cut_to=2).view(picture), picture[:, :6])


def test_images_of_several_shapes_score_together_as_alone(open_clip_folder: Path, pictures: Pictures) -> None:
    """Smaller ones are padded, and what pads them is nobody's neighbour."""
    detector = load(open_clip_folder).add_references(pictures[4:7])
    together = detector.predict(detector.encode(pictures[:4]))
    for picture, found in zip(pictures[:4], together, strict=True):
        (alone,) = detector.detect(picture)
        assert found.anomaly_map.shape == picture.shape[:2]
        assert found.score == pytest.approx(alone.score, abs=1e-5)
        assert np.abs(found.anomaly_map - alone.anomaly_map).max() < 1e-5


def test_a_map_can_have_the_size_that_the_model_gets(open_clip_folder: Path, pictures: Pictures) -> None:
    detector = load(open_clip_folder, map_size="model").add_references(pictures[4])
    (wide,) = detector.detect(pictures[2])  # 80 x 31 pixels
    assert wide.anomaly_map.shape == (40, 96)


def test_a_good_example_is_known_in_all_its_positions(open_clip_folder: Path, pictures: Pictures) -> None:
    square = pictures[0]
    turned = np.ascontiguousarray(square[::-1, ::-1])
    plain, known = (
        load(open_clip_folder, augment=augment).add_references(square).detect(turned)[0].score
        for augment in ("none", "rotations")
    )
    assert known < plain


@pytest.mark.filterwarnings("ignore:the mask of the background leaves nothing of the reference")
def test_the_object_decides_whether_there_is_a_mask(open_clip_folder: Path, pictures: Pictures) -> None:
    detector = load(open_clip_folder, mask_threshold=1e6).add_references(pictures[4:6])
    assert detector.detect(pictures[0], "part")[0].score > 0
    for name in ("screw", "Pipe fryum"):
        with pytest.warns(OddlensWarning, match="leaves nothing of 1 image, so that no verdict has a basis there"):
            assert detector.detect(pictures[0], name)[0].score == 0  # all is background
    with pytest.raises(UsageError, match="the mask leaves nothing of good example 1: give another mask_threshold"):
        load(open_clip_folder, mask="both", mask_threshold=1e6).add_references(pictures[4:6])


@pytest.mark.filterwarnings("ignore:the mask of the background leaves nothing")
def test_an_image_of_which_the_mask_leaves_nothing_is_for_review_and_promised_nothing(
    open_clip_folder: Path, pictures: Pictures
) -> None:
    detector = load(open_clip_folder, mask_threshold=1e6).add_references(pictures[4:8])
    plain, masked = (detector.detect(pictures[0], name)[0] for name in ("part", "screw"))
    assert None not in (plain.thresholds.promise, plain.p_value)
    assert not plain.is_unseen
    assert (masked.verdict, masked.concern, masked.regions) == ("review", UNSEEN, ())
    assert (masked.thresholds.promise, masked.p_value) == (None, None)
    made = detector.calibration("screw")
    assert made is not None
    assert "promises no false-alarm rate: the mask of the background" in made.promise
    assert "of the reference image 1 and 3 more references" in made.promise


def test_good_examples_of_which_the_mask_leaves_nothing_are_said_once(
    open_clip_folder: Path, pictures: Pictures
) -> None:
    detector = load(open_clip_folder, mask_threshold=1e6).add_references(pictures[4:8])
    with pytest.warns(OddlensWarning) as said:
        detector.detect([pictures[0], pictures[0]], "screw")
    assert [str(each.message) for each in said] == [
        "the mask of the background leaves nothing of the reference image 1 and 3 more references, so that thresholds of the "
        "references promise nothing: give another mask_threshold (its own fits DINOv2-small), or mask='none'",
        "the mask of the background leaves nothing of 2 images, so that no verdict has a basis there: give another mask_threshold "
        "(its own fits DINOv2-small), or mask='none'",
    ]
    assert detector.unseen_references("screw") == (0, 1, 2, 3)
    assert detector.unseen_references("part") == ()


@pytest.mark.filterwarnings("ignore:the mask of the background leaves nothing")
def test_nothing_is_calibrated_on_images_of_which_the_mask_leaves_nothing(
    open_clip_folder: Path, pictures: Pictures
) -> None:
    detector = load(open_clip_folder, mask_threshold=1e6).add_references(pictures[4])
    with pytest.raises(ImageError, match="the calibration image image 1 says nothing: the mask leaves nothing of it"):
        detector.calibrate(pictures[:3], object_name="screw")
    failed: list[Failure] = []
    with pytest.raises(UsageError, match="the mask leaves nothing of any good image: give another mask_threshold"):
        detector.observe(pictures[:3], "screw", failed=failed.append)
    assert [each.source for each in failed] == ["image 1", "image 2", "image 3"]


def test_dilating_on_the_grid_reaches_other_rows() -> None:
    square = torch.zeros(11, 11, dtype=torch.bool)
    square[3:7, 3:7] = True
    patches = torch.zeros(1, 121, 3)
    patches[0, square.flatten(), 0] = 100
    wider, larger = square.clone(), square.clone()
    wider[3:7, 2:8] = larger[2:8, 2:8] = True
    assert torch.equal(foreground(patches, (11, 11), 10, "sequence").view(11, 11), wider)
    assert torch.equal(foreground(patches, (11, 11), 10, "grid").view(11, 11), larger)


@pytest.mark.parametrize(("count", "expected"), [(0, 0.1), (1, 0.1), (2, 0.1), (3, 0.2), (4, 0.3)])
def test_a_set_counts_what_is_strictly_nearer_than_the_quantile(count: int, expected: float) -> None:
    similar = torch.tensor([[0.1, 0.5, 0.9, 0.7, 0.3]])
    assert float(_mean_below(similar, count)) == pytest.approx(expected)


def test_of_equal_neighbours_the_nearest_counts() -> None:
    assert float(_mean_below(torch.full((1, 4), 0.75), 3)) == pytest.approx(0.25)


def test_a_set_is_two_images_or_more(open_clip_folder: Path, pictures: Pictures) -> None:
    with pytest.raises(UsageError, match="a set is two images or more"):
        load(open_clip_folder).detect_set(pictures[0])
    with pytest.raises(UsageError, match="leave metric='l2' out"):
        load(open_clip_folder, metric="l2").detect_set(pictures[:2])
    found = load(open_clip_folder).detect_set(pictures[:4])
    assert all(np.isfinite(each.score) and each.score > 0 for each in found)


def test_lengths_have_a_scale_of_the_good_examples(open_clip_folder: Path, pictures: Pictures) -> None:
    detector = load(open_clip_folder, metric="l2").add_references(pictures[4])
    assert 0 < detector.fixed_range.high < np.inf
    assert detector.detect(pictures[0])[0].score > 0


@pytest.mark.parametrize(("registers", "expected"), [(0, "bicubic_offset"), (4, "bicubic")])
def test_positions_are_the_authors_own(registers: int, expected: str, tmp_path: Path) -> None:
    folder = write_dinov2(tmp_path / "model", registers=registers)
    assert load(folder).method.request.position == expected
    assert load(folder, position=None).method.request.position is None
