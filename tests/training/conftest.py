"""What the tests of the training loop share."""

from pathlib import Path

import pytest

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.load import load_backbone
from oddlens.data.named import open_sources
from oddlens.training.samples import SampleSet, gather_samples
from tests.training.learning import write_category


@pytest.fixture(scope="session")
def backbone(open_clip_folder: Path) -> Backbone:
    """The tiny CLIP, on the CPU."""
    return load_backbone(open_clip_folder, device="cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of two categories: 3 good and 4 bad lids, 2 good and 2 bad nuts."""
    write_category(tmp_path / "data" / "lid", 3, 4)
    write_category(tmp_path / "data" / "nut", 2, 2, seed=1, size=(30, 50))
    return tmp_path / "data"


@pytest.fixture
def sets(data: Path) -> tuple[SampleSet, ...]:
    """Its test split, to learn from."""
    return gather_samples(open_sources([data]), "test", "fake")
