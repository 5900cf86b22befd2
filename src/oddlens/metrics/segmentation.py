"""How well known classes are told apart: intersection over union, from a confusion matrix that merges without loss."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from math import nan
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.inputs import IntArray


@dataclass(frozen=True, slots=True)
class SegmentationMetrics:
    """Metrics over the pooled pixels of all images, fractions in [0, 1]; nan is "not defined on this data".

    miou       mean of `iou` over the classes that have one; nan if none has
    iou        of every class, TP / (TP + FP + FN); nan for one that neither occurs nor is predicted
    accuracy   share of the pixels whose class is right; nan without pixels
    n_pixels   pixels that count
    """

    miou: float
    iou: tuple[float, ...]
    accuracy: float
    n_pixels: int


class SegmentationAccumulator:
    """Counts which class was taken for which. Memory O(classes squared); mergeable in any order; picklable.

    `confusion`: int64 [classes, classes + 1], true class by predicted class; the last column holds predictions of no class.
    """

    def __init__(self, n_classes: int, ignored: int = 255) -> None:
        if n_classes < 1 or 0 <= ignored < n_classes:
            raise UsageError(f"There must be at least one class, and {ignored}, what is ignored, must be none of them.")
        self.n_classes = n_classes
        self.ignored = ignored
        self.confusion: IntArray = np.zeros((n_classes, n_classes + 1), np.int64)

    def update(self, labels: Iterable[npt.ArrayLike], predictions: Iterable[npt.ArrayLike]) -> Self:
        """Add images: integers of one shape an image, class indices.

        A pixel whose label is `ignored` does not count. One whose prediction is, is a miss of its class and no false alarm of
        another. Raises UsageError for unequal numbers or shapes and for other values; nothing of this call is added then.
        """
        counted = np.zeros_like(self.confusion)
        for number, (truth, guess) in enumerate(zip_longest(labels, predictions)):
            if truth is None or guess is None:
                raise UsageError("Every label image needs one prediction: their numbers differ.")
            counted += self._count(np.asarray(truth), np.asarray(guess), number)
        self.confusion += counted
        return self

    def merge(self, other: "SegmentationAccumulator") -> Self:
        """Add the images of another shard. Raises UsageError if it counts other classes."""
        if (self.n_classes, self.ignored) != (other.n_classes, other.ignored):
            raise UsageError("Confusion matrices merge only if they are of the same classes.")
        self.confusion += other.confusion
        return self

    def compute(self) -> SegmentationMetrics:
        """Measure all images so far."""
        hits = np.diagonal(self.confusion)
        occurring, predicted = self.confusion.sum(axis=1), self.confusion[:, :-1].sum(axis=0)
        unions = occurring + predicted - hits
        iou = tuple(int(hit) / int(union) if union else nan for hit, union in zip(hits, unions, strict=True))
        defined = [value for value, union in zip(iou, unions, strict=True) if union]
        n_pixels = int(occurring.sum())
        return SegmentationMetrics(
            miou=sum(defined) / len(defined) if defined else nan,
            iou=iou,
            accuracy=int(hits.sum()) / n_pixels if n_pixels else nan,
            n_pixels=n_pixels,
        )

    def _count(self, labels: npt.NDArray[Any], predictions: npt.NDArray[Any], number: int) -> IntArray:
        if labels.shape != predictions.shape:
            raise UsageError(
                f"Label image {number} and its prediction must have one shape, got {labels.shape} and {predictions.shape}."
            )
        kept = labels != self.ignored
        truth, guess = self._indices(labels[kept], number), self._indices(predictions[kept], number)
        columns = self.n_classes + 1
        pairs = np.bincount(truth * columns + guess, minlength=self.n_classes * columns)
        return pairs.reshape(self.n_classes, columns)

    def _indices(self, values: npt.NDArray[Any], number: int) -> IntArray:
        """Class indices as int64, what is ignored as one index more."""
        named = values[values != self.ignored]
        if values.dtype.kind not in "iu" or (named.size and not 0 <= named.min() <= named.max() < self.n_classes):
            raise UsageError(
                f"Label image {number} or its prediction holds other values than the indices 0 to {self.n_classes - 1} "
                f"and {self.ignored}, as integers."
            )
        return np.where(values == self.ignored, self.n_classes, values.astype(np.int64))


def segmentation_metrics(
    labels: Iterable[npt.ArrayLike], predictions: Iterable[npt.ArrayLike], n_classes: int, ignored: int = 255
) -> SegmentationMetrics:
    """Measure predicted classes against true ones, integers [h, w] an image: `SegmentationAccumulator` in one call."""
    return SegmentationAccumulator(n_classes, ignored).update(labels, predictions).compute()
