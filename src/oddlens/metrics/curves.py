"""Points of curves for plotting: exact corners, thinned evenly along the curve."""

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.inputs import FloatArray
from oddlens.metrics.ranking import Ranking, rank

Points = npt.NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)


class RocCurve(NamedTuple):
    """False against true positive rate, from (0, 0) to (1, 1): predictions are `score >= threshold`.

    The first threshold is inf for "nothing", the last -inf for "everything".
    """

    fpr: Points
    tpr: Points
    thresholds: Points


class PrecisionRecallCurve(NamedTuple):
    """Precision against recall, one point for each distinct positive score, strictest first, up to recall 1."""

    precision: Points
    recall: Points
    thresholds: FloatArray


def roc_curve(labels: npt.ArrayLike, scores: npt.ArrayLike, max_points: int | None = 1000) -> RocCurve:
    """Give the ROC curve of `scores` (float, any shape) against `labels` (bool or 0/1, same shape): see `roc_points`.

    Examples:
        >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> curve.fpr.tolist(), curve.tpr.tolist()
        ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    return roc_points(rank(labels, scores), max_points)


def precision_recall_curve(
    labels: npt.ArrayLike, scores: npt.ArrayLike, max_points: int | None = 1000
) -> PrecisionRecallCurve:
    """Give the precision-recall curve, input as for `roc_curve`: see `precision_recall_points`.

    Examples:
        >>> curve = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> curve.recall.tolist(), [round(value, 3) for value in curve.precision.tolist()]
        ([0.5, 1.0], [1.0, 0.667])
    """
    return precision_recall_points(rank(labels, scores), max_points)


def roc_points(ranking: Ranking, max_points: int | None = 1000) -> RocCurve:
    """Give at most `max_points` (>= 2) corners of the ROC curve, evenly along its length; None gives all of them.

    All corners together enclose exactly the AUROC.

    Raises:
        UsageError: Without positives or without negatives; for `max_points` below 2.

    Examples:
        >>> roc_points(rank([0, 0, 1], [0.1, 0.4, 0.8])).tpr.tolist()
        [0.0, 1.0, 1.0]
    """
    if not ranking.n_positive or not ranking.n_negative:
        raise UsageError("a ROC curve needs positives and negatives")
    before = np.concatenate(([0], ranking.true_positives[:-1]))
    just_above = np.nextafter(ranking.thresholds, ranking.thresholds.dtype.type(np.inf))
    false_positives = _interleaved(ranking.false_positives_above, ranking.false_positives)
    fpr = np.concatenate(([0], false_positives, [ranking.n_negative])) / ranking.n_negative
    tpr = np.concatenate(([0], _interleaved(before, ranking.true_positives), [ranking.n_positive])) / ranking.n_positive
    thresholds = np.concatenate(([np.inf], _interleaved(just_above, ranking.thresholds), [-np.inf]))
    corners = np.flatnonzero(np.concatenate(([True], (np.diff(fpr) > 0) | (np.diff(tpr) > 0))))
    chosen = corners[_evenly(fpr[corners], tpr[corners], max_points)]
    return RocCurve(fpr[chosen], tpr[chosen], thresholds[chosen])


def precision_recall_points(ranking: Ranking, max_points: int | None = 1000) -> PrecisionRecallCurve:
    """Give at most `max_points` (>= 2) points of the precision-recall curve, evenly along its length; None gives all.

    Raises:
        UsageError: Without positives; for `max_points` below 2.

    Examples:
        >>> precision_recall_points(rank([0, 0, 1], [0.1, 0.4, 0.8])).precision.tolist()
        [1.0]
    """
    if not ranking.n_positive:
        raise UsageError("a precision-recall curve needs positives")
    precision = ranking.true_positives / (ranking.true_positives + ranking.false_positives)
    recall = ranking.true_positives / ranking.n_positive
    chosen = _evenly(recall, precision, max_points)
    return PrecisionRecallCurve(precision[chosen], recall[chosen], ranking.thresholds[chosen])


def _interleaved(first: npt.NDArray[Number], second: npt.NDArray[Number]) -> npt.NDArray[Number]:
    return np.stack((first, second), axis=1).ravel()


def _evenly(x: Points, y: Points, max_points: int | None) -> npt.NDArray[np.intp]:
    """Choose points at even steps of the path length |dx| + |dy|, the first and the last among them."""
    if max_points is None or x.size <= max_points:
        return np.arange(x.size)
    if max_points < 2:
        raise UsageError(f"a curve needs at least 2 points, got max_points={max_points}")
    path = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    steps = np.linspace(0, path[-1], max_points)[:-1]
    return np.unique(np.concatenate((np.searchsorted(path, steps), [x.size - 1])))
