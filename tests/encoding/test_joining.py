"""Scores and maps of tiles become those of their images."""

import numpy as np

from oddlens.encoding import EncodedBatch, joined_scores
from oddlens.encoding.joining import joined_maps
from oddlens.io.preparation import Preparation
from oddlens.methods.scoring import Scores


def batch(preparation: Preparation, *sizes: tuple[int, int]) -> EncodedBatch:
    layouts = tuple(preparation.layout(size, 40) for size in sizes)
    count = sum(map(len, layouts))
    return EncodedBatch(
        {"image": np.zeros((count, 2), np.float32)}, sizes, ("?",) * len(sizes), (None,) * len(sizes), layouts=layouts
    )


def test_the_score_is_the_largest_of_the_tiles() -> None:
    encoded = batch(Preparation((2, 2)), (100, 80), (60, 90))
    scores = np.array([1.0, 4.0, 2.0, 3.0, -5.0, -4.0, -6.0, -7.0])
    found = joined_scores(Scores(scores, np.zeros((8, 10, 10), np.float32), {"peak": -scores}), encoded, 0.0)
    assert found.scores.tolist() == [4.0, -4.0]
    assert found.scores.dtype == np.float64
    assert found.parts["peak"].tolist() == [-1.0, 7.0]


def test_an_image_is_unseen_where_all_its_tiles_are() -> None:
    encoded = batch(Preparation((2, 2)), (100, 80), (60, 90))
    unseen = np.array([True, True, False, True, True, True, True, True])
    scores = Scores(np.zeros(8), np.zeros((8, 10, 10), np.float32), unseen=unseen)
    found = joined_scores(scores, encoded, 0.0).unseen
    assert np.array_equal(found, [False, True])


def test_every_tile_is_at_its_place_in_the_map() -> None:
    encoded = batch(Preparation((3, 2)), (300, 200))
    values = np.arange(6.0)
    (found,) = joined_scores(Scores(values, np.broadcast_to(values[:, None, None], (6, 20, 20))), encoded, 0.0).maps
    rows, columns = found.shape
    corners = [found[row, column].item() for row in (0, rows - 1) for column in (0, columns // 2, columns - 1)]
    assert corners == [0, 1, 2, 3, 4, 5]


def test_images_of_several_numbers_of_tiles_have_maps_of_their_own() -> None:
    encoded = batch(Preparation("auto"), (70, 70), (140, 70))
    maps = [np.full((20, 20), value, np.float32) for value in range(3)]
    small, large = joined_scores(Scores(np.zeros(3), maps), encoded, 0.0).maps
    assert np.array_equal(small, np.zeros((20, 20)))
    assert (large.min().item(), large.max().item()) == (1.0, 2.0)
    assert large.shape == (20, 36)


def test_what_was_cropped_has_the_lowest_value() -> None:
    layout = Preparation(fit="crop").layout((80, 40), 40)
    found = joined_maps(np.ones((1, 20, 20), np.float32), layout, -0.5)
    assert found.shape == (20, 40)
    assert (found[:, 10:30] == 1).all()
    assert (found[:, :10] == -0.5).all()
    assert (found[:, 30:] == -0.5).all()


def test_untiled_images_keep_what_the_method_says() -> None:
    scores = Scores(np.ones(2), np.ones((2, 4, 4), np.float32))
    assert joined_scores(scores, EncodedBatch({}, ((4, 4),) * 2, ("a", "b"), (None, None)), 0.0) is scores
