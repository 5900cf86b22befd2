"""What good images say of those to come: thresholds, what they promise, and whether the images may stand for others. No torch."""

from oddlens.calibration.calibration import (
    NOT_FINITE,
    REVIEW_RATE,
    Calibration,
    DetectionRate,
    Kind,
    Rates,
    calibrate_on,
    chosen,
    usual_rate,
)

__all__ = [
    "NOT_FINITE",
    "REVIEW_RATE",
    "Calibration",
    "DetectionRate",
    "Kind",
    "Rates",
    "calibrate_on",
    "chosen",
    "usual_rate",
]
