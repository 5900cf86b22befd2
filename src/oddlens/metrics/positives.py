"""The first pass over labelled maps: it collects the scores of the positive pixels, and the second pass needs nothing else."""

from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.counting import ScoreCounts
from oddlens.metrics.inputs import FloatArray, labelled_maps
from oddlens.metrics.ranking import Ranking
from oddlens.metrics.regions import RegionPixels, SizeArray, region_pixels


class PositiveScores:
    """The positive pixels of some images and the sizes of their regions: the first of two passes, mergeable, picklable.

    The second pass needs no masks. Merging gives the same result, bit for bit, as one pass over all images in any
    order. Memory O(positive pixels), 8 bytes each for float32 maps; time O(pixels) and one sort of the positives.

    Examples:
        >>> from oddlens.metrics import pixel_metrics_from
        >>> masks, maps = [[[0, 0], [1, 1]]], [[[0.1, 0.4], [0.35, 0.8]]]
        >>> positives = PositiveScores().update(masks, maps)  # each shard; then merge
        >>> counts = positives.score_counts().update(maps)  # each shard, from the merged positives; then merge
        >>> pixel_metrics_from(positives, counts).auroc
        0.75
    """

    def __init__(self) -> None:
        self.n_images = 0
        self.n_pixels = 0
        self.n_regions = 0
        self._parts: list[tuple[FloatArray, SizeArray]] = []
        self._sorted = False

    def update(
        self,
        masks: Iterable[npt.ArrayLike],
        maps: Iterable[npt.ArrayLike],
        ignore: Iterable[npt.ArrayLike | None] | None = None,
    ) -> Self:
        """Add images: masks bool or 0/1 [h, w], maps float [h, w], `ignore` bool or 0/1 [h, w] (1 = leave out).

        Raises:
            UsageError: For unequal numbers or shapes, masks other than 0/1, NaN outside the ignored pixels. Nothing of
                this call is then added.
        """
        added = [(image.n_counted, region_pixels(image)) for image in labelled_maps(masks, maps, ignore)]
        for n_counted, pixels in added:
            self.n_images += 1
            self.n_pixels += n_counted
            self.n_regions += pixels.n_regions
            if pixels.scores.size:
                self._parts.append((pixels.scores, pixels.region_sizes))
                self._sorted = False
        return self

    def merge(self, other: "PositiveScores") -> Self:
        """Add the images of another shard."""
        self.n_images += other.n_images
        self.n_pixels += other.n_pixels
        self.n_regions += other.n_regions
        self._parts.extend(other._parts)
        self._sorted = False
        return self

    def pixels(self) -> RegionPixels:
        """Give all positive pixels, ordered by score and, where scores tie, by region size."""
        if not self._sorted:
            self._parts = [_in_order(self._parts)]
            self._sorted = True
        scores, region_sizes = self._parts[0]
        return RegionPixels(scores, region_sizes, self.n_regions)

    def score_counts(self) -> ScoreCounts:
        """Start a shard of the second pass: empty counts at the distinct scores of all positives seen so far."""
        scores = self.pixels().scores
        return ScoreCounts(scores[_group_starts(scores)])

    def ranking(self, counts: ScoreCounts) -> Ranking:
        """Put both passes together. Raises UsageError if `counts` did not see the same pixels."""
        scores = self.pixels().scores
        starts = _group_starts(scores)
        if counts.total != self.n_pixels or not np.array_equal(counts.thresholds, scores[starts]):
            raise UsageError(
                f"both passes must see the same maps: the first saw {self.n_pixels} pixels, the second {counts.total} "
                "(or started from other positives)"
            )
        positives = np.diff(starts, append=scores.size)
        return Ranking.from_counts(counts.thresholds, positives, counts.at_least, counts.above, counts.total)

    def recall_gain(self) -> npt.NDArray[np.float64]:
        """Give what each distinct positive score, strictest first, adds to the mean recall of all regions; float64 [t]."""
        scores, region_sizes, n_regions = self.pixels()
        gains = np.add.reduceat(1 / region_sizes, _group_starts(scores)) if n_regions else np.empty(0)
        return gains[::-1] / n_regions


def _in_order(parts: list[tuple[FloatArray, SizeArray]]) -> tuple[FloatArray, SizeArray]:
    """Sort by score, then by region size, so that sums over pixels do not depend on the order in which images came.

    The same as `numpy.lexsort`, which is ten times slower than sorting by score and putting only the ties in order.
    """
    if not parts:
        return np.empty(0, np.float32), np.empty(0, np.int32)
    scores, sizes = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(scores)
    scores, sizes = scores[order], sizes[order]
    tied = np.zeros(scores.size, np.bool_)
    tied[1:] = scores[1:] == scores[:-1]
    tied[:-1] |= tied[1:]
    sizes[tied] = sizes[tied][np.lexsort((sizes[tied], scores[tied]))]
    return scores, sizes


def _group_starts(scores: FloatArray) -> npt.NDArray[np.intp]:
    """Where each run of equal values begins in sorted scores."""
    return np.flatnonzero(np.concatenate(([True], scores[1:] != scores[:-1]))) if scores.size else np.empty(0, np.intp)
