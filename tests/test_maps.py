"""Maps: means over windows, probabilities, resizing and regions, on examples small enough to count by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from oddlens.maps import (
    abnormal_probability,
    find_regions,
    harmonic_mean_of_windows,
    resize_heat,
    upsample,
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

    def test_heat_is_brought_to_the_pictures_size_without_overshooting(self) -> None:
        heat = np.array([[0, 1], [0, 0]], np.float32)
        resized = resize_heat(heat, (7, 5))
        assert resized.shape == (5, 7)
        assert resized.dtype == np.float32
        assert (resized.min(), resized.max()) == (0, 1)
        assert resized[0, 6] == 1

    def test_heat_that_has_the_size_is_unchanged(self) -> None:
        heat = np.random.default_rng(0).random((4, 6), np.float32)
        assert np.array_equal(resize_heat(heat, (6, 4)), heat)


def heat_of(*rows: str) -> NDArray[np.float32]:
    """Digits as tenths."""
    return np.array([[int(digit) / 10 for digit in row] for row in rows], np.float32)


class TestRegions:
    def test_each_has_its_box_area_peak_and_mean(self) -> None:
        (region,) = find_regions(heat_of("00000", "00670", "00800", "00000"), 0.5)
        assert (region.x, region.y, region.width, region.height, region.area) == (2, 1, 2, 2, 3)
        assert region.peak == pytest.approx(0.8)
        assert region.mean == pytest.approx(0.7)

    def test_pixels_that_touch_by_a_corner_belong_together(self) -> None:
        assert len(find_regions(heat_of("900", "090", "009"), 0.5)) == 1
        assert len(find_regions(heat_of("90009", "00000", "00900"), 0.5)) == 3

    def test_the_hottest_comes_first(self) -> None:
        found = find_regions(heat_of("7000", "0000", "9008", "0000"), 0.5)
        assert [region.peak for region in found] == pytest.approx([0.9, 0.8, 0.7])
        assert [(region.x, region.y) for region in found] == [(0, 2), (3, 2), (0, 0)]

    def test_what_reaches_the_threshold_exactly_belongs_to_it(self) -> None:
        heat = np.array([[0.25, 0.5, 0.75]], np.float32)
        assert [region.area for region in find_regions(heat, 0.5)] == [2]
        assert find_regions(heat, 0.76) == ()

    def test_a_region_inside_anothers_hole_is_its_own(self) -> None:
        ring, core = find_regions(heat_of("99999", "90009", "90809", "90009", "99999"), 0.5)
        assert (ring.area, ring.peak, ring.width) == (16, pytest.approx(0.9), 5)
        assert (core.area, core.peak, core.x, core.y) == (1, pytest.approx(0.8), 2, 2)
        assert core.mean == pytest.approx(0.8)

    def test_neighbours_in_one_box_do_not_lend_each_other_their_heat(self) -> None:
        """The box of the L holds the hotter pixel in its corner, which is not part of it."""
        hot, bent = find_regions(heat_of("60000", "60080", "60000", "66666"), 0.5)
        assert (bent.area, bent.peak) == (8, pytest.approx(0.6))
        assert (hot.area, hot.peak) == (1, pytest.approx(0.8))

    def test_the_outline_runs_along_the_regions_outer_pixels(self) -> None:
        (region,) = find_regions(heat_of("0000", "0999", "0999", "0999"), 0.5)
        assert set(region.outline) == {(1, 1), (3, 1), (3, 3), (1, 3)}

    def test_a_heat_without_anything_has_none_and_one_full_of_it_has_one(self) -> None:
        assert find_regions(np.zeros((3, 4), np.float32), 0.1) == ()
        (region,) = find_regions(np.ones((3, 4), np.float32), 0.1)
        assert (region.width, region.height, region.area) == (4, 3, 12)

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 10**6), st.floats(0, 1))
    def test_their_areas_add_up_and_their_peaks_descend(self, seed: int, threshold: float) -> None:
        heat = np.random.default_rng(seed).random((9, 7), np.float32)
        found = find_regions(heat, threshold)
        assert sum(region.area for region in found) == (heat >= np.float32(threshold)).sum()
        peaks = [region.peak for region in found]
        assert peaks == sorted(peaks, reverse=True)
        for region in found:
            inside = heat[region.y : region.y + region.height, region.x : region.x + region.width]
            assert inside.max() >= region.peak >= region.mean >= np.float32(threshold) - 1e-6
            assert all(heat[y, x] >= np.float32(threshold) for x, y in region.outline)
