"""What the tests of the benchmark share: one small data set and one finished run on it, neither to be written to."""

from pathlib import Path

import pytest

import oddlens
from oddlens.evaluation import Benchmark
from tests.evaluation.scenes import plan_of, street, write_roads
from tests.evaluation.tiny_set import make_plan, run_whole, write_set


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two categories, each of 3 good examples, 3 normal and 3 abnormal test images."""
    return write_set(tmp_path_factory.mktemp("data") / "parts")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, small_set: Path, open_clip_folder: Path) -> Benchmark:
    """Zero-shot, and two shots with two seeds."""
    return run_whole(make_plan(small_set, open_clip_folder), tmp_path_factory.mktemp("runs") / "out")


@pytest.fixture(scope="session")
def roads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few frames of every road layout, by its name."""
    return {folder.name: folder for folder in write_roads(tmp_path_factory.mktemp("roads"))}


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory, roads: dict[str, Path], open_clip_folder: Path) -> Benchmark:
    """A method that tells classes and one that does not, zero-shot, on frames of every road layout."""
    detectors = oddlens.load("winclip", open_clip_folder), street(open_clip_folder)
    return run_whole(plan_of([*roads.values()], *detectors), tmp_path_factory.mktemp("runs") / "scenes")
