"""How sure a number is: bootstrap intervals, and DeLong's test of two methods on the same images."""

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, nan, sqrt

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.inputs import BoolArray, FloatArray, labels_and_scores


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric on all images, and the bounds that enclose the share `level` of its bootstrap replicates."""

    value: float
    low: float
    high: float
    level: float


def bootstrap_interval(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    metric: Callable[[BoolArray, FloatArray], float],
    n: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bound `metric(labels, scores)`, for example `auroc`, by a stratified percentile bootstrap over `n` resamplings.

    Images are drawn with replacement, positives and negatives apart, so that every replicate has as many of each as the
    data. Stratified because the share of defects in a test set is chosen by its makers and is no sample of anything,
    and because a replicate without one of the two would have no metric. The same seed gives the same interval. Time O(n
    times the metric), memory O(images + n).

    Args:
        labels: Bool or 0/1 [images]. Give images, not pixels: neighbouring pixels are not independent.
        scores: Float [images].
        metric: A function of labels and scores.
        n: The number of replicates, at least 1.
        level: The share of the replicates that the bounds enclose, in (0, 1).
        seed: Of the draws.

    Returns:
        The interval; nan where the metric is nan.

    Raises:
        UsageError: For n < 1, a level outside (0, 1), and as `auroc`.

    Examples:
        A perfect ranking stays perfect in every replicate:

        >>> from oddlens.metrics import auroc
        >>> bootstrap_interval([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], auroc, n=100)
        Interval(value=1.0, low=1.0, high=1.0, level=0.95)
    """
    if n < 1 or not 0 < level < 1:
        raise UsageError(f"a bootstrap needs n >= 1 and a level between 0 and 1, got n={n} and level={level}")
    binary, values = labels_and_scores(labels, scores)
    generator = np.random.default_rng(seed)
    groups = [np.flatnonzero(binary), np.flatnonzero(~binary)]
    replicates = np.empty(n)
    for replicate in range(n):
        drawn = np.concatenate(
            [group[generator.integers(group.size, size=group.size)] for group in groups if group.size]
        )
        replicates[replicate] = metric(binary[drawn], values[drawn])
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(metric(binary, values)), float(low), float(high), level)


@dataclass(frozen=True, slots=True)
class DeLongTest:
    """Two AUROCs on the same images: `difference` = a - b, its standard error, z, and the two-sided p-value."""

    auroc_a: float
    auroc_b: float
    difference: float
    standard_error: float
    z: float
    p_value: float


def delong_test(labels: npt.ArrayLike, scores_a: npt.ArrayLike, scores_b: npt.ArrayLike) -> DeLongTest:
    """Test whether two methods differ in AUROC on the same images (DeLong, DeLong and Clarke-Pearson, Biometrics 1988).

    The p-value is two-sided, from the normal distribution: an approximation that wants some tens of images of each kind.
    Where the difference does not vary at all (standard error 0) there are two cases: a difference of 0 gives z = 0 and
    p = 1; any other (as of a perfect against an exactly wrong ranking) gives nan for both, as the estimate of its
    error has failed. Time O(n log n), memory O(n).

    Args:
        labels: Bool or 0/1 [n].
        scores_a: Float [n], of one method.
        scores_b: Float [n], of the other.

    Raises:
        UsageError: With fewer than two positives or negatives, and as `auroc`.

    Examples:
        >>> test = delong_test([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.7, 0.6, 0.8, 0.9], [0.3, 0.6, 0.7, 0.2, 0.4, 0.9])
        >>> round(test.auroc_a, 3), round(test.auroc_b, 3), round(test.z, 2), round(test.p_value, 2)
        (0.889, 0.444, 1.79, 0.07)
    """
    binary, a = labels_and_scores(labels, scores_a)
    _, b = labels_and_scores(labels, scores_b)
    positives_a, negatives_a = _won_pairs(binary, a)
    positives_b, negatives_b = _won_pairs(binary, b)
    n_positive, n_negative = positives_a.size, negatives_a.size
    if n_positive < 2 or n_negative < 2:
        raise UsageError(
            f"DeLong's test needs two images of each kind, got {n_positive} positive, {n_negative} negative"
        )

    half_pairs = 2 * n_positive * n_negative
    auroc_a, auroc_b = positives_a.sum() / half_pairs, positives_b.sum() / half_pairs
    difference = (positives_a - positives_b).sum() / half_pairs
    variance = (positives_a - positives_b).var(ddof=1) / (4 * n_negative**2 * n_positive)
    variance += (negatives_a - negatives_b).var(ddof=1) / (4 * n_positive**2 * n_negative)
    standard_error = sqrt(variance)
    if standard_error:
        z = difference / standard_error
    elif difference:
        z = nan
    else:
        z = 0.0
    return DeLongTest(
        float(auroc_a), float(auroc_b), float(difference), standard_error, float(z), erfc(abs(z) / sqrt(2))
    )


def _won_pairs(labels: BoolArray, scores: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Twice the number of negatives each positive beats, and of positives each negative loses to; a tie counts one.

    Twice, so that the counts stay integers: then the variance of equal counts is exactly zero.
    """
    positives, negatives = np.sort(scores[labels]), np.sort(scores[~labels])
    won = np.searchsorted(negatives, scores[labels]) + np.searchsorted(negatives, scores[labels], side="right")
    not_lost = np.searchsorted(positives, scores[~labels]) + np.searchsorted(positives, scores[~labels], side="right")
    return won, 2 * positives.size - not_lost
