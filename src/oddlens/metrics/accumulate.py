"""Accumulators: metrics of what arrives batch by batch, or in shards on several machines.

Both keep the scores themselves, so that `compute` equals the plain function on everything at once, bit for bit,
however the images were sharded. Where the maps do not fit in memory but can be read twice, use `PositiveScores`.
"""

from typing import Self

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.counting import ScoreCounts, count_in_threads
from oddlens.metrics.image import ImageMetrics, image_metrics
from oddlens.metrics.inputs import BoolArray, FloatArray, Ignored, Images, counted_scores, labels_and_scores
from oddlens.metrics.pixel import AUPRO_LIMIT, PixelMetrics, pixel_metrics_from
from oddlens.metrics.positives import PositiveScores
from oddlens.metrics.ranking import Ranking


class ImageAccumulator:
    """Collects labels and scores of images. Memory O(images); picklable.

    Examples:
        >>> shards = [([0, 1], [0.1, 0.4]), ([0, 1], [0.3, 0.2])]
        >>> first, second = (ImageAccumulator().update(labels, scores) for labels, scores in shards)
        >>> first.merge(second).compute().auroc
        0.75
    """

    def __init__(self) -> None:
        self._labels: list[BoolArray] = []
        self._scores: list[FloatArray] = []

    def update(self, labels: npt.ArrayLike, scores: npt.ArrayLike) -> Self:
        """Add images: labels bool or 0/1 [n], scores float [n]. Raises UsageError as `image_metrics`."""
        checked, values = labels_and_scores(labels, scores)
        self._labels.append(checked.copy())
        self._scores.append(values.copy())
        return self

    def merge(self, other: "ImageAccumulator") -> Self:
        """Add the images of another shard."""
        self._labels += other._labels
        self._scores += other._scores
        return self

    def compute(self) -> ImageMetrics:
        """Measure all images so far. Raises UsageError if there are none."""
        if not self._scores:
            raise UsageError("there is no image to measure: update the accumulator with at least one")
        return image_metrics(np.concatenate(self._labels), np.concatenate(self._scores))


class PixelAccumulator:
    """Collects masks and maps. Memory O(pixels), 4 bytes each for float32 maps, as the masks are dropped; picklable.

    Examples:
        >>> shards = [([[[0, 1]]], [[[0.1, 0.4]]]), ([[[0, 1]]], [[[0.3, 0.2]]])]
        >>> first, second = (PixelAccumulator().update(masks, maps) for masks, maps in shards)
        >>> first.merge(second).compute().auroc
        0.75
    """

    def __init__(self) -> None:
        self._positives = PositiveScores()
        self._scores: list[FloatArray] = []

    def update(self, masks: Images, maps: Images, ignore: Ignored | None = None) -> Self:
        """Add images, given as to `pixel_metrics`. Raises UsageError as that does; the batch is then not added."""
        positives = PositiveScores().update(masks, maps, ignore)
        self._scores += [scores.copy() for scores in counted_scores(maps, ignore)]
        self._positives.merge(positives)
        return self

    def merge(self, other: "PixelAccumulator") -> Self:
        """Add the images of another shard."""
        self._positives.merge(other._positives)
        self._scores += other._scores
        return self

    def compute(self, aupro_limit: float = AUPRO_LIMIT) -> PixelMetrics:
        """Measure all images so far, AUPRO up to `aupro_limit`. Raises UsageError if there are none."""
        return pixel_metrics_from(self._positives, self._counts(), aupro_limit)

    def ranking(self) -> Ranking:
        """Rank all pixels so far, to draw curves from."""
        return self._positives.ranking(self._counts())

    def _counts(self) -> ScoreCounts:
        return count_in_threads(self._positives.score_counts().thresholds, self._scores)
