"""Windows over a frame: every patch is seen, nothing lies beside the grid of patches."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oddlens.methods.vl4ad.windows import Windows, at_short_side


def ramp(height: int, width: int) -> np.ndarray:
    values = np.arange(height * width * 3) % 251
    return values.reshape(height, width, 3).astype(np.uint8)


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    side=st.integers(1, 9),
    overlap=st.sampled_from([0, 0.3, 0.5, 0.9]),
)
def test_they_cover_every_patch_evenly_and_overlap_as_much_as_asked(
    rows: int, columns: int, side: int, overlap: float
) -> None:
    windows = Windows(side, 8, overlap)
    corners = windows.corners((rows, columns))
    seen = np.zeros((max(rows, side), max(columns, side)))
    for row, column in corners:
        assert 0 <= row <= max(0, rows - side)
        assert 0 <= column <= max(0, columns - side)
        seen[row : row + side, column : column + side] += 1
    assert (seen > 0).all()
    starts = sorted({row for row, _ in corners})
    gaps = np.diff(starts)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
    assert len(gaps) == 0 or gaps.max() <= max(1, round(side * (1 - overlap)))
    assert corners == sorted(set(corners))


@pytest.mark.parametrize(("height", "width"), [(40, 40), (41, 47), (7, 100), (100, 7), (1, 1), (16, 3)])
def test_a_frame_of_any_size_is_mirrored_up_to_whole_patches_and_one_window(height: int, width: int) -> None:
    windows, frame = Windows(3, 8, 0.5), ramp(height, width)
    grown = windows.grow(frame)
    rows, columns = windows.grid(frame)
    assert (rows, columns) == (-(-height // 8), -(-width // 8))
    assert grown.shape == (max(rows, 3) * 8, max(columns, 3) * 8, 3)
    assert np.array_equal(grown[:height, :width], frame)
    if height > 1 and grown.shape[0] > height:
        assert np.array_equal(grown[height, :width], frame[height - 2])


def test_a_window_is_the_pixels_of_its_patches() -> None:
    windows, frame = Windows(2, 4, 0.5), ramp(16, 24)
    assert np.array_equal(windows.cut(frame, (1, 3)), frame[4:12, 12:20])


def test_the_middle_of_a_window_counts_most_and_its_rim_still_something() -> None:
    weights = Windows(6, 8, 0.5).weights()
    assert weights.shape == (6, 6)
    assert weights[2, 2] == pytest.approx(float(weights.max()))
    assert 0 < weights[0, 0] == pytest.approx(float(weights.min()), rel=1e-4)
    assert torch.allclose(weights, weights.flip(0))
    assert Windows(1, 8, 0).weights().item() == 1


def test_windows_that_overlap_by_half_count_the_same_everywhere() -> None:
    """Where weights add up to a constant, blending cannot be seen."""
    windows = Windows(6, 8, 0.5)
    total = np.zeros((15, 15))
    for row, column in windows.corners((15, 15)):
        total[row : row + 6, column : column + 6] += windows.weights().numpy()
    assert np.allclose(total[3:-3, 3:-3], 1)


@pytest.mark.parametrize(
    ("height", "width", "side", "expected"),
    [(100, 200, 50, (50, 100)), (200, 101, 50, (99, 50)), (30, 40, 60, (60, 80)), (5, 500, 1, (1, 100))],
)
def test_the_shorter_side_is_brought_to_what_is_asked_and_the_aspect_kept(
    height: int, width: int, side: int, expected: tuple[int, int]
) -> None:
    assert at_short_side(ramp(height, width), side).shape[:2] == expected


def test_a_frame_that_has_the_size_is_not_touched() -> None:
    frame = ramp(20, 30)
    assert at_short_side(frame, None) is frame
    assert at_short_side(frame, 20) is frame
