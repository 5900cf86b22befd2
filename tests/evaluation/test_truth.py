"""What is true of an image, at the size that maps are compared at."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from oddlens.data import Record, open_dataset, resize_mask
from oddlens.errors import DataError
from oddlens.evaluation.truth import Folded, read_truth
from tests.data.small_roads import camvid_ood
from tests.evaluation.tiny_set import save


def record(tmp_path: Path, label: int, mask: object = None, ignore: object = None) -> Record:
    """A record whose masks are written; its image is not there, as nobody should need it."""
    paths: list[Path | None] = []
    for name, values in (("mask", mask), ("ignore", ignore)):
        path = None if values is None else tmp_path / f"{name}.png"
        if path is not None:
            save(path, (np.asarray(values) * 255).astype(np.uint8))
        paths.append(path)
    return Record(tmp_path / "picture.png", paths[0], label, "bolt", "block", "test", paths[1])


BLOCK = np.zeros((40, 48), bool)
BLOCK[8:20, 10:30] = True


def test_a_normal_picture_has_an_empty_mask_of_the_size_given(tmp_path: Path) -> None:
    truth = read_truth(record(tmp_path, 0), (40, 48), (5, 7))
    assert truth.mask is not None
    assert truth.mask.shape == (5, 7)
    assert not truth.mask.any()


def test_where_an_undrawn_defect_is_nobody_knows(tmp_path: Path) -> None:
    assert read_truth(record(tmp_path, 1), (40, 48), (5, 7)).mask is None


def test_masks_are_resized_by_the_authors_rule(tmp_path: Path) -> None:
    truth = read_truth(record(tmp_path, 1, BLOCK, ~BLOCK), (40, 48), (10, 10))
    np.testing.assert_array_equal(truth.mask, resize_mask(BLOCK, (10, 10)))
    np.testing.assert_array_equal(truth.ignore, resize_mask(~BLOCK, (10, 10)))


def test_a_smaller_mask_of_the_pictures_shape_is_taken_and_one_of_another_shape_refused(tmp_path: Path) -> None:
    for known in (record(tmp_path, 1, BLOCK), record(tmp_path, 1, BLOCK, BLOCK)):
        for size in ((40, 48), (400, 480), (401, 477), (20, 24)):
            truth = read_truth(known, size, (10, 10))
            np.testing.assert_array_equal(truth.mask, resize_mask(BLOCK, (10, 10)))
        for size in ((48, 40), (480, 480)):
            with pytest.raises(
                DataError, match=r"mask\.png has 48 x 40 pixels and its image .*: it must have its shape"
            ):
                read_truth(known, size, (10, 10))
    with pytest.raises(DataError, match=r"ignore\.png has 48 x 40 pixels and its image 40 x 40"):
        read_truth(record(tmp_path, 0, ignore=BLOCK), (40, 40), (10, 10))


def test_at_full_size_masks_must_have_the_pictures_size(tmp_path: Path) -> None:
    known = record(tmp_path, 1, BLOCK)
    np.testing.assert_array_equal(read_truth(known, (40, 48)).mask, BLOCK)
    with pytest.raises(DataError, match="48 x 40 pixels instead of 50 x 40"):
        read_truth(known, (40, 50))


def test_known_classes_are_reported_at_the_frames_own_size_whatever_is_compared_at(tmp_path: Path) -> None:
    frames = open_dataset(camvid_ood(tmp_path)).select(split="test", label=1)
    for map_size in (None, (5, 7)):
        classes = read_truth(frames.records[0], (12, 16), map_size).classes
        assert classes is not None
        assert classes[0].tolist() == [0] * 6 + [255] * 10  # sky, a person, void
    with pytest.raises(DataError, match="instead of 15 x 12"):
        read_truth(frames.records[0], (12, 15), (5, 7))


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 17))))
def test_a_mask_unfolds_to_what_it_was(mask: np.ndarray) -> None:
    folded = Folded(mask)
    assert folded.shape == mask.shape
    np.testing.assert_array_equal(folded.unfold(), mask)
    assert folded.unfold().dtype == bool
