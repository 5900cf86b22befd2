"""How well known classes are recognised: intersection over union, from a confusion matrix that merges without loss."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from math import nan
from typing import Self

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.inputs import IntArray

Classes = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class SegmentationMetrics:
    """Metrics over the pooled pixels of all images, fractions in [0, 1]; nan is "not defined on this data".

    Attributes:
        miou: Mean of `iou` over the classes that have one; nan if none has.
        iou: TP / (TP + FP + FN) of every class; nan for a class that neither occurs nor is predicted.
        accuracy: Share of the pixels whose class is right; nan without pixels.
        n_pixels: Pixels that count.
    """

    miou: float
    iou: tuple[float, ...]
    accuracy: float
    n_pixels: int


class SegmentationAccumulator:
    """Counts which class was taken for which. Memory O(classes squared); mergeable in any order; picklable.

    Attributes:
        confusion: Int64 [classes, classes + 1], true class by predicted class; the last column holds predictions of no class.

    Raises:
        UsageError: Without a class; if `ignored` is one of the classes.

    Examples:
        >>> SegmentationAccumulator(2).update([[[0, 1, 255]]], [[[0, 0, 1]]]).confusion.tolist()
        [[1, 0, 0], [1, 0, 0]]
    """

    def __init__(self, n_classes: int, ignored: int = 255) -> None:
        if n_classes < 1 or 0 <= ignored < n_classes:
            raise UsageError(f"there must be at least one class, and {ignored}, what is ignored, must be none of them")
        self.n_classes = n_classes
        self.ignored = ignored
        self.confusion: IntArray = np.zeros((n_classes, n_classes + 1), np.int64)

    def update(self, labels: Iterable[npt.ArrayLike], predictions: Iterable[npt.ArrayLike]) -> Self:
        """Add images: class indices, integers of one shape an image.

        A pixel whose label is `ignored` does not count. A pixel whose prediction is `ignored` is a miss of its class and no
        false alarm of another.

        Raises:
            UsageError: For unequal numbers or shapes and for other values. Nothing of this call is then added.
        """
        counted = np.zeros_like(self.confusion)
        for number, (truth, guess) in enumerate(zip_longest(labels, predictions)):
            if truth is None or guess is None:
                raise UsageError("every label image needs one prediction: their numbers differ")
            counted += self._count(np.asarray(truth), np.asarray(guess), number)
        self.confusion += counted
        return self

    def merge(self, other: "SegmentationAccumulator") -> Self:
        """Add the images of another shard. Raises UsageError if it counts other classes."""
        if (self.n_classes, self.ignored) != (other.n_classes, other.ignored):
            raise UsageError("confusion matrices merge only if they are of the same classes")
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

    def _count(self, labels: Classes, predictions: Classes, number: int) -> IntArray:
        if labels.shape != predictions.shape:
            raise UsageError(
                f"label image {number} and its prediction must have one shape, got {labels.shape} and {predictions.shape}"
            )
        counted = labels != self.ignored
        truth, guess = self._indices(labels[counted], number), self._indices(predictions[counted], number)
        columns = self.n_classes + 1
        pairs = np.bincount(truth * columns + guess, minlength=self.n_classes * columns)
        return pairs.reshape(self.n_classes, columns)

    def _indices(self, values: Classes, number: int) -> IntArray:
        """Class indices as int64; `ignored` becomes the index after the last class."""
        named = values[values != self.ignored]
        if values.dtype.kind not in "iu" or (named.size and not 0 <= named.min() <= named.max() < self.n_classes):
            raise UsageError(
                f"label image {number} or its prediction holds other values than the indices 0 to {self.n_classes - 1} "
                f"and {self.ignored}, as integers"
            )
        return np.where(values == self.ignored, self.n_classes, values.astype(np.int64))


def segmentation_metrics(
    labels: Iterable[npt.ArrayLike], predictions: Iterable[npt.ArrayLike], n_classes: int, ignored: int = 255
) -> SegmentationMetrics:
    """Measure predicted classes against true ones, integers [h, w] an image: `SegmentationAccumulator` in one call.

    Examples:
        >>> found = segmentation_metrics([[[0, 0, 1, 1]]], [[[0, 0, 1, 0]]], n_classes=2)
        >>> round(found.miou, 3), found.accuracy
        (0.583, 0.75)
    """
    return SegmentationAccumulator(n_classes, ignored).update(labels, predictions).compute()
