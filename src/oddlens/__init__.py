"""oddlens finds what is wrong in an image with vision-language models.

    detector = oddlens.load("winclip")
    detector.add_references("good/")
    for detection in detector.detect("line-3/*.png", object_name="bracket"):
        print(detection.source, detection.score, detection.verdict)

Importing the package imports neither torch nor numpy; what needs them comes in on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from oddlens.backbone.threads import share_processors as _share_processors
from oddlens.telemetry import refuse_telemetry as _refuse_telemetry

if TYPE_CHECKING:
    from oddlens.calibration import Calibration
    from oddlens.detection import Detection, Marking, Region, RegionOfInterest
    from oddlens.detector import Detector
    from oddlens.errors import Failure, OddlensError, OddlensWarning
    from oddlens.loading import load, open_station

__version__ = "0.2.0"

_HOMES = {
    "Calibration": "oddlens.calibration",
    "Detection": "oddlens.detection",
    "Detector": "oddlens.detector",
    "Failure": "oddlens.errors",
    "OddlensError": "oddlens.errors",
    "OddlensWarning": "oddlens.errors",
    "Marking": "oddlens.detection",
    "Region": "oddlens.detection",
    "RegionOfInterest": "oddlens.detection",
    "load": "oddlens.loading",
    "open_station": "oddlens.loading",
}
_ROOMS = ("backbone", "data", "errors", "metrics", "training")

_share_processors()  # before torch comes in
_refuse_telemetry()  # before onnxruntime does

__all__ = [
    "Calibration",
    "Detection",
    "Detector",
    "Failure",
    "Marking",
    "OddlensError",
    "OddlensWarning",
    "Region",
    "RegionOfInterest",
    "load",
    "open_station",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES and name not in _ROOMS:
        raise AttributeError(f"module 'oddlens' has no attribute {name!r}")
    from oddlens.errors import needs_torch

    with needs_torch(f"oddlens.{name}"):
        return getattr(import_module(_HOMES[name]), name) if name in _HOMES else import_module(f"oddlens.{name}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_ROOMS])
