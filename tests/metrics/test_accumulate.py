import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.metrics import ImageAccumulator, PixelAccumulator, image_metrics, pixel_metrics, rank_pixels
from tests.metrics.metric_references import dozens, labelled_maps, labels_and_scores


def same(a, b):
    """Equal bit for bit, nan included."""
    return repr(a) == repr(b)


@dozens
@given(labelled_maps(max_images=8), st.data(), st.sampled_from([0.1, 0.3, 1.0]))
def test_pixel_shards_merge_into_exactly_the_whole(data, choose, limit):
    masks, maps = data
    shards = [PixelAccumulator() for _ in range(3)]
    for mask, values in zip(masks, maps, strict=True):
        choose.draw(st.sampled_from(shards)).update([mask], [values])
    merged = PixelAccumulator()
    for shard in choose.draw(st.permutations(shards)):
        merged.merge(pickle.loads(pickle.dumps(shard)))
    assert same(merged.compute(limit), pixel_metrics(masks, maps, limit))


@dozens
@given(labels_and_scores(), st.data())
def test_image_shards_merge_into_exactly_the_whole(data, choose):
    labels, scores = data
    shards = [ImageAccumulator() for _ in range(3)]
    for label, score in zip(labels, scores, strict=True):
        choose.draw(st.sampled_from(shards)).update([label], [score])
    merged = ImageAccumulator()
    for shard in choose.draw(st.permutations(shards)):
        merged.merge(pickle.loads(pickle.dumps(shard)))
    assert same(merged.compute(), image_metrics(labels, scores))


def test_computing_does_not_end_the_collecting():
    generator = np.random.default_rng(2)
    masks, maps = generator.random((4, 6, 6)) < 0.2, generator.random((4, 6, 6), np.float32)
    accumulator = PixelAccumulator().update(masks[:2], maps[:2])
    assert accumulator.compute() == pixel_metrics(masks[:2], maps[:2])
    assert accumulator.update(masks[2:], maps[2:]).compute() == pixel_metrics(masks, maps)
    assert accumulator.ranking().auroc() == rank_pixels(masks, maps).auroc()


def test_ignored_pixels_are_left_out():
    generator = np.random.default_rng(2)
    masks, ignore = generator.random((2, 4, 6, 6)) < 0.3
    maps = generator.random((4, 6, 6))
    assert PixelAccumulator().update(masks, maps, ignore).compute() == pixel_metrics(masks, maps, ignore=ignore)


def test_the_caller_may_reuse_its_arrays():
    generator = np.random.default_rng(2)
    masks, maps = generator.random((4, 6, 6)) < 0.2, generator.random((4, 6, 6))
    labels, scores = np.array([0, 1]), np.array([0.1, 0.2])
    pixels, images = PixelAccumulator().update(masks, maps), ImageAccumulator().update(labels, scores)
    expected = pixel_metrics(masks, maps), image_metrics(labels, scores)
    for array in (masks, maps, labels, scores):
        array[:] = 0
    assert (pixels.compute(), images.compute()) == expected


def test_a_batch_with_an_error_adds_nothing():
    good, bad = np.eye(2), np.full((2, 2), np.nan)
    accumulator = PixelAccumulator().update([good], [good])
    with pytest.raises(UsageError, match="NaN"):
        accumulator.update([good, good], [good, bad])
    assert accumulator.compute() == pixel_metrics([good], [good])


def test_an_empty_accumulator_is_an_error():
    with pytest.raises(UsageError, match="no pixel"):
        PixelAccumulator().compute()
    with pytest.raises(UsageError, match="no image"):
        ImageAccumulator().compute()
