"""Counting scores around thresholds: the one expensive step behind every exact metric here."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.inputs import FloatArray, Ignored, Images, IntArray, check_no_nan, counted_scores

# How many scores are sorted at once. A sort costs less in the cache, but every chunk is searched for every threshold:
# 2**24, 64 MiB of float32, is about where the two balance for maps with one to two percent of positives.
CHUNK = 1 << 24
CHUNK_PER_THRESHOLD = 8
THREADS = min(4, os.cpu_count() or 1)


class ScoreCounts:
    """How many scores lie at or above, and strictly above, each of some thresholds.

    The counts are integers, so that shards merge by addition, in any order, into exactly the counts of the whole.
    Comparisons between float32 and float64 are exact. Picklable.

    Scores are copied into a buffer of `chunk`, which is sorted in place (values only), searched and dropped:
    time O(n log n) over n scores, memory O(t) and the buffer.

    Args:
        thresholds: Ascending, float32 or float64 [t].
        chunk: Scores that are sorted at once; by default max(2**24, 8 t). It changes the time only.

    Attributes:
        total: Scores so far.

    Examples:
        >>> counts = ScoreCounts(np.array([0.2, 0.5])).update([[0.1, 0.2], [0.9]])
        >>> counts.at_least.tolist(), counts.above.tolist(), counts.total
        ([2, 1], [1, 1], 3)
    """

    def __init__(self, thresholds: FloatArray, chunk: int | None = None) -> None:
        self.thresholds = thresholds
        self.total = 0
        self._chunk = chunk or max(CHUNK, CHUNK_PER_THRESHOLD * thresholds.size)
        self._at_least: IntArray = np.zeros(thresholds.size, np.int64)
        self._above: IntArray = np.zeros(thresholds.size, np.int64)
        self._buffer: FloatArray = np.empty(0, np.float32)
        self._filled = 0

    def update(self, maps: Iterable[npt.ArrayLike], ignore: Iterable[npt.ArrayLike | None] | None = None) -> Self:
        """Count the scores of `maps` (arrays of any shapes), without those where `ignore` (same shapes) is 1.

        Raises:
            UsageError: For unequal numbers or shapes, and (now or when the counts are read) for NaN.
        """
        for scores in counted_scores(maps, ignore):
            self._add(scores)
        return self

    def merge(self, other: "ScoreCounts") -> Self:
        """Add the counts of another shard. Raises UsageError if it has other thresholds."""
        if not np.array_equal(self.thresholds, other.thresholds):
            raise UsageError("counts merge only if their thresholds are the same: start every shard from the same ones")
        self._at_least += other.at_least
        self._above += other.above
        self.total += other.total
        return self

    @property
    def at_least(self) -> IntArray:
        """The number of scores >= each threshold, int64 [t]."""
        self._count_buffer()
        return self._at_least

    @property
    def above(self) -> IntArray:
        """The number of scores > each threshold, int64 [t]."""
        self._count_buffer()
        return self._above

    def _add(self, scores: FloatArray) -> None:
        self.total += scores.size
        if scores.dtype != self._buffer.dtype or not self._buffer.size:
            self._count_buffer()
            self._buffer = np.empty(self._chunk, scores.dtype)
        while scores.size:
            taken = scores[: self._buffer.size - self._filled]
            self._buffer[self._filled : self._filled + taken.size] = taken
            self._filled += taken.size
            scores = scores[taken.size :]
            if self._filled == self._buffer.size:
                self._count_buffer()

    def _count_buffer(self) -> None:
        chunk = self._buffer[: self._filled]
        self._filled = 0
        if chunk.size:
            chunk.sort()
            at_least, above = count_sorted(chunk, self.thresholds)
            self._at_least += at_least
            self._above += above

    def __getstate__(self) -> dict[str, object]:
        self._count_buffer()
        return self.__dict__ | {"_buffer": np.empty(0, np.float32)}


def count_sorted(scores: FloatArray, thresholds: FloatArray) -> tuple[IntArray, IntArray]:
    """Count the ascending `scores` [n > 0] that are >= and > each of the ascending `thresholds`: two int64 [t].

    Time O(t log n). Raises UsageError for NaN, which sorting puts last.
    """
    check_no_nan(scores[-1:], "maps")
    first = np.searchsorted(scores, thresholds)
    # Most thresholds meet no score or one: only where the next score is the same again is a second search needed.
    after = first + (scores.take(first, mode="clip") == thresholds)
    tied = np.flatnonzero(scores.take(after, mode="clip") == thresholds)
    after[tied] = np.searchsorted(scores, thresholds[tied], side="right")
    return scores.size - first, scores.size - after


def count_in_threads(thresholds: FloatArray, maps: Images, ignore: Ignored | None = None) -> ScoreCounts:
    """Count the scores of `maps` with a few threads, each a shard of its own: numpy sorts without holding the lock."""

    def count_shard(start: int) -> ScoreCounts:
        mine = range(start, len(maps), THREADS)
        counts = ScoreCounts(thresholds)
        counts.update((maps[index] for index in mine), None if ignore is None else (ignore[index] for index in mine))
        counts._count_buffer()  # here, in the thread, and not when the counts are read
        return counts

    whole = ScoreCounts(thresholds)
    with ThreadPoolExecutor(THREADS) as pool:
        for shard in pool.map(count_shard, range(THREADS)):
            whole.merge(shard)
    return whole
