"""The scene: another part is a concern, a further image of the same part is none."""

from __future__ import annotations

import numpy as np
import pytest

from oddlens.calibration.scene import CONCERN, MARGIN, Scene, concern_of
from oddlens.errors import UsageError


def part(seed: int, count: int, place: float = 1.0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Embeddings of images of one part."""
    return (place + np.random.default_rng(seed).normal(size=(count, 16)) / 10).astype(np.float32)


NONE = np.zeros((0, 16), np.float32)


def test_another_part_is_a_concern_and_the_same_one_is_none() -> None:
    scene = Scene(part(0, 8), NONE)
    assert not any(scene.is_unlike(each) for each in part(1, 20))
    assert all(scene.is_unlike(each) for each in part(2, 20, -1.0))


def test_the_limit_is_a_margin_beyond_the_largest_distance_among_the_good() -> None:
    rows = np.array([[0, 0], [1, 0], [3, 0]], np.float32)
    scene = Scene(rows[:2], rows[2:])
    assert scene.limit == pytest.approx(2 * MARGIN)
    assert scene.distance(np.array([3, 4], np.float32)) == pytest.approx(4)
    assert scene.is_unlike(np.array([3, 2 * MARGIN + 0.1], np.float32))
    assert not scene.is_unlike(np.array([3, 2 * MARGIN - 0.1], np.float32))


def test_an_image_of_which_little_is_marked_is_of_the_part_with_a_defect() -> None:
    marked = [
        np.arange(10, dtype=np.float32).reshape(2, 5) + number for number in (0, 3, 4, 10)
    ]  # 0, 3, 4, 10 values above 9
    assert [concern_of(True, each, 9.0) for each in marked] == [None, None, CONCERN, CONCERN]
    assert [concern_of(False, each, 9.0) for each in marked] == [None] * 4
    assert concern_of(True, marked[0], None) == CONCERN  # nobody knows what is marked


def test_of_an_image_that_is_looked_at_in_part_that_part_counts() -> None:
    values = np.zeros((4, 5), np.float32)
    values[0, :4] = 1
    inside = np.zeros((4, 5), np.bool_)
    inside[:2] = True
    assert concern_of(True, values, 0.5) is None
    assert concern_of(True, values, 0.5, inside) == CONCERN  # 4 of 10
    assert concern_of(True, values, 0.5, ~inside) is None
    assert concern_of(True, values, 0.5, np.zeros_like(inside)) is None


def test_calibration_images_widen_it() -> None:
    other = part(2, 1, -1.0)[0]
    assert Scene(part(0, 8), NONE).is_unlike(other)
    assert not Scene(part(0, 8), part(3, 8, -1.0)).is_unlike(other)


@pytest.mark.parametrize("few", [part(0, 2), NONE, np.ones((5, 16), np.float32)])
def test_too_few_images_or_one_again_and_again_say_nothing(
    few: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    scene = Scene(few, NONE)
    assert scene.limit is None
    assert not scene.is_unlike(part(1, 1, -9.0)[0])


def test_an_image_that_another_version_described_is_not_compared() -> None:
    with pytest.raises(UsageError, match="described by 8 and by 16 numbers"):
        Scene(part(0, 8), NONE).is_unlike(np.zeros(8, np.float32))


def test_it_survives_arrays() -> None:
    scene = Scene(part(0, 4), part(1, 3))
    again = Scene.from_dict(scene.to_dict())
    np.testing.assert_array_equal(again.embeddings, scene.embeddings)


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"references": part(0, 2)},
        {"references": part(0, 2), "calibrated": part(0, 2)[0]},
        {"references": part(0, 2), "calibrated": part(0, 2) * np.inf},
        {"references": part(0, 2), "calibrated": part(0, 2)[:, :3]},
    ],
)
def test_damaged_arrays_are_refused(damaged: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> None:
    with pytest.raises(UsageError, match="scene are damaged"):
        Scene.from_dict(damaged)
