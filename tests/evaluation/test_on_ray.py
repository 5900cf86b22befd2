"""A benchmark on workers of Ray has the cells of one in this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from oddlens.evaluation import Benchmark, CellResult, Key, RulePicks
from oddlens.evaluation.on_ray import RayEvaluation
from oddlens.inference.ray import Workers
from tests.evaluation.tiny_set import make_plan, run_whole, write_set

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

THREADS = torch.get_num_threads()


@pytest.fixture(scope="module")
def evaluation() -> Iterator[RayEvaluation]:
    """On two workers."""
    ray.init("local", num_cpus=2 * THREADS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield RayEvaluation(Workers(count=2, threads=THREADS))
    ray.shutdown()


def without_seconds(cells: dict[Key, CellResult]) -> list[tuple[Key, dict[str, object]]]:
    return [(key, vars(cell) | {"seconds": None}) for key, cell in cells.items()]


class KillsOnce(RulePicks):
    """Picks that, unpickled for the first time, kill the process that they come to."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__dict__.update(state)
        if not self._mark.exists():
            self._mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)


def test_cells_are_the_same_where_a_worker_is_killed_and_a_category_cannot_be_read(
    evaluation: RayEvaluation, open_clip_folder: Path, tmp_path: Path
) -> None:
    root = write_set(tmp_path / "parts", ("bolt", "metal_nut", "washer"))
    (root / "metal_nut" / "test" / "good" / "001.png").write_bytes(b"")
    plan = make_plan(root, open_clip_folder)
    here = run_whole(plan, tmp_path / "here")
    there = Benchmark(make_plan(root, open_clip_folder, picks=KillsOnce(tmp_path / "killed")), tmp_path / "there")
    there.open()
    counted: list[int] = []
    assert [job.category for job in there.run(counted.append, evaluation=evaluation)] == ["bolt", "washer"]
    assert int((tmp_path / "killed").read_text()) != os.getpid()
    assert without_seconds(there.cells) == without_seconds(here.cells)
    assert there.skipped == here.skipped != []
    assert sum(counted) == 3 * 6
    again = Benchmark(plan, tmp_path / "there")
    again.open()
    assert again.pending == 6  # of the category that cannot be read
