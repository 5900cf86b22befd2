"""A station of plain values, for which no model runs, and one that a detector was saved as."""

from pathlib import Path

import numpy as np
import pytest

import oddlens
from oddlens.calibration import Accepted, Readiness, Scene
from oddlens.detection import Thresholds
from oddlens.detector import Detector
from oddlens.provenance import Identity, ModelIdentity
from oddlens.station import SavedReferences, StationState
from tests.station.saved import Pictures, save


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "clip"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes(name.encode() * 100)
    return folder


@pytest.fixture
def state(model: Path, tmp_path: Path) -> StationState:
    """A station with a model, a learned part, references and a section with arrays."""
    weights = tmp_path / "layers.pth"
    weights.write_bytes(b"learned")
    features = {"image": np.arange(6, dtype=np.float32).reshape(2, 3)}
    return StationState(
        identity=Identity(
            method="winclip",
            recipe={},
            model=ModelIdentity(name="clip", sha256="0", fingerprint="1"),
        ),
        model=model,
        model_files=tuple(sorted(model.iterdir())),
        weights=weights,
        thresholds=Thresholds(0.5),
        references=SavedReferences(features=features, sources=("a", "b"), sizes=((4, 4), (4, 4)), notes=(None, None)),
        object_name="nut",
        image_size=(4, 4),
        scene=Scene(np.ones((2, 5), np.float32), np.zeros((0, 5), np.float32)),
        state=Readiness("learning"),
        accepted=Accepted({"a": "differs most"}),
    )


@pytest.fixture
def detector(open_clip_folder: Path, pictures: Pictures) -> Detector:
    detector = oddlens.load("winclip", model=open_clip_folder, device="cpu", temperature=0.1, window_sizes=[2])
    return detector.add_references(pictures[:3])


@pytest.fixture
def station(detector: Detector, tmp_path: Path) -> Path:
    return save(detector, tmp_path / "station")
