"""What good images say of those to come: thresholds, what they promise, and whether the images may stand for others. No torch."""

from oddlens.calibration.calibration import (
    REVIEW_RATE,
    Calibration,
    DetectionRate,
    Kind,
    Rates,
    calibrate_on,
    calibrate_on_observed,
    chosen,
    usual_rate,
)
from oddlens.calibration.drift import Alarm, DriftMonitor
from oddlens.calibration.exchangeability import Exchangeability, compare
from oddlens.calibration.observation import NOT_FINITE, Look, Observation, look_at, summary
from oddlens.calibration.scene import Scene
from oddlens.calibration.vetting import VettedImage, Vetting, vet

__all__ = [
    "NOT_FINITE",
    "REVIEW_RATE",
    "Alarm",
    "Calibration",
    "DetectionRate",
    "DriftMonitor",
    "Exchangeability",
    "Kind",
    "Look",
    "Observation",
    "Rates",
    "Scene",
    "VettedImage",
    "Vetting",
    "calibrate_on",
    "calibrate_on_observed",
    "chosen",
    "compare",
    "look_at",
    "summary",
    "usual_rate",
    "vet",
]
