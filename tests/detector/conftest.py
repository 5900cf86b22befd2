"""Detectors for the tests of this folder."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import oddlens
from oddlens.detector import Detector

Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def loaded(open_clip_folder: Path) -> Detector:
    """Without references or thresholds; not to be given any."""
    return oddlens.load("winclip", model=open_clip_folder, device="cpu")


@pytest.fixture
def detector(loaded: Detector) -> Detector:
    """A detector of the test's own, on the same towers."""
    return Detector(loaded.name, loaded.method)
