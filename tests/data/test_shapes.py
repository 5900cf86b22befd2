"""Shapes as pixels, held against the definition: a pixel is marked where its centre lies inside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.data.shapes import (
    fill_circle,
    fill_polygon,
    fill_rectangle,
    fill_runs,
    mask_of,
    pack_runs,
    points_of,
    runs_document,
    runs_of,
    size_of,
    unpack_runs,
)

HEIGHT, WIDTH = 9, 12
coordinates = st.tuples(st.integers(-40, 160), st.integers(-40, 130)).map(lambda point: (point[0] / 8, point[1] / 8))


def is_inside(x, y, points):
    """By the even-odd rule: whether a ray from the point to the left crosses an odd number of edges."""
    inside = False
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x:
            inside = not inside
    return inside


@given(st.lists(coordinates, min_size=3, max_size=8))
def test_a_polygon_marks_the_pixels_whose_centres_lie_inside(points):
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    fill_polygon(mask, tuple(points))
    wanted = [[is_inside(column + 0.5, row + 0.5, points) for column in range(WIDTH)] for row in range(HEIGHT)]
    assert mask.tolist() == wanted


def test_a_rectangle_covers_its_area_wherever_its_corners_are_begun():
    for corners in (((2, 3), (6, 8)), ((6, 8), (2, 3)), ((2, 8), (6, 3))):
        mask = np.zeros((HEIGHT, WIDTH), np.bool_)
        fill_rectangle(mask, *corners)
        assert mask.sum() == 4 * 5
        assert mask[3:8, 2:6].all()


def test_a_circle_marks_the_pixels_whose_centres_are_near_enough():
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    fill_circle(mask, (4.5, 4.5), (6.5, 4.5))
    assert mask[4].tolist() == [False] * 2 + [True] * 5 + [False] * 5
    assert mask.sum() == 13


def test_what_is_marked_before_stays():
    mask = np.eye(4, dtype=np.bool_)
    fill_rectangle(mask, (0, 0), (4, 1))
    fill_runs(mask, [15, 1])
    assert mask.sum() == 7


def test_runs_go_down_the_columns():
    mask = np.zeros((2, 3), np.bool_)
    fill_runs(mask, [1, 2, 3])
    assert mask.tolist() == [[False, True, False], [True, False, False]]


@pytest.mark.parametrize("counts", [[], [5], [7], [3, -1, 4], [2**62, 2**62]])
def test_runs_of_another_picture_are_refused(counts):
    with pytest.raises(ValueError, match="do not add up"):
        fill_runs(np.zeros((2, 3), np.bool_), counts)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", []),
        ("5", [5]),
        ("132", [1, 3, 2]),
        ("1322", [1, 3, 2, 5]),
        ("P1", [32]),
        ("132O", [1, 3, 2, 2]),
        ("01l7`0UI" + "0" * 47 + "Q`1CVmN", [0, 1, 252, *[17, 33] * 24, 17, 1570, 4, 456]),  # of pycocotools 2.0
    ],
)
def test_cocos_text_of_runs(text, counts):
    assert unpack_runs(text) == counts


@pytest.mark.parametrize("text", ["P", "p1", "\u00e9", "!", "P" * 100_000])
def test_what_is_no_text_of_runs_is_refused(text):
    with pytest.raises(ValueError, match="has runs that are"):
        unpack_runs(text)


def test_points_are_pairs_of_numbers_within_reason():
    assert points_of([[1, 2.5], [0, -3]]) == ((1.0, 2.5), (0.0, -3.0))
    for wrong in (None, {}, [1, 2], [[1]], [[1, 2, 3]], [["1", 2]], [[True, 1]], [[1e9, 0]], [[float("nan"), 0]]):
        with pytest.raises(ValueError, match=r"has (points that are no|a point that is far)"):
            points_of(wrong)


def test_sizes_are_whole_numbers_above_0():
    assert size_of(3, 4) == (3, 4)
    assert {size_of(*wrong) for wrong in ((None, 4), (0, 4), (3, -4), (3.0, 4), (True, 4), ("3", 4))} == {None}


@given(st.lists(st.integers(0, 2**40), max_size=40))
def test_the_text_of_runs_is_what_is_read(counts):
    assert unpack_runs(pack_runs(counts)) == counts


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_mask_comes_back_from_its_runs(height, width, data):
    pixels = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    mask = np.array(pixels).reshape(height, width)
    assert np.array_equal(mask_of(runs_document(mask)), mask)


def test_runs_are_those_of_cocos_library():
    library = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    mask = np.random.default_rng(0).random((37, 53)) > 0.8
    theirs = library.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert runs_document(mask) == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert runs_of(mask)[0] == (0 if mask[0, 0] else np.argmax(mask.T.ravel()))


@pytest.mark.parametrize(
    "runs", [{"size": [2], "counts": "4"}, {"size": [0, 4], "counts": "0"}, {"size": [2, 2], "counts": "3"},
             {"size": [10**8, 10**8], "counts": "0"}, {"size": [-2, -2], "counts": "4"}]
)  # fmt: skip
def test_runs_of_no_mask_are_refused(runs):
    with pytest.raises(ValueError, match=r"size|add up"):
        mask_of(runs)
