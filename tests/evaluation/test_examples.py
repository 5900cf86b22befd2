"""Which images are shown, and how they are drawn."""

import cv2
import numpy as np
import pytest

from oddlens.evaluation.cell_results import ImageScore
from oddlens.evaluation.examples import SHEET, choose, colour_range, draw


def scores(*pairs: tuple[int, float]) -> list[ImageScore]:
    return [ImageScore(f"{number}.png", label, "x", score) for number, (label, score) in enumerate(pairs)]


def test_clear_mistaken_and_borderline_pictures_are_distinguished() -> None:
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


def test_the_threshold_in_use_wins_over_the_best_one() -> None:
    known = scores((1, 0.9), (1, 0.8), (1, 0.7), (1, 0.5), (0, 0.1), (0, 0.4))
    assert "mistaken" not in {kind for kind, _ in choose(known, None, 0.5)}
    assert ("mistaken", 3) in choose(known, 0.6, 0.5)
    assert ("mistaken", 5) in choose(known, 0.3, 0.5)


def test_without_a_threshold_only_the_clear_ones_are_shown() -> None:
    assert choose(scores((1, 0.2), (1, 0.4)), None) == [("clear", 1), ("clear", 0)]


def test_images_that_the_method_looked_at_nothing_of_are_no_clear_or_mistaken_ones_and_shown_apart() -> None:
    seen = scores((1, 0.9), (0, 0.1))
    wiped = [ImageScore(f"wiped-{number}.png", number % 2, "x", 0.0, unseen=True) for number in range(6)]
    apart = [("unseen", number) for number in (2, 3, 4, 5)]
    for threshold in (0.0, None):
        assert choose([*seen, *wiped], threshold)[-4:] == apart
        assert choose(wiped, threshold) == [("unseen", number) for number in range(4)]
    assert choose([*seen, *wiped], 0.5)[:-4] == choose(seen, 0.5)


def panels(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """The (left, top, right, bottom) of the bright panels of a drawing of a white image."""
    drawn = np.asarray(
        draw(np.full((height, width, 3), 255, np.uint8), None, np.zeros((8, 8), np.float32), (0, 1)).convert("L")
    )
    assert drawn.shape == SHEET[::-1]
    _, _, boxes, _ = cv2.connectedComponentsWithStats((drawn > 200).astype(np.uint8))
    return [(x, y, x + wide, y + high) for x, y, wide, high, _ in boxes[1:].tolist()]


@pytest.mark.parametrize(("height", "width"), [(100, 100), (120, 60), (10, 9)])
def test_panels_of_tall_pictures_lie_side_by_side(height: int, width: int) -> None:
    (left, top, right, bottom), (next_left, next_top, _, _) = panels(height, width)
    assert next_left > right
    assert next_top == top
    assert (right - left) / (bottom - top) == pytest.approx(width / height, rel=0.02)


@pytest.mark.parametrize(("height", "width"), [(50, 100), (460, 1130)])
def test_panels_of_wide_pictures_lie_above_each_other(height: int, width: int) -> None:
    (left, top, right, bottom), (next_left, next_top, _, _) = panels(height, width)
    assert next_top > bottom
    assert next_left == left
    assert (right - left) / (bottom - top) == pytest.approx(width / height, rel=0.02)


def test_the_truth_is_outlined_in_both_panels_and_the_map_painted_in_one() -> None:
    pixels = np.full((100, 100, 3), 90, np.uint8)
    mask = np.zeros((100, 100), bool)
    mask[40:60, 40:60] = True
    anomaly_map = np.zeros((10, 10), np.float32)
    anomaly_map[:3] = 1
    drawn = np.asarray(draw(pixels, mask, anomaly_map, (0, 1)))
    for panel in (drawn[:, : SHEET[0] // 2], drawn[:, SHEET[0] // 2 :]):
        assert (panel == (0, 229, 255)).all(axis=-1).any()
    row = drawn[SHEET[1] // 2 - 100]
    assert (row[20:220] == 90).all()
    assert not (row[260:460] == 90).any()


def test_colours_end_as_far_above_the_threshold_as_it_lies_above_the_median() -> None:
    assert colour_range(0.2, 0.5, (0, 1)) == (0.2, 0.8)
    assert colour_range(0.5, 0.5, (0, 1)) == (0, 1)
    assert colour_range(0.2, None, (0, 2)) == (0, 2)
