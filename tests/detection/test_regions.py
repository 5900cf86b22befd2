"""Heat at the image's own size, and its regions, on examples small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from oddlens.detection import Region, find_regions, resize_map
from oddlens.errors import UsageError


class TestSizes:
    def test_map_is_brought_to_the_pictures_size_without_overshooting(self) -> None:
        anomaly_map = np.array([[0, 1], [0, 0]], np.float32)
        resized = resize_map(anomaly_map, (7, 5))
        assert resized.shape == (5, 7)
        assert resized.dtype == np.float32
        assert (resized.min(), resized.max()) == (0, 1)
        assert resized[0, 6] == 1

    def test_map_that_has_the_size_is_unchanged(self) -> None:
        anomaly_map = np.random.default_rng(0).random((4, 6), np.float32)
        assert np.array_equal(resize_map(anomaly_map, (6, 4)), anomaly_map)


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

    def test_what_only_reaches_the_threshold_does_not_belong_to_it(self) -> None:
        anomaly_map = np.array([[0.25, 0.5, 0.75]], np.float32)
        assert [region.area for region in find_regions(anomaly_map, 0.5)] == [1]
        assert find_regions(anomaly_map, 0.75) == ()

    def test_a_region_inside_anothers_hole_is_its_own(self) -> None:
        ring, core = find_regions(heat_of("99999", "90009", "90809", "90009", "99999"), 0.5)
        assert (ring.area, ring.peak, ring.width) == (16, pytest.approx(0.9), 5)
        assert (core.area, core.peak, core.x, core.y) == (1, pytest.approx(0.8), 2, 2)
        assert core.mean == pytest.approx(0.8)

    def test_neighbours_in_one_box_do_not_lend_each_other_their_values(self) -> None:
        """The box of the L holds the hotter pixel in its corner, which is not part of it."""
        hot, bent = find_regions(heat_of("60000", "60080", "60000", "66666"), 0.5)
        assert (bent.area, bent.peak) == (8, pytest.approx(0.6))
        assert (hot.area, hot.peak) == (1, pytest.approx(0.8))

    def test_the_outline_runs_along_the_regions_outer_pixels(self) -> None:
        (region,) = find_regions(heat_of("0000", "0999", "0999", "0999"), 0.5)
        assert set(region.outline) == {(1, 1), (3, 1), (3, 3), (1, 3)}

    def test_a_low_map_has_no_region_and_a_high_one_has_one(self) -> None:
        assert find_regions(np.zeros((3, 4), np.float32), 0.1) == ()
        (region,) = find_regions(np.ones((3, 4), np.float32), 0.1)
        assert (region.width, region.height, region.area) == (4, 3, 12)

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 10**6), st.floats(0, 1))
    def test_their_areas_add_up_and_their_peaks_descend(self, seed: int, threshold: float) -> None:
        anomaly_map = np.random.default_rng(seed).random((9, 7), np.float32)
        found = find_regions(anomaly_map, threshold)
        assert sum(region.area for region in found) == (anomaly_map > np.float32(threshold)).sum()
        peaks = [region.peak for region in found]
        assert peaks == sorted(peaks, reverse=True)
        for region in found:
            inside = anomaly_map[region.y : region.y + region.height, region.x : region.x + region.width]
            assert inside.max() >= region.peak >= region.mean >= np.float32(threshold) - 1e-6
            assert all(anomaly_map[y, x] >= np.float32(threshold) for x, y in region.outline)


def test_names_of_a_region_are_written_where_there_are_some() -> None:
    plain = Region(1, 2, 3, 4, 12, 0.9, 0.8, ((1, 2), (3, 2), (3, 5), (1, 5)))
    assert "names" not in plain.to_dict()
    named = replace(plain, names=(("unknown", 0.6), ("scratch", 0.4)))
    assert named.to_dict()["names"] == [["unknown", 0.6], ["scratch", 0.4]]
    assert Region.from_dict(named.to_dict()) == named


@pytest.mark.parametrize(
    "names", ["scratch", ["scratch"], [["scratch"]], [[0.4, "scratch"]], [["scratch", "dent"]], [[]]]
)
def test_names_of_another_form_are_refused(names: object) -> None:
    document = {"box": [1, 2, 3, 4], "area": 12, "peak": 0.9, "mean": 0.8, "names": names}
    with pytest.raises(UsageError, match="this is no region"):
        Region.from_dict(document)


class TestMeasures:
    """Of the ellipse with the same second moments, as MATLAB's and scikit-image's regionprops have it."""

    def test_a_bar_is_as_long_and_as_wide_as_it_is(self) -> None:
        anomaly_map = np.zeros((20, 40), np.float32)
        anomaly_map[8:11, 5:35] = 1
        (bar,) = find_regions(anomaly_map, 0.5)
        assert (bar.major_axis, bar.minor_axis, bar.angle) == (
            pytest.approx(34.64, abs=0.01),
            pytest.approx(3.46, abs=0.01),
            0,
        )
        (upright,) = find_regions(anomaly_map.T.copy(), 0.5)
        assert (upright.major_axis, upright.minor_axis, upright.angle) == (bar.major_axis, bar.minor_axis, 90)

    def test_an_ellipse_has_its_own_axes_and_angle(self) -> None:
        y, x = np.mgrid[:200, :200] - 100.0
        turn = np.radians(30)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        ellipse = ((along / 60) ** 2 + (across / 20) ** 2 <= 1).astype(np.float32)
        (found,) = find_regions(ellipse, 0.5)
        assert found.major_axis == pytest.approx(120, rel=0.01)
        assert found.minor_axis == pytest.approx(40, rel=0.01)
        assert found.angle == pytest.approx(30, abs=0.2)
        (mirrored,) = find_regions(np.flipud(ellipse).copy(), 0.5)
        assert mirrored.angle == pytest.approx(-30, abs=0.2)

    def test_a_single_pixel_has_a_size(self) -> None:
        (dot,) = find_regions(heat_of("000", "090", "000"), 0.5)
        assert (dot.major_axis, dot.minor_axis) == (1.15, 1.15)


def test_nothing_is_found_outside_of_where_to_look() -> None:
    inside = heat_of("11100", "11100", "11100") > 0
    (found,) = find_regions(heat_of("00000", "09999", "00009"), 0.5, inside)
    assert (found.x, found.width, found.area) == (1, 2, 2)
    assert find_regions(heat_of("00099"), 0.5, inside[:1]) == ()
