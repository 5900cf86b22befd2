"""Maps: means over windows, probabilities, resizing and regions, on examples small enough to count by hand."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from torch import Tensor

from oddlens.methods.common.maps import (
    abnormal_probability,
    gaussian_weights,
    harmonic_mean_of_windows,
    mean_filter,
    mean_of_highest,
    smooth,
    upsample,
    upsample_and_filter,
    window_means,
)


def covering(grid: tuple[int, int], size: int, row: int, column: int) -> list[int]:
    """The numbers of the windows that cover a patch."""
    rows, columns = grid
    return [
        top * (columns - size + 1) + left
        for top in range(rows - size + 1)
        for left in range(columns - size + 1)
        if top <= row < top + size and left <= column < left + size
    ]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) + 0.01


grids = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)).filter(lambda each: each[2] <= min(each[:2]))


class TestWindows:
    @settings(max_examples=40, deadline=None)
    @given(grids, st.integers(0, 10**6))
    def test_the_harmonic_mean_is_over_the_windows_that_cover_a_patch(
        self, grid: tuple[int, int, int], seed: int
    ) -> None:
        rows, columns, size = grid
        scores = drawn(2, (rows - size + 1) * (columns - size + 1), seed=seed)
        found = harmonic_mean_of_windows(scores, (rows, columns), size)
        assert found.shape == (2, rows, columns)
        assert found.dtype == torch.float64
        for image in range(2):
            for row in range(rows):
                for column in range(columns):
                    inside = [float(scores[image, number]) for number in covering((rows, columns), size, row, column)]
                    expected = len(inside) / sum(1 / score for score in inside)
                    assert float(found[image, row, column]) == pytest.approx(expected, rel=1e-9)

    def test_a_window_without_any_score_makes_all_its_patches_zero(self) -> None:
        scores = torch.full((1, 9), 0.5)
        scores[0, 4] = 0  # the window in the middle of 4x4 patches
        found = harmonic_mean_of_windows(scores, (4, 4), 2)[0]
        assert torch.equal(found[1:3, 1:3], torch.zeros(2, 2, dtype=torch.float64))
        assert torch.allclose(found[0], torch.full((4,), 0.5, dtype=torch.float64))
        assert torch.equal(
            harmonic_mean_of_windows(torch.zeros(1, 9), (4, 4), 2), torch.zeros(1, 4, 4, dtype=torch.float64)
        )

    @settings(max_examples=30, deadline=None)
    @given(grids, st.integers(0, 10**6))
    def test_means_of_features_are_over_the_patches_of_a_window(self, grid: tuple[int, int, int], seed: int) -> None:
        rows, columns, size = grid
        patches = drawn(2, rows * columns, 3, seed=seed)
        found = window_means(patches, (rows, columns), size)
        square = patches.view(2, rows, columns, 3)
        expected = [
            square[:, top : top + size, left : left + size].flatten(1, 2).mean(dim=1)
            for top in range(rows - size + 1)
            for left in range(columns - size + 1)
        ]
        assert torch.allclose(found, torch.stack(expected, dim=1), atol=1e-6)


class TestProbability:
    def test_it_is_the_softmax_of_cosines_over_the_temperature(self) -> None:
        prototypes = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
        features = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
        found = abnormal_probability(features, prototypes, 0.5)
        assert found.shape == (1, 2)
        assert found[0].tolist() == pytest.approx([1 / (1 + np.exp(-0.8 / 0.5)), 1 / (1 + np.exp(0.4 / 0.5))])

    def test_a_tiny_temperature_overflows_nowhere(self) -> None:
        found = abnormal_probability(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.eye(2), 1e-6)
        assert found.tolist() == [1.0, 0.0]


class TestSizes:
    def test_upsampling_keeps_the_corners_when_asked_to_align_them(self) -> None:
        maps = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
        aligned = upsample(maps, (3, 5), align_corners=True)[0]
        assert aligned.tolist() == [[0, 0.25, 0.5, 0.75, 1], [1, 1.25, 1.5, 1.75, 2], [2, 2.25, 2.5, 2.75, 3]]
        centred = upsample(maps, (2, 4), align_corners=False)[0]
        assert centred[0].tolist() == [0, 0.25, 0.75, 1]


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3, 5]), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_mean_filter_takes_the_places_around_and_goes_on_beyond_the_border(
    rows: int, columns: int, size: int, seed: int
) -> None:
    maps = drawn(2, rows, columns, seed=seed)
    found = mean_filter(maps, size)
    assert found.shape == maps.shape
    around = range(-(size // 2), size // 2 + 1)
    for row in range(rows):
        for column in range(columns):
            near = [
                maps[1, min(max(row + down, 0), rows - 1), min(max(column + right, 0), columns - 1)]
                for down in around
                for right in around
            ]
            assert float(found[1, row, column]) == pytest.approx(float(sum(near)) / size**2, rel=1e-5)


class TestSmoothing:
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 40), st.integers(1, 40), st.floats(0.05, 12), st.integers(0, 10**6))
    def test_it_is_scipys_also_where_the_kernel_is_wider_than_the_map(
        self, rows: int, columns: int, sigma: float, seed: int
    ) -> None:
        maps = drawn(2, rows, columns, seed=seed).double()
        for found, given_map in zip(smooth(maps, sigma), maps, strict=True):
            assert np.abs(found.numpy() - gaussian_filter(given_map.numpy(), sigma)).max() < 1e-12

    def test_float32_stays_float32(self) -> None:
        maps = drawn(1, 60, 50)
        found = smooth(maps, 4)
        assert found.dtype == torch.float32
        assert np.abs(found[0].numpy() - gaussian_filter(maps[0].numpy(), 4)).max() < 1e-6


class TestUpsampleAndFilter:
    """Both steps at once are the two one after another."""

    @pytest.mark.parametrize("size", [(21, 13), (3, 4), (5, 40)])
    def test_it_is_the_gaussian_after_the_bilinear(self, size: tuple[int, int]) -> None:
        maps = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0))
        found = upsample_and_filter(maps, size, gaussian_weights(1.5), "reflect")
        expected = smooth(upsample(maps, size, align_corners=False), 1.5)
        assert torch.allclose(found, expected, atol=1e-6)

    def test_the_border_without_its_edge_is_mirrored_as_opencv_does(self) -> None:
        maps = torch.rand(1, 3, 4, generator=torch.Generator().manual_seed(0))
        enlarged = cv2.resize(maps[0].numpy(), (24, 18), interpolation=cv2.INTER_LINEAR)
        expected = cv2.GaussianBlur(enlarged, (7, 7), 2.0)
        found = upsample_and_filter(maps, (18, 24), gaussian_weights(2, radius=3), "mirror")
        assert np.abs(found[0].numpy() - expected).max() < 1e-6

    def test_a_map_of_one_place_is_even(self) -> None:
        found = upsample_and_filter(torch.full((1, 1, 1), 3.0), (5, 1), [1, 2, 1], "mirror")
        assert torch.allclose(found, torch.full((1, 5, 1), 3.0))


def test_the_mean_of_the_highest_counts_at_least_one() -> None:
    values = torch.tensor([[1.0, 5, 3, 2], [0, 0, 0, 8]])
    assert mean_of_highest(values, 0.5).tolist() == [4, 4]
    assert mean_of_highest(values, 0.01).tolist() == [5, 8]
