"""Exact metrics of anomaly detection: pure functions, and thin accumulators that merge without loss.

Labels and masks are bool or 0/1 with 1 = anomalous; scores are any real numbers, higher = more anomalous, never
re-interpreted (no sigmoid, no rescaling). Metrics are fractions in [0, 1]; nan where the data does not define them
(stated at each); input that cannot be measured (empty, NaN, unequal shapes) raises `oddlens.errors.UsageError`.
"""

from oddlens.metrics.accumulate import ImageAccumulator, PixelAccumulator
from oddlens.metrics.components import (
    COMPONENT_LEVELS,
    COMPONENT_SIZES,
    ComponentAccumulator,
    ComponentMetrics,
    ComponentSizes,
    component_metrics,
)
from oddlens.metrics.counting import ScoreCounts
from oddlens.metrics.curves import (
    PrecisionRecallCurve,
    RocCurve,
    precision_recall_curve,
    precision_recall_points,
    roc_curve,
    roc_points,
)
from oddlens.metrics.image import ImageMetrics, image_metrics
from oddlens.metrics.legacy import pixel_aupro_legacy
from oddlens.metrics.per_image import PerImagePixelMetrics, per_image_pixel_metrics
from oddlens.metrics.pixel import PixelMetrics, aupro, pixel_metrics, pixel_metrics_from, rank_pixels
from oddlens.metrics.positives import PositiveScores
from oddlens.metrics.ranking import F1Max, Ranking, auroc, average_precision, f1_max, fpr_at_tpr, rank
from oddlens.metrics.segmentation import SegmentationAccumulator, SegmentationMetrics, segmentation_metrics
from oddlens.metrics.significance import DeLongTest, Interval, bootstrap_interval, delong_test

__all__ = [
    "COMPONENT_LEVELS",
    "COMPONENT_SIZES",
    "ComponentAccumulator",
    "ComponentMetrics",
    "ComponentSizes",
    "DeLongTest",
    "F1Max",
    "ImageAccumulator",
    "ImageMetrics",
    "Interval",
    "PerImagePixelMetrics",
    "PixelAccumulator",
    "PixelMetrics",
    "PositiveScores",
    "PrecisionRecallCurve",
    "Ranking",
    "RocCurve",
    "ScoreCounts",
    "SegmentationAccumulator",
    "SegmentationMetrics",
    "aupro",
    "auroc",
    "average_precision",
    "bootstrap_interval",
    "component_metrics",
    "delong_test",
    "f1_max",
    "fpr_at_tpr",
    "image_metrics",
    "per_image_pixel_metrics",
    "pixel_aupro_legacy",
    "pixel_metrics",
    "pixel_metrics_from",
    "precision_recall_curve",
    "precision_recall_points",
    "rank",
    "rank_pixels",
    "roc_curve",
    "roc_points",
    "segmentation_metrics",
]
