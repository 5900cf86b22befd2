"""What tests of the hub cache share."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest


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


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubCache:
    """A hub cache of this test's own, empty."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return HubCache(tmp_path / "hub")
