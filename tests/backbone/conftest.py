"""What tests of the hub cache share."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tiny_clip import Weights


@dataclass(frozen=True)
class HubCache:
    """A local cache of the Hugging Face hub."""

    folder: Path

    def put(self, hub_id: str, content: Path) -> None:
        """As the hub's client lays a repository down: files under the commit that `main` points to."""
        repository = self.folder / f"models--{hub_id.replace('/', '--')}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("0" * 40)
        shutil.copytree(content, repository / "snapshots" / ("0" * 40))


@pytest.fixture(scope="session")
def transformers_shards(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> Path:
    """The tiny CLIP in transformers' layout, its weights in two shards. Not to be written to."""
    from tests.tiny_clip import write_transformers

    return write_transformers(tmp_path_factory.mktemp("shards"), weights, form="sharded")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubCache:
    """A hub cache of this test's own, empty."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return HubCache(tmp_path / "hub")
