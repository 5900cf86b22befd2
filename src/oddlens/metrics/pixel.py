"""The pixel metrics of a set of maps."""

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.counting import ScoreCounts, count_in_threads
from oddlens.metrics.inputs import Ignored, Images, check_limit
from oddlens.metrics.positives import PositiveScores
from oddlens.metrics.ranking import Ranking

AUPRO_LIMIT = 0.3
"""The false-positive rate up to which AUPRO is integrated, as MVTec AD's authors do."""


@dataclass(frozen=True, slots=True)
class PixelMetrics:
    """Exact metrics over the pooled pixels of all images, fractions in [0, 1]; nan is "not defined on this data".

    Attributes:
        auroc: Area under the ROC curve; nan without positive or without negative pixels.
        ap: Average precision; nan without positive pixels.
        f1_max: Best F1 over all thresholds; nan without positive pixels.
        f1_max_threshold: The highest threshold that reaches it (`score >= threshold`).
        aupro: Area under the per-region overlap curve up to the limit; nan without regions or negative pixels.
        fpr95: False positive rate where 95 % of the positive pixels are found; nan as `auroc`.
        n_images: Images, with or without defects.
        n_positive: Positive pixels that are not ignored.
        n_negative: Negative pixels that are not ignored.
        n_regions: 8-connected regions of the masks with a pixel that is not ignored.
    """

    auroc: float
    ap: float
    f1_max: float
    f1_max_threshold: float
    aupro: float
    fpr95: float
    n_images: int
    n_positive: int
    n_negative: int
    n_regions: int


def pixel_metrics(
    masks: Images, maps: Images, aupro_limit: float = AUPRO_LIMIT, ignore: Ignored | None = None
) -> PixelMetrics:
    """Measure anomaly maps against masks, exactly, ties included.

    AUPRO follows Bergmann et al. (IJCV 2021): the mean over all regions of all images of the region's recall, as a
    function of the false positive rate over all negative pixels, integrated up to `aupro_limit` (in (0, 1]) and
    divided by it, with linear interpolation at the limit and along ties.

    Time O(n log n) over n pixels: the maps are sorted in chunks, values only, by a few threads. Memory beside the input
    O(positive pixels) and the chunks.

    Args:
        masks: Bool or 0/1 arrays [h, w], 1 = anomalous; a sequence (sizes may differ) or one array [n, h, w].
        maps: Float arrays of the same shapes, higher = more anomalous; raw scores of any range.
        aupro_limit: The highest false positive rate of AUPRO, in (0, 1].
        ignore: Pixels to leave out, bool or 0/1 arrays of the same shapes, or None for an image of which all count: what
            `oddlens.data.read_ignore` gives. Regions are those of the whole mask; a region partly ignored counts with what is
            left of it, one wholly ignored not at all.

    Raises:
        UsageError: For empty input, unequal shapes or numbers, NaN, a limit outside (0, 1].

    Examples:
        >>> masks, maps = [[[0, 0], [1, 1]]], [[[0.1, 0.4], [0.35, 0.8]]]
        >>> found = pixel_metrics(masks, maps)
        >>> found.auroc, found.aupro, found.fpr95, found.n_regions
        (0.75, 0.5, 0.5, 1)
    """
    check_limit(aupro_limit)
    return pixel_metrics_from(*_two_passes(masks, maps, ignore), aupro_limit)


def aupro(masks: Images, maps: Images, limit: float = AUPRO_LIMIT, ignore: Ignored | None = None) -> float:
    """Area under the per-region overlap curve up to the false positive rate `limit`; input as for `pixel_metrics`.

    Examples:
        >>> aupro([[[0, 0], [1, 1]]], [[[0.1, 0.4], [0.35, 0.8]]], limit=1.0)
        0.75
    """
    return pixel_metrics(masks, maps, limit, ignore).aupro


def rank_pixels(masks: Images, maps: Images, ignore: Ignored | None = None) -> Ranking:
    """Rank all pixels, to draw curves or read other metrics from; input, cost and errors as for `pixel_metrics`.

    Examples:
        >>> rank_pixels([[[0, 0], [1, 1]]], [[[0.1, 0.4], [0.35, 0.8]]]).auroc()
        0.75
    """
    positives, counts = _two_passes(masks, maps, ignore)
    return positives.ranking(counts)


def pixel_metrics_from(
    positives: PositiveScores, counts: ScoreCounts, aupro_limit: float = AUPRO_LIMIT
) -> PixelMetrics:
    """Compute the metrics from two finished passes: see `PositiveScores`.

    Raises:
        UsageError: If the passes saw different pixels, or none.

    Examples:
        >>> masks, maps = [[[0, 0], [1, 1]]], [[[0.1, 0.4], [0.35, 0.8]]]
        >>> positives = PositiveScores().update(masks, maps)
        >>> pixel_metrics_from(positives, positives.score_counts().update(maps), aupro_limit=1.0).aupro
        0.75
    """
    check_limit(aupro_limit)
    if not positives.n_pixels:
        raise UsageError("there is no pixel to measure: give at least one map with a pixel that is not ignored")
    ranking = positives.ranking(counts)
    f1 = ranking.f1_max()
    return PixelMetrics(
        auroc=ranking.auroc(),
        ap=ranking.average_precision(),
        f1_max=f1.value,
        f1_max_threshold=f1.threshold,
        aupro=_area_under_overlap(ranking, positives.recall_gain(), aupro_limit),
        fpr95=ranking.fpr_at_tpr(0.95),
        n_images=positives.n_images,
        n_positive=ranking.n_positive,
        n_negative=ranking.n_negative,
        n_regions=positives.n_regions,
    )


def _two_passes(masks: Images, maps: Images, ignore: Ignored | None) -> tuple[PositiveScores, ScoreCounts]:
    positives = PositiveScores().update(masks, maps, ignore)
    return positives, count_in_threads(positives.score_counts().thresholds, maps, ignore)


def _area_under_overlap(ranking: Ranking, recall_gain: npt.NDArray[np.float64], limit: float) -> float:
    """Sum over the thresholds: what each adds to the mean region recall, times the width to its right up to the limit.

    While a threshold's tied negatives come in (from `left` to `right`), its gain grows linearly.
    """
    if not ranking.n_positive or not ranking.n_negative:
        return nan
    left = ranking.false_positives_above / ranking.n_negative
    right = ranking.false_positives / ranking.n_negative
    within = int(np.searchsorted(right, limit, side="right"))
    area = float((recall_gain[:within] * (limit - (left[:within] + right[:within]) / 2)).sum())
    if within < right.size and left[within] < limit:  # the one tie that the limit cuts
        area += float(recall_gain[within] * (limit - left[within]) ** 2 / (2 * (right[within] - left[within])))
    return area / limit
