"""What the tests of the benchmark share: one small data set and one finished run on it, neither to be written to."""

from pathlib import Path

import pytest

from oddlens.benchmark import Benchmark

from .tiny_set import make_plan, run_whole, write_set


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two categories, each of 3 good examples, 3 normal and 3 abnormal test pictures."""
    return write_set(tmp_path_factory.mktemp("data") / "parts")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, small_set: Path, open_clip_folder: Path) -> Benchmark:
    """Zero-shot, and two shots with two seeds."""
    return run_whole(make_plan(small_set, open_clip_folder), tmp_path_factory.mktemp("runs") / "out")
