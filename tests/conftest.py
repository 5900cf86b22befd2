"""What all tests stand on: no network, a cache of their own, and tiny random CLIPs on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

import oddlens  # noqa: F401 before a test imports torch, so that its threads wait as they do for users

pytest_plugins = ["tests.torch_free"]

if TYPE_CHECKING:
    from tests.hub_server import HubServer
    from tests.tiny_clip import Weights

# No test fails for being slow: machines differ, and may be busy. `--hypothesis-profile` names another one of these: "ci" draws the
# same examples in every run, so that a change fails by what it changes; "again" draws few, where the same tests have run before.
settings.register_profile("oddlens", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("oddlens"), derandomize=True)
settings.register_profile("again", settings.get_profile("ci"), max_examples=10)
settings.load_profile("oddlens")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the hub's client off the network and away from the user's own models; it reads this once, on import."""
    folder = tempfile.TemporaryDirectory(prefix="oddlens-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HOME"] = folder.name


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for this run, so that nothing found on the machine can make a test pass."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ODDLENS_CACHE", str(folder))
        yield folder


@pytest.fixture
def monkeypatch(tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """As pytest's own, but undone before the test's folder is removed: with parts of `os` replaced it could not be."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """An empty folder, for a test that needs closed doors: the administrator, whom none stops, becomes nobody while it runs."""
    with tempfile.TemporaryDirectory(prefix="oddlens-tests-") as name:
        folder = Path(name)
        administrator = os.geteuid() == 0
        if administrator:
            folder.chmod(0o777)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if administrator:
                os.seteuid(0)
            for path in folder.rglob("*"):
                if path.is_dir():
                    path.chmod(0o700)


@pytest.fixture
def hub_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub on loopback that the hub's own client takes for the real one, and an empty cache."""
    from tests.hub_server import serving

    with serving(tmp_path / "served") as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # its storage is not on loopback
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
        monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)  # between the client's tries
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared fixtures beside the checkout."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("../shared, with the parity fixtures, is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def parity(shared: Path) -> Path:
    """Numbers that the authors' own programs gave on two tiny CLIPs, and these CLIPs."""
    folder = shared / "parity"
    if not folder.is_dir():
        pytest.skip("../shared holds no parity fixtures")
    return folder


@pytest.fixture(scope="session")
def weights() -> Weights:
    """The weights of the tiny CLIP that lies on disk in several layouts."""
    from tests.tiny_clip import random_weights

    return random_weights(seed=0)


@pytest.fixture(scope="session")
def open_clip_folder(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> Path:
    """The tiny CLIP in open_clip's layout: exact GELU, 40 px, a 5x5 grid. Not to be written to.

    In float16, which holds it whole: hundreds of stations are made with it, and each has it hashed and copied.
    """
    from tests.tiny_clip import write_open_clip

    half = {name: value.half() for name, value in weights.items()}
    return write_open_clip(tmp_path_factory.mktemp("models") / "open-clip", half)


@pytest.fixture(scope="session")
def transformers_folder(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> Path:
    """The same tiny CLIP in transformers' layout with QuickGELU. Not to be written to."""
    from tests.tiny_clip import write_transformers

    return write_transformers(tmp_path_factory.mktemp("models") / "transformers", weights)


@pytest.fixture(scope="session")
def embedded_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of our own layout, 64 px, a 4x4 grid. Not to be written to."""
    from tests.tiny_clip import write_embedded

    return write_embedded(tmp_path_factory.mktemp("models") / "own")


@pytest.fixture(scope="session")
def pictures() -> list[NDArray[np.uint8]]:
    """Eight pictures of noise in four sizes, uint8 [height, width, 3]."""
    generator = np.random.default_rng(7)
    sizes = [(40, 40), (60, 50), (31, 80), (90, 45)] * 2
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in sizes]
