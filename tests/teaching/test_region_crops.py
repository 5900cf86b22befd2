"""Crops of regions: where they lie, how large they are, and which of their pixels are the region."""

import numpy as np
import pytest

from oddlens.detection import Region
from oddlens.teaching.region_crops import grid_weights, region_crop


def region(x: int, y: int, width: int, height: int) -> Region:
    right, bottom = x + width - 1, y + height - 1
    outline = ((x, y), (right, y), (right, bottom), (x, bottom))
    return Region(x, y, width, height, width * height, 1.0, 0.5, outline)


def test_a_crop_has_half_as_much_again_as_the_box() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    crop = region_crop(pixels, region(100, 60, 80, 40))
    assert crop.pixels.shape == (120, 120, 3)
    assert np.array_equal(crop.pixels, pixels[20:140, 80:200])
    assert np.array_equal(np.argwhere(crop.inside)[[0, -1]], [[40, 20], [79, 99]])
    assert crop.inside.sum() == 80 * 40


@pytest.mark.parametrize(("x", "y"), [(0, 0), (290, 0), (0, 190), (290, 190)])
def test_a_crop_at_the_border_lies_in_the_image_and_holds_the_region(x: int, y: int) -> None:
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[y : y + 10, x : x + 10] = 255
    crop = region_crop(pixels, region(x, y, 10, 10))
    assert crop.pixels.shape == (60, 60, 3)  # three tenths of the shorter side
    assert np.array_equal(crop.inside.astype(bool), crop.pixels[..., 0] == 255)


def test_no_crop_is_larger_than_the_shorter_side() -> None:
    crop = region_crop(np.zeros((50, 400, 3), np.uint8), region(0, 0, 400, 50))
    assert crop.pixels.shape == (50, 50, 3)
    assert crop.inside.all()


def test_the_smallest_image_has_a_crop() -> None:
    assert region_crop(np.zeros((1, 1, 3), np.uint8), region(0, 0, 1, 1)).inside.tolist() == [[1]]


def test_patches_weigh_as_much_as_they_hold_of_the_region() -> None:
    inside = np.zeros((40, 40), np.uint8)
    inside[0:20, 0:30] = 1
    assert grid_weights(inside, (2, 2)).tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert grid_weights(np.zeros((40, 40), np.uint8), (2, 2)).tolist() == [0.25] * 4
