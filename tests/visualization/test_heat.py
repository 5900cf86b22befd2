"""The colours of anomaly maps: of a fixed range, seen on parts of any colour, and none on what is not anomalous."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.visualization.heat import anchored_range, blend

FIXED = (0.0, 1.0)
PARTS = {
    "black": (5, 5, 8), "white": (255, 255, 255), "grey": (128, 128, 128), "brown": (92, 51, 23), "orange": (225, 120, 40),
    "yellow": (240, 210, 60), "red": (190, 30, 40), "green": (60, 140, 70), "blue": (50, 80, 180), "magenta": (200, 30, 140),
}  # fmt: skip


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat_map(height: int, width: int, value: float = 0.0) -> np.ndarray:
    return np.full((height, width), value, dtype=np.float32)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of colours, uint8 [n, 3]: a distance of 2 is about what an eye tells apart."""
    return cv2.cvtColor((rgb[None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0]


class TestColours:
    @pytest.mark.parametrize("threshold", [None, 0.3])
    def test_hotter_colours_are_ever_darker_so_that_they_read_in_grey(self, threshold: float | None) -> None:
        white = np.full((1, 32, 3), 255, np.uint8)
        colours = blend(white, np.linspace(0.31, 1, 32, dtype=np.float32)[None], FIXED, threshold)[0].astype(float)
        assert (np.diff(colours @ (0.2126, 0.7152, 0.0722)) < 0).all()

    @given(st.floats(0, 0.15), st.integers(1, 80), st.integers(1, 80))
    def test_a_cold_map_leaves_the_picture_exactly_as_it_is(self, value: float, height: int, width: int) -> None:
        assert np.array_equal(blend(noise(height, width), flat_map(height, width, value), FIXED), noise(height, width))

    @pytest.mark.parametrize(("value_range", "threshold"), [((0.0, 1e-300), None), (FIXED, 1e-320), (FIXED, 1e30)])
    def test_a_range_of_any_size_colours_what_lies_above_it_and_nothing_else(
        self, value_range: tuple[float, float], threshold: float | None
    ) -> None:
        pixels = noise(1, 2)
        drawn = blend(pixels, np.float32([[0, 1]]), value_range, threshold)
        assert np.array_equal(drawn[0, 0], pixels[0, 0])
        assert (drawn[0, 1] != pixels[0, 1]).any() == (threshold != 1e30)

    def test_the_hotter_the_stronger_on_dark_and_on_bright_parts(self) -> None:
        ramp = np.linspace(0.2, 0.75, 50, dtype=np.float32)[None]
        for ground in (0, 128, 255):
            pixels = np.full((1, 50, 3), ground, dtype=np.uint8)
            change = np.abs(blend(pixels, ramp, FIXED).astype(float) - ground).sum(axis=2)[0]
            assert change[0] < 40
            assert change[-1] > 150
            assert np.corrcoef(change, ramp[0])[0, 1] > 0.9

    def test_the_hottest_pixel_still_shows_what_lies_beneath(self) -> None:
        pixels = np.zeros((1, 2, 3), dtype=np.uint8)
        pixels[0, 1] = 255
        dark, bright = blend(pixels, flat_map(1, 2, 1.0), FIXED)[0].astype(int)
        assert (bright - dark >= 60).all()

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_a_pixel_is_coloured_by_its_own_value_and_not_by_its_neighbours(self, value: float, other: float) -> None:
        pixels = noise(1, 2)
        alone = blend(pixels, flat_map(1, 2, value), FIXED)[0, 0]
        assert np.array_equal(blend(pixels, np.array([[value, other]], np.float32), FIXED)[0, 0], alone)

    @given(st.floats(-100, 100), st.floats(0.01, 1000))
    def test_the_range_scales_and_shifts_the_colours(self, low: float, span: float) -> None:
        levels = np.linspace(0, 1, 33)[None]
        drawn = blend(noise(1, 33), low + levels * span, (low, low + span)).astype(int)
        np.testing.assert_allclose(drawn, blend(noise(1, 33), levels, FIXED).astype(int), atol=5)


class TestThreshold:
    @pytest.mark.parametrize("ground", PARTS.values(), ids=PARTS)
    def test_what_exceeds_it_is_told_apart_on_parts_of_any_colour(self, ground: tuple[int, int, int]) -> None:
        pixels = np.full((1, 3, 3), ground, np.uint8)
        drawn = blend(pixels, np.array([[0.2, 0.501, 0.95]], np.float32), FIXED, 0.5)[0]
        cold, just_beyond, hot = lab(drawn)
        assert np.array_equal(drawn[0], pixels[0, 0])
        assert np.linalg.norm(just_beyond - cold) > 20
        assert np.linalg.norm(hot - cold) > 20
        assert np.linalg.norm(hot - just_beyond) > 20

    # From a share of 0.01 on float32 holds that a value exceeds its threshold, for each of these thresholds.
    @given(st.floats(-10, 10), st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0.01, 1))
    def test_its_colour_is_the_same_wherever_it_lies_in_the_range(
        self, threshold: float, below: float, above: float, share: float
    ) -> None:
        pixels = np.full((1, 1, 3), 128, np.uint8)
        found = blend(
            pixels, flat_map(1, 1, threshold + share * above), (threshold - below, threshold + above), threshold
        )
        expected = blend(pixels, flat_map(1, 1, 0.5 + share * 0.5), FIXED, 0.5)
        np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=6)

    def test_what_reaches_it_exactly_is_nearly_as_it_was_and_what_exceeds_it_is_not(self) -> None:
        pixels = np.full((1, 2, 3), 60, np.uint8)
        threshold = float(np.float32(0.4))
        at, beyond = blend(
            pixels, np.array([[threshold, np.nextafter(np.float32(0.4), 1)]], np.float32), FIXED, threshold
        )[0]
        assert np.abs(at.astype(int) - 60).max() < 40
        assert np.abs(beyond.astype(int) - 60).max() > 70

    @given(st.floats(0, 0.55))
    def test_what_lies_well_below_it_stays_exactly_as_it_is(self, share: float) -> None:
        assert np.array_equal(blend(noise(70, 9), flat_map(70, 9, 0.8 * share), FIXED, 0.8), noise(70, 9))

    @pytest.mark.parametrize(
        ("threshold", "expected"),
        [(None, (0.0, 1.0)), (0.3, (0.0, 1.0)), (1.2, (0.0, 2.4)), (-0.5, (-2.0, 1.0)), (1.0, (0.0, 2.0))],
    )
    def test_a_range_that_does_not_hold_it_is_widened(
        self, threshold: float | None, expected: tuple[float, float]
    ) -> None:
        assert anchored_range(FIXED, threshold) == expected
        blend(noise(3, 3), flat_map(3, 3, 0.5), FIXED, threshold)


@given(st.integers(1, 200), st.integers(1, 40), st.sampled_from([None, 0.5]))
def test_a_painted_spot_changes_no_pixel_elsewhere(height: int, width: int, threshold: float | None) -> None:
    anomaly_map = flat_map(height, width)
    anomaly_map[height // 2, width // 3] = 1.0
    changed = (blend(noise(height, width), anomaly_map, FIXED, threshold) != noise(height, width)).any(axis=2)
    assert np.argwhere(changed).tolist() in ([[height // 2, width // 3]], [])


def test_values_far_beyond_the_range_have_the_colours_of_its_ends() -> None:
    values = np.array([[-1e20, -1.0, 0.0, 1.0, 2.0, 1e20]], np.float32)
    grey = np.full((1, 6, 3), 128, np.uint8)
    for value_range in ((0.0, 1.0), (0.0, 1e-12)):
        low, *_, high = blend(grey, values, value_range)[0].tolist()
        assert low == [128, 128, 128]
        assert high == blend(grey[:, :1], np.ones((1, 1), np.float32), (0.0, 1.0))[0, 0].tolist()
