"""Views of good examples: turned and mirrored, each by itself."""

import numpy as np
import pytest
from numpy.typing import NDArray

from oddlens.io.pixels import Pixels
from oddlens.methods.common.augmentation import drawn_angles, mirrored, turned_by, turned_evenly


@pytest.fixture
def picture() -> Pixels:
    return np.random.default_rng(0).integers(1, 256, (12, 12, 3), dtype=np.uint8)


def test_a_quarter_turn_is_counter_clockwise_on_the_same_canvas(picture: Pixels) -> None:
    (turned,) = turned_by(picture, [90])
    assert np.array_equal(turned, np.rot90(picture))


def test_corners_that_no_pixel_reaches_are_black(picture: Pixels) -> None:
    (turned,) = turned_by(picture, [45])
    assert turned.shape == picture.shape
    assert not turned[0, 0].any()
    assert turned[6, 6].any()


def test_even_turns_go_about_half_the_width_and_reflect_the_border(picture: Pixels) -> None:
    views = turned_evenly(picture, 4)
    assert len(views) == 3
    half = views[1]
    assert np.array_equal(half[1:, 1:], picture[::-1, ::-1][:-1, :-1])  # everything moved by a pixel
    assert np.array_equal(half[0, 1:], half[2, 1:])  # the row beyond the border is the one inside it
    assert np.array_equal(turned_evenly(picture, 8)[3], half)


def test_mirror_images(picture: Pixels) -> None:
    across, down = mirrored(picture)
    assert np.array_equal(across[:, 0], picture[:, -1])
    assert np.array_equal(down[0], picture[-1])


def test_angles_are_the_images_own(picture: Pixels) -> None:
    angles = drawn_angles(picture, 5, 42, 345)
    assert len(set(angles)) == 5
    assert all(0 <= angle < 345 for angle in angles)
    assert drawn_angles(np.asfortranarray(picture), 5, 42, 345) == angles
    other: NDArray[np.uint8] = picture.copy()
    other[0, 0, 0] ^= 1
    assert not set(drawn_angles(other, 5, 42, 345)) & set(angles)
    assert not set(drawn_angles(picture, 5, 43, 345)) & set(angles)
