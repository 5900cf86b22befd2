"""Dashed outlines."""

import numpy as np
import pytest

from oddlens.visualization.dashes import outline_dashed


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_a_line_is_white_and_dark_by_turns_and_nothing_else_changes(ground: int) -> None:
    pixels = np.full((60, 80, 3), ground, np.uint8)
    outline_dashed(pixels, [np.array([[10, 10], [69, 10], [69, 49], [10, 49]])])
    top = pixels[10, 10:70, 0]
    assert (top > 200).sum() > 15
    assert (top < 60).sum() > 15
    assert (pixels[20:40, 20:60] == ground).all()
    assert (pixels[:8] == ground).all()


def test_a_point_and_no_outline_at_all_are_fine() -> None:
    pixels = np.zeros((20, 20, 3), np.uint8)
    assert not outline_dashed(pixels, []).any()
    outline_dashed(pixels, [np.array([[5, 5]])])
