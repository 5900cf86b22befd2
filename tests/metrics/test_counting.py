import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oddlens.errors import UsageError
from oddlens.metrics import ScoreCounts, counting
from tests.metrics.metric_references import TIED, UNTIED, dozens

SCORES = st.sampled_from([TIED, UNTIED]).flatmap(
    lambda elements: st.lists(arrays(np.float32, st.integers(0, 30), elements=elements), min_size=1, max_size=6)
)
THRESHOLDS = st.sampled_from([TIED, UNTIED]).flatmap(
    lambda elements: st.lists(elements, unique=True).map(lambda values: np.array(sorted(values), np.float32))
)


def assert_counts(counts, thresholds, scores):
    assert counts.total == scores.size
    assert counts.at_least.tolist() == [(scores >= t).sum() for t in thresholds]
    assert counts.above.tolist() == [(scores > t).sum() for t in thresholds]


@dozens
@given(THRESHOLDS, SCORES)
def test_counts_are_those_of_comparing_every_score(thresholds, maps):
    assert_counts(ScoreCounts(thresholds).update(maps), thresholds, np.concatenate(maps))


def test_the_size_of_the_chunks_does_not_matter():
    generator = np.random.default_rng(1)
    maps = [generator.integers(0, 9, size).astype(np.float32) for size in (1, 20, 6, 7, 8)]
    thresholds = np.arange(-1, 10, dtype=np.float32)
    assert_counts(ScoreCounts(thresholds, chunk=7).update(maps), thresholds, np.concatenate(maps))


@dozens
@given(THRESHOLDS, SCORES, st.randoms(use_true_random=False))
def test_shards_merge_in_any_order_into_the_whole(thresholds, maps, random):
    shards = [ScoreCounts(thresholds).update([scores]) for scores in maps]
    random.shuffle(shards)
    merged = ScoreCounts(thresholds)
    for shard in shards:
        merged.merge(pickle.loads(pickle.dumps(shard)))
    assert_counts(merged, thresholds, np.concatenate(maps))


@dozens
@given(THRESHOLDS, SCORES)
def test_threads_count_what_one_thread_counts(thresholds, maps):
    assert_counts(counting.count_in_threads(thresholds, maps), thresholds, np.concatenate(maps))


def test_counting_goes_on_after_reading_and_after_pickling():
    counts = ScoreCounts(np.array([1.0])).update([np.array([0.0, 1.0])])
    assert counts.at_least.tolist() == [1]
    counts = pickle.loads(pickle.dumps(counts.update([np.array([2.0])])))
    assert counts.update([np.array([3.0])]).at_least.tolist() == [3]


def test_a_pickle_holds_counts_and_not_scores():
    counts = ScoreCounts(np.array([0.5])).update([np.random.default_rng(0).random((100, 100))])
    assert len(pickle.dumps(counts)) < 1000


def test_float32_and_float64_are_compared_exactly():
    third = np.float64(1) / 3
    counts = ScoreCounts(np.array([third])).update([np.float32([third]), np.float64([third])])
    assert (counts.at_least.tolist(), counts.above.tolist()) == ([2], [1])  # float32(1/3) > 1/3


def test_ignored_scores_are_not_counted():
    counts = ScoreCounts(np.array([0.0])).update([np.array([[1.0, np.nan]])], [np.array([[False, True]])])
    assert (counts.total, counts.above.tolist()) == (1, [1])


def test_counts_of_other_thresholds_do_not_merge():
    with pytest.raises(UsageError, match="thresholds"):
        ScoreCounts(np.array([1.0])).merge(ScoreCounts(np.array([2.0])))


def test_nan_is_found_at_the_latest_when_the_counts_are_read():
    counts = ScoreCounts(np.array([1.0])).update([np.array([0.0, np.nan])])
    with pytest.raises(UsageError, match="NaN"):
        _ = counts.at_least
