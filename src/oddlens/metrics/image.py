"""The image metrics: one score and one label an image."""

from dataclasses import dataclass

import numpy.typing as npt

from oddlens.metrics.ranking import rank


@dataclass(frozen=True, slots=True)
class ImageMetrics:
    """Exact metrics over images, fractions in [0, 1]; nan is "not defined on this data".

    Attributes:
        auroc: Area under the ROC curve; nan without anomalous or without normal images.
        ap: Average precision; nan without anomalous images.
        f1_max: Best F1 over all thresholds; nan without anomalous images.
        f1_max_threshold: The highest threshold that reaches it (`score >= threshold`).
        n_positive: Anomalous images.
        n_negative: Normal images.
    """

    auroc: float
    ap: float
    f1_max: float
    f1_max_threshold: float
    n_positive: int
    n_negative: int


def image_metrics(labels: npt.ArrayLike, scores: npt.ArrayLike) -> ImageMetrics:
    """Measure image scores (float [n], higher = more anomalous, any range) against labels (bool or 0/1 [n]), exactly.

    Time O(n log n), memory O(n).

    Raises:
        UsageError: For empty input, unequal shapes, labels other than 0 and 1, NaN.

    Examples:
        >>> found = image_metrics([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> found.auroc, round(found.ap, 3), found.f1_max, found.f1_max_threshold
        (0.75, 0.833, 0.8, 0.35)
    """
    ranking = rank(labels, scores)
    f1 = ranking.f1_max()
    return ImageMetrics(
        auroc=ranking.auroc(),
        ap=ranking.average_precision(),
        f1_max=f1.value,
        f1_max_threshold=f1.threshold,
        n_positive=ranking.n_positive,
        n_negative=ranking.n_negative,
    )
