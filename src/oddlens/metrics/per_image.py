"""Pixel metrics as StreetHazards' authors report them: measured in every image alone, then averaged.

Source: the script of Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World Settings" (ICML 2022). The figures are
not those of `pixel_metrics`, which pools the pixels of all images.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum

import numpy as np
import numpy.typing as npt

from oddlens.errors import UsageError
from oddlens.metrics.inputs import labelled_maps
from oddlens.metrics.ranking import Ranking, rank

TPR = 0.95


@dataclass(frozen=True, slots=True)
class PerImagePixelMetrics:
    """Means over images, fractions in [0, 1].

    Attributes:
        auroc: As in `pixel_metrics`, of each image.
        ap: As in `pixel_metrics`, of each image.
        fpr95: Of each image by the script's rule: among the thresholds whose true positive rate is nearest to 95 %, the highest
            false positive rate; only where that rate is 100 %, the lowest.
        n_images: Images with anomalous and with other pixels; only these are measured.
        n_skipped: The other images.
    """

    auroc: float
    ap: float
    fpr95: float
    n_images: int
    n_skipped: int


def per_image_pixel_metrics(
    masks: Iterable[npt.ArrayLike], maps: Iterable[npt.ArrayLike], ignore: Iterable[npt.ArrayLike | None] | None = None
) -> PerImagePixelMetrics:
    """Measure anomaly maps against masks, image by image; input as for `pixel_metrics`, generators too.

    Raises:
        UsageError: As `pixel_metrics`; where no image has pixels of both kinds.

    Examples:
        >>> masks = [[[0, 1]], [[0, 1]], [[0, 0]]]
        >>> maps = [[[0.1, 0.9]], [[0.9, 0.1]], [[0.5, 0.5]]]
        >>> found = per_image_pixel_metrics(masks, maps)
        >>> found.auroc, found.n_images, found.n_skipped
        (0.5, 2, 1)
    """
    rankings, skipped = [], 0
    for image in labelled_maps(masks, maps, ignore):
        counted = image.counted
        labels = image.mask[counted]
        if labels.any() and not labels.all():
            rankings.append(rank(labels, image.scores[counted]))
        else:
            skipped += 1
    if not rankings:
        raise UsageError("no image has both anomalous and other pixels: there is nothing to measure image by image")
    n = len(rankings)
    return PerImagePixelMetrics(
        auroc=fsum(ranking.auroc() for ranking in rankings) / n,
        ap=fsum(ranking.average_precision() for ranking in rankings) / n,
        fpr95=fsum(_fpr_nearest(ranking) for ranking in rankings) / n,
        n_images=n,
        n_skipped=skipped,
    )


def _fpr_nearest(ranking: Ranking) -> float:
    recalls = ranking.true_positives / ranking.n_positive
    last = recalls.size - 1
    nearest = last - int(np.abs(recalls - TPR)[::-1].argmin())  # of two as near, the higher recall
    # Down to the next positive the recall stays the same; the script goes there, but stops where all positives are found.
    counts = ranking.false_positives if nearest == last else ranking.false_positives_above[1:]
    return float(counts[nearest] / ranking.n_negative)
