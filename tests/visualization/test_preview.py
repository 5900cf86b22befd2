"""Copies of images for pages: small ones by whole numbers, and JPEGs of any image."""

import cv2
import numpy as np
import pytest

from oddlens.visualization.preview import encode_jpeg, shrunk


@pytest.mark.parametrize(("size", "small"), [((640, 300), (640, 300)), ((641, 300), (320, 150)), ((1, 2000), (1, 500))])
def test_an_image_is_shrunk_by_a_whole_number(size: tuple[int, int], small: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    copy = shrunk(pixels)
    assert copy.shape == (*small, 3)
    times = size[0] // small[0]
    assert copy[0, 0] == pytest.approx(pixels[:times, : size[1] // small[1]].mean(axis=(0, 1)), abs=0.51)


def test_an_image_that_is_longer_than_a_jpeg_can_be_is_a_jpeg_all_the_same() -> None:
    pixels = np.full((10, 70_000, 3), (200, 100, 50), np.uint8)
    found = cv2.imdecode(np.frombuffer(encode_jpeg(pixels, 90), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert found.shape == (5, 35_000, 3)
    assert np.abs(found.astype(int) - (200, 100, 50)).max() <= 3
