"""When two detections are the same."""

import numpy as np

from oddlens.detection import Detection


def same(one: Detection, other: Detection, tolerance: float = 0.0) -> bool:
    return (
        abs(one.score - other.score) <= tolerance
        and bool(np.abs(one.anomaly_map - other.anomaly_map).max() <= tolerance)
        and (one.image_size, one.thresholds, one.value_range) == (other.image_size, other.thresholds, other.value_range)
    )
