"""Stations that a detector was saved as: what lies in them, and whether two detectors are the same."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddlens.detector import Detector

Pictures = list[NDArray[np.uint8]]


def save(detector: Detector, folder: Path) -> Path:
    detector.save(folder)
    return folder


def told_of(station: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((station / "station.json").read_text())
    return told


def model_of(station: Path) -> Path:
    """The folder with the model's files."""
    (found,) = station.glob("files/*/model")
    return found


def references_of(station: Path) -> Path:
    return station / "files" / f"{told_of(station)['references']['file_sha256']}.safetensors"


def hold_the_same(one: Detector, other: Detector, pictures: Pictures) -> None:
    """Both detect the very same, to the last bit."""
    for ours, theirs in zip(one.detect(pictures, "nut"), other.detect(pictures, "nut"), strict=True):
        assert ours.to_dict() == theirs.to_dict()
        assert np.array_equal(ours.anomaly_map, theirs.anomaly_map)
        assert ours.value_range == theirs.value_range
        assert ours.thresholds == theirs.thresholds
