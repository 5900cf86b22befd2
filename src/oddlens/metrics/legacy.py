"""The PRO score of the authors' programs: not exact, and here only to reproduce published numbers."""

from math import nan
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.counting import count_in_threads
from oddlens.metrics.inputs import Images, score_array
from oddlens.metrics.positives import PositiveScores

Number = TypeVar("Number", np.int64, np.float64)

STEPS = 200
HIGHEST_FPR = 0.3


def pixel_aupro_legacy(masks: Images, maps: Images) -> float:
    """PRO as the programs of AnomalyCLIP and APRIL-GAN (and many before them) compute it, in [0, 1].

    Source: `cal_pro_score` in both repositories. 200 equally spaced thresholds from the lowest score up, predictions
    `score > threshold`; points with a false positive rate below 0.3 count, their rates stretched from [lowest, highest of
    them] to [0, 1], and the trapezoids are summed. Compared with `aupro` it misses what lies between the thresholds (an
    outlier can leave few of them where they matter) and up to the limit. The thresholds are laid out in float64 and
    compared in the type of the maps, as in the NumPy 1 of the authors.

    Time O(n log n), memory beside the input O(positive pixels): regions are labelled once, not once a threshold.

    Args:
        masks: As for `pixel_metrics`.
        maps: As for `pixel_metrics`, finite.

    Returns:
        PRO; nan where the rule gives no number (the programs stop or give nan): no region, no negative pixel, constant
        maps, fewer than two different rates below 0.3.

    Raises:
        UsageError: For infinite scores, and as `pixel_metrics`.

    Examples:
        The rule stretches the rates 1/8 to 2/8 and leaves out what lies beside them, so it differs from the exact figure:

        >>> from oddlens.metrics import aupro
        >>> masks, maps = [[[1, 1, 0, 0, 0, 0, 0, 0, 0, 0]]], [[[0.8, 0.4, 0.9, 0.5, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]]]
        >>> round(pixel_aupro_legacy(masks, maps), 3), round(aupro(masks, maps), 3)
        (0.5, 0.375)
    """
    positives = PositiveScores().update(masks, maps)
    if not positives.n_pixels:
        raise UsageError("there is no pixel to measure: give at least one map")
    arrays = [score_array(values, "maps") for values in maps]
    low, high = min(map(np.min, arrays)), max(map(np.max, arrays))
    if not np.isfinite(low) or not np.isfinite(high):
        raise UsageError("the legacy PRO needs finite scores, to lay its thresholds out between them")
    scores, region_sizes, n_regions = positives.pixels()
    step = float(high - low) / STEPS
    if not n_regions or scores.size == positives.n_pixels or not step:
        return nan

    thresholds = np.arange(float(low), float(high), step).astype(np.result_type(*arrays))
    # Thresholds that lie below each positive pixel's score: the pixel is found at exactly those.
    below = np.searchsorted(thresholds, scores)
    recall = _sum_from_next(np.bincount(below, 1 / region_sizes, thresholds.size + 1)) / n_regions
    true_positives = _sum_from_next(np.bincount(below, minlength=thresholds.size + 1))
    false_positives = count_in_threads(thresholds, arrays).above - true_positives
    fpr = false_positives / (positives.n_pixels - scores.size)

    low_rates = fpr < HIGHEST_FPR
    fpr, recall = fpr[low_rates], recall[low_rates]
    if not fpr.size or fpr[0] == fpr[-1]:
        return nan
    stretched = (fpr - fpr[-1]) / (fpr[0] - fpr[-1])
    return float(np.trapezoid(recall[::-1], stretched[::-1]))


def _sum_from_next(counts: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """For each position but the last, the sum of all later entries."""
    return np.cumsum(counts[:0:-1])[::-1]
