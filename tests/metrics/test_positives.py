import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.metrics import PositiveScores, pixel_metrics, pixel_metrics_from
from tests.metrics.metric_references import dozens, labelled_maps


def same(a, b):
    """Equal bit for bit, nan included."""
    return repr(a) == repr(b)


@dozens
@given(labelled_maps(ignoring=True, max_images=8), st.data())
def test_two_passes_over_random_shards_equal_the_whole_bit_for_bit(data, choose):
    masks, maps, ignore = data
    owner = choose.draw(st.lists(st.integers(0, 3), min_size=len(maps), max_size=len(maps)))
    order = choose.draw(st.permutations(range(4)))
    shards = [[index for index in range(len(maps)) if owner[index] == shard] for shard in order]

    def pick(arrays, shard):
        return [arrays[index] for index in shard]

    positives = PositiveScores()
    for shard in shards:
        mine = PositiveScores().update(pick(masks, shard), pick(maps, shard), pick(ignore, shard))
        positives.merge(pickle.loads(pickle.dumps(mine)))
    counts = positives.score_counts()
    for shard in reversed(shards):
        counts.merge(positives.score_counts().update(pick(maps, shard), pick(ignore, shard)))

    if positives.n_pixels:
        assert same(pixel_metrics_from(positives, counts), pixel_metrics(masks, maps, ignore=ignore))


def test_images_may_come_from_generators():
    generator = np.random.default_rng(0)
    masks, maps = generator.random((3, 5, 5)) < 0.3, generator.random((3, 5, 5))
    positives = PositiveScores().update((mask for mask in masks), (values for values in maps))
    counts = positives.score_counts().update(values for values in maps)
    assert pixel_metrics_from(positives, counts) == pixel_metrics(masks, maps)


def test_only_positives_are_kept():
    mask = np.zeros((500, 500), bool)
    mask[:10, :10] = True
    positives = PositiveScores().update([mask], [np.random.default_rng(0).random(mask.shape, np.float32)])
    assert len(pickle.dumps(positives)) < 2000


def test_a_batch_with_an_error_adds_nothing():
    good, bad = np.zeros((2, 2)), np.full((2, 2), np.nan)
    positives = PositiveScores()
    with pytest.raises(UsageError, match="NaN"):
        positives.update([good, good], [good, bad])
    assert (positives.n_images, positives.n_pixels) == (0, 0)


def test_a_second_pass_that_missed_a_map_is_an_error():
    masks, maps = np.ones((2, 1, 2)) * [0, 1], np.arange(4.0).reshape(2, 1, 2)
    positives = PositiveScores().update(masks, maps)
    with pytest.raises(UsageError, match="the first saw 4 pixels, the second 2"):
        pixel_metrics_from(positives, positives.score_counts().update(maps[:1]))


def test_a_second_pass_over_other_maps_is_an_error():
    masks, maps = np.ones((1, 1, 2)) * [0, 1], np.array([[[1.0, 2.0]]])
    positives = PositiveScores().update(masks, maps)
    with pytest.raises(UsageError, match="different maps"):
        pixel_metrics_from(positives, positives.score_counts().update(maps - 5))


def test_a_second_pass_begun_before_the_first_ended_is_an_error():
    masks, maps = np.ones((1, 1, 2)) * [0, 1], np.array([[[1.0, 2.0]]])
    positives = PositiveScores().update(masks, maps)
    counts = positives.score_counts()
    positives.update(masks, maps + 1)
    with pytest.raises(UsageError, match="other positives"):
        pixel_metrics_from(positives, counts.update(maps).update(maps + 1))
