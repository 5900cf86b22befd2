import numpy as np
import pytest

from lab.streets.shapes import box, disc, line, polygon, rounded


def area(points) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


def test_areas_are_those_of_the_figures() -> None:
    assert area(box(1, 2, 4, 6).points) == 12
    assert area(polygon((0, 0), (2, 0), (0, 2)).points) == 2
    assert area(disc(5, 5, 2).points) == pytest.approx(np.pi * 4, rel=0.03)
    assert area(disc(5, 5, 2, 1).points) == pytest.approx(np.pi * 2, rel=0.03)
    assert area(rounded(0, 0, 4, 2, 0.5).points) == pytest.approx(8 - (4 - np.pi) * 0.25, rel=0.01)


def test_a_rounded_box_stays_within_its_sides() -> None:
    points = rounded(1, 2, 5, 4, 0.7).points
    np.testing.assert_allclose([points.min(0), points.max(0)], [[1, 2], [5, 4]])


def test_only_a_line_has_a_width() -> None:
    assert line(0.5, (0, 0), (1, 1)).width == 0.5
    assert box(0, 0, 1, 1).width is None
