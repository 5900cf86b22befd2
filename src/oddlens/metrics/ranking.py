"""The exact ranking metrics, all read from one table: how positives and negatives fall around each positive score.

Between two neighbouring positive scores the number of true positives does not change, so that the scores of the
positives are the only thresholds that any of these metrics needs. Predictions are `score >= threshold`; equal scores
are one step.

A metric that the data does not define is nan, never a made-up number: without positives all of them; without
negatives the AUROC and the false positive rate (while average precision and F1 are then 1 by definition).
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.counting import count_sorted
from oddlens.metrics.inputs import FloatArray, IntArray, labels_and_scores


class F1Max(NamedTuple):
    """The best F1 over all thresholds, in [0, 1], and the highest threshold that reaches it (`score >= threshold`)."""

    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Counts at every distinct score of a positive, strictest first.

    Attributes:
        thresholds: Float32 or float64 [t], strictly descending.
        true_positives: Positives >= threshold, int64 [t].
        false_positives: Negatives >= threshold, int64 [t].
        false_positives_above: Negatives > threshold, int64 [t]: it differs where negatives tie with positives.
        n_positive: All positives.
        n_negative: All negatives.
    """

    thresholds: FloatArray
    true_positives: IntArray
    false_positives: IntArray
    false_positives_above: IntArray
    n_positive: int
    n_negative: int

    @classmethod
    def from_counts(
        cls, thresholds: FloatArray, positives: IntArray, at_least: IntArray, above: IntArray, total: int
    ) -> "Ranking":
        """Build from ascending thresholds: `positives` tied at each, all scores >= and > each, `total` of all scores.

        Raises:
            UsageError: Where the counts cannot belong to the same data: fewer scores than positives.
        """
        tied = positives[::-1]
        true_positives = np.cumsum(tied)
        false_positives = at_least[::-1] - true_positives
        false_positives_above = above[::-1] - (true_positives - tied)
        n_positive = int(true_positives[-1]) if tied.size else 0
        if total < n_positive or (false_positives < false_positives_above).any() or (false_positives_above < 0).any():
            raise UsageError("positives and counts come from different maps: run both passes over the same data")
        return cls(
            thresholds[::-1], true_positives, false_positives, false_positives_above, n_positive, total - n_positive
        )

    def auroc(self) -> float:
        """Area under the ROC curve: the share of (positive, negative) pairs in the right order, a tie counting half."""
        if not self.n_positive or not self.n_negative:
            return nan
        tied = np.diff(self.true_positives, prepend=0)
        right_of = 1 - (self.false_positives + self.false_positives_above) / (2 * self.n_negative)
        return float((tied * right_of).sum() / self.n_positive)

    def average_precision(self) -> float:
        """Sum of precision times the step in recall, without interpolation (scikit-learn's definition)."""
        if not self.n_positive:
            return nan
        tied = np.diff(self.true_positives, prepend=0)
        precision = self.true_positives / (self.true_positives + self.false_positives)
        return float((tied * precision).sum() / self.n_positive)

    def f1_max(self) -> F1Max:
        """Best F1 = 2 TP / (2 TP + FP + FN) over all thresholds, with the threshold."""
        if not self.n_positive:
            return F1Max(nan, nan)
        f1 = 2 * self.true_positives / (self.true_positives + self.false_positives + self.n_positive)
        best = int(f1.argmax())
        return F1Max(float(f1[best]), float(self.thresholds[best]) + 0.0)  # minus zero and zero tie: give zero

    def fpr_at_tpr(self, tpr: float = 0.95) -> float:
        """Give the false positive rate at the strictest threshold with a true positive rate >= `tpr`, in (0, 1]."""
        if not 0 < tpr <= 1:
            raise UsageError(f"the true positive rate must lie in (0, 1], got {tpr}")
        if not self.n_positive or not self.n_negative:
            return nan
        reached = int(np.searchsorted(self.true_positives / self.n_positive, tpr))
        return float(self.false_positives[reached] / self.n_negative)


def rank(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Ranking:
    """Rank `scores` (float, any shape, higher = more anomalous) against `labels` (bool or 0/1, same shape).

    Time O(n log n): one sort of the values, no argsort. Memory O(n): one copy of the scores.

    Raises:
        UsageError: For empty input, unequal shapes, labels other than 0 and 1, NaN.

    Examples:
        >>> ranking = rank([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> ranking.thresholds.tolist(), ranking.true_positives.tolist(), ranking.false_positives.tolist()
        ([0.8, 0.35], [1, 2], [0, 1])
        >>> ranking.auroc(), ranking.f1_max()
        (0.75, F1Max(value=0.8, threshold=0.35))
    """
    binary, values = labels_and_scores(labels, scores)
    thresholds, positives = np.unique(values[binary], return_counts=True)
    at_least, above = count_sorted(np.sort(values), thresholds)
    return Ranking.from_counts(thresholds, positives, at_least, above, values.size)


def auroc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Area under the ROC curve, in [0, 1], nan without positives or negatives; see `rank` for the input.

    Examples:
        >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    return rank(labels, scores).auroc()


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Average precision, in [0, 1], nan without positives; see `rank` for the input.

    Examples:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
        0.833
    """
    return rank(labels, scores).average_precision()


def f1_max(labels: npt.ArrayLike, scores: npt.ArrayLike) -> F1Max:
    """Best F1 over all thresholds and its threshold, nan without positives; see `rank` for the input.

    Examples:
        >>> f1_max([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        F1Max(value=0.8, threshold=0.35)
    """
    return rank(labels, scores).f1_max()


def fpr_at_tpr(labels: npt.ArrayLike, scores: npt.ArrayLike, tpr: float = 0.95) -> float:
    """Give the false positive rate where `tpr` of the positives are found (FPR95), in [0, 1]; input as for `rank`.

    Examples:
        >>> fpr_at_tpr([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.5
    """
    return rank(labels, scores).fpr_at_tpr(tpr)
