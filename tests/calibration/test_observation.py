"""What is kept of a good image: a look at it, and the summary of its map."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from oddlens.calibration.observation import THUMBNAIL, look_at, summary
from oddlens.errors import ImageError


def test_a_thumbnail_is_as_long_as_is_said_and_keeps_the_shape() -> None:
    noise = np.random.default_rng(0).integers(256, size=(300, 600, 3)).astype(np.uint8)
    assert look_at(noise).thumbnail.shape == (THUMBNAIL // 2, THUMBNAIL, 3)
    assert look_at(noise[:50, :40]).thumbnail.shape == (50, 40, 3)
    assert look_at(np.zeros((1, 5000, 3), np.uint8)).thumbnail.shape == (1, THUMBNAIL, 3)


def test_a_blurred_image_is_less_sharp_and_a_dark_one_less_bright() -> None:
    image = np.random.default_rng(0).integers(256, size=(160, 160, 3)).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), 2), np.uint8)
    assert look_at(blurred).sharpness < look_at(image).sharpness / 4
    assert look_at(image // 2).brightness == pytest.approx(look_at(image).brightness / 2, abs=1)


def test_a_summary_is_score_peak_and_median() -> None:
    values = np.array([[1, 2, 3], [4, 5, 9]], np.float32)
    assert summary("a.png", 0.5, values, "reference") == (0.5, 9.0, 3.5)


@pytest.mark.parametrize(("score", "value"), [(np.nan, 1.0), (1.0, np.inf)])
def test_numbers_that_are_not_finite_are_refused_by_name(score: float, value: float) -> None:
    with pytest.raises(ImageError, match=r"the reference a\.png has a score or a map that is not finite"):
        summary("a.png", score, np.full((2, 2), value, np.float32), "reference")
