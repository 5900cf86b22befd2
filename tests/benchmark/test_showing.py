"""Which pictures are shown, and how they are drawn."""

import numpy as np
import pytest

from oddlens.benchmark.cells import ImageScore
from oddlens.benchmark.showing import PANEL, choose, colour_range, draw


def scores(*pairs: tuple[int, float]) -> list[ImageScore]:
    return [ImageScore(f"{number}.png", label, "x", score) for number, (label, score) in enumerate(pairs)]


def test_clear_mistaken_and_borderline_pictures_are_told_apart() -> None:
    known = scores(
        (1, 0.9), (1, 0.8), (1, 0.7), (1, 0.61), (1, 0.2), (1, 0.3), (0, 0.1), (0, 0.15), (0, 0.5), (0, 0.95), (0, 0.65)
    )  # fmt: skip
    chosen = choose(known, 0.6)
    assert [number for kind, number in chosen if kind == "clear"] == [0, 1, 2, 6]
    assert [number for kind, number in chosen if kind == "mistaken"] == [4, 5, 9]
    assert [number for kind, number in chosen if kind == "borderline"] == [3, 10, 8, 7]


def test_no_picture_is_shown_twice() -> None:
    chosen = choose(scores((1, 0.3), (0, 0.7)), 0.5)
    assert sorted(number for _, number in chosen) == [0, 1]


def test_a_perfect_ranking_has_no_mistakes() -> None:
    assert "mistaken" not in {kind for kind, _ in choose(scores((1, 0.9), (1, 0.8), (0, 0.1), (0, 0.2)), 0.8)}


def test_without_a_threshold_only_the_clear_ones_are_shown() -> None:
    assert choose(scores((1, 0.2), (1, 0.4)), None) == [("clear", 1), ("clear", 0)]


@pytest.mark.parametrize(
    ("height", "width", "drawn"),
    [(100, 100, (2 * PANEL + 2, PANEL)), (50, 100, (PANEL, PANEL + 2)), (120, 60, (PANEL + 2, PANEL))],
)
def test_both_panels_lie_side_by_side_or_of_wide_pictures_above_each_other(
    height: int, width: int, drawn: tuple[int, int]
) -> None:
    pixels = np.full((height, width, 3), 90, np.uint8)
    assert draw(pixels, None, np.zeros((8, 8), np.float32), (0, 1)).size == drawn


def test_the_truth_is_outlined_in_both_panels_and_the_heat_painted_in_one() -> None:
    pixels = np.full((100, 100, 3), 90, np.uint8)
    mask = np.zeros((100, 100), bool)
    mask[40:60, 40:60] = True
    heat = np.zeros((10, 10), np.float32)
    heat[:3] = 1
    drawn = np.asarray(draw(pixels, mask, heat, (0, 1)))
    left, right = drawn[:, :PANEL], drawn[:, PANEL + 2 :]
    for panel in (left, right):
        assert (panel == (0, 229, 255)).all(axis=-1).any()
    assert (left[5] == 90).all()
    assert not (right[5] == 90).any()


def test_colours_end_as_far_above_the_threshold_as_it_lies_above_the_usual_heat() -> None:
    assert colour_range(0.2, 0.5, (0, 1)) == (0.2, 0.8)
    assert colour_range(0.5, 0.5, (0, 1)) == (0, 1)
    assert colour_range(0.2, None, (0, 2)) == (0, 2)
