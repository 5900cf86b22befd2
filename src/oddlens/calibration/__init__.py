"""What good images say of those to come: thresholds, what they promise, and whether the images may stand for others. No torch."""

from oddlens.calibration.calibrate import calibrate_on, calibrate_on_observed
from oddlens.calibration.calibration import Calibration, DetectionRate, chosen, given_beside
from oddlens.calibration.drift import Alarm, DriftMonitor
from oddlens.calibration.exchangeability import LEAST_KNOWN, Exchangeability, compare, compare_observed
from oddlens.calibration.observation import (
    NOT_FINITE,
    Kind,
    Look,
    Observation,
    Observations,
    look_at,
    named,
    short_names,
    summary,
)
from oddlens.calibration.rates import REVIEW_RATE, Rates, is_given, percent_up, usual_rate
from oddlens.calibration.readiness import Accepted, Readiness, in_words
from oddlens.calibration.scene import Scene
from oddlens.calibration.vetting import VettedImage, Vetting, vet

__all__ = [
    "LEAST_KNOWN",
    "NOT_FINITE",
    "REVIEW_RATE",
    "Accepted",
    "Alarm",
    "Calibration",
    "DetectionRate",
    "DriftMonitor",
    "Exchangeability",
    "Kind",
    "Look",
    "Observation",
    "Observations",
    "Rates",
    "Readiness",
    "Scene",
    "VettedImage",
    "Vetting",
    "calibrate_on",
    "calibrate_on_observed",
    "chosen",
    "compare",
    "compare_observed",
    "given_beside",
    "in_words",
    "is_given",
    "look_at",
    "named",
    "percent_up",
    "short_names",
    "summary",
    "usual_rate",
    "vet",
]
