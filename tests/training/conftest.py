"""What the tests of the training loop share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oddlens.data.named import open_sources

if TYPE_CHECKING:
    from oddlens.backbone.backbone import Backbone
    from oddlens.training.samples import SampleSet


@pytest.fixture(scope="session")
def backbone(open_clip_folder: Path) -> Backbone:
    """The tiny CLIP, on the CPU."""
    from oddlens.backbone.load import load_backbone

    return load_backbone(open_clip_folder, device="cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of two categories: 3 good and 4 bad lids, 2 good and 2 bad nuts."""
    from tests.training.learning import write_category

    write_category(tmp_path / "data" / "lid", 3, 4)
    write_category(tmp_path / "data" / "nut", 2, 2, seed=1, size=(30, 50))
    return tmp_path / "data"


@pytest.fixture
def sets(data: Path) -> tuple[SampleSet, ...]:
    """Its test split, to learn from."""
    from oddlens.training.samples import gather_samples

    return gather_samples(open_sources([data]), "test", "fake")
