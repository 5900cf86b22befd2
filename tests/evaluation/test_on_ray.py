"""A benchmark on workers of Ray has the cells of one in this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import oddlens
from oddlens.errors import DataError
from oddlens.evaluation import Benchmark, CellResult, Key, RulePicks
from oddlens.evaluation.chunks import CHUNKS, Chunks
from oddlens.evaluation.evaluate import CategoryScorer
from oddlens.evaluation.kept_chunks import folder_of
from oddlens.evaluation.on_ray import RayEvaluation, _joined, divided
from oddlens.evaluation.plan import Job
from oddlens.inference.workers import Workers
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


def test_a_category_is_divided_among_workers_and_joined_without_loss(
    evaluation: RayEvaluation, open_clip_folder: Path, tmp_path: Path
) -> None:
    plan = make_plan(write_set(tmp_path / "parts", ("bolt",), normal=13, abnormal=4), open_clip_folder, maps=True)
    chunks = Chunks(images=8)
    here = run_whole(plan, tmp_path / "here", chunks)
    there = Benchmark(plan, tmp_path / "there")
    there.open()
    counted: list[int] = []
    assert [job.category for job in there.run(counted.append, chunks, evaluation)] == ["bolt"]
    assert counted == [8, 8, 1]
    assert without_seconds(there.cells) == without_seconds(here.cells)
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_a_divided_category_that_is_stopped_goes_on_behind_the_chunks_that_are_done(
    evaluation: RayEvaluation, open_clip_folder: Path, tmp_path: Path
) -> None:
    root = write_set(tmp_path / "parts", ("bolt",), normal=13, abnormal=4)
    plan = make_plan(root, open_clip_folder)
    chunks = Chunks(images=8)
    here = run_whole(plan, tmp_path / "here", chunks)
    again = Benchmark(plan, tmp_path / "there")
    again.open()
    (job,) = again._jobs
    folder = folder_of(tmp_path / "there", [job], chunks)
    CategoryScorer([job], plan, tmp_path / "there", chunks).score(range(8), folder=folder)  # as a stopped run leaves it
    images = {record.image: record.image.read_bytes() for record in job.records[:8]}
    for image in images:
        image.write_bytes(b"")  # it would be skipped if one of them ran again

    def mend(_: int) -> None:
        for image, data in images.items():
            image.write_bytes(data)  # the report draws on some

    list(again.run(mend, chunks, evaluation))
    assert again.skipped == []
    assert without_seconds(again.cells) == without_seconds(here.cells)
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_of_a_divided_category_the_first_part_that_failed_is_said(tmp_path: Path) -> None:
    first, second = (DataError(f"{name}.png cannot be read") for name in ("a", "b"))
    assert _joined([], [[], first, second], tmp_path, CHUNKS) is first


def files(out: Path) -> dict[str, int]:
    """Files under OUT and their sizes; cells hold seconds."""
    found = (path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): 0 if path.suffix == ".json" else path.stat().st_size for path in found}


class TestDivided:
    @pytest.fixture
    def jobs(self, open_clip_folder: Path, tmp_path: Path) -> list[Job]:
        """Of a category with 100 test images."""
        root = write_set(tmp_path / "parts", ("bolt",), train=1, normal=97, abnormal=3)
        benchmark = Benchmark(make_plan(root, open_clip_folder, shots=(0,)), tmp_path / "out")
        benchmark.open()
        return benchmark._jobs

    def test_where_there_are_as_many_categories_as_workers_each_is_one_part(self, jobs: list[Job]) -> None:
        assert divided(jobs, 4, 4, CHUNKS) == [None]
        assert divided(jobs, 15, 8, CHUNKS) == [None]

    def test_parts_are_chunks_of_the_whole(self, jobs: list[Job]) -> None:
        assert divided(jobs, 1, 8, CHUNKS) == [range(32), range(32, 64), range(64, 96), range(96, 100)]
        assert divided(jobs, 3, 4, CHUNKS) == [range(64), range(64, 100)]
        assert divided(jobs, 1, 1, CHUNKS) == [None]

    def test_images_that_need_each_other_stay_together(self, jobs: list[Job], open_clip_folder: Path) -> None:
        kept = oddlens.load("anovl", open_clip_folder, adapt=True, optimiser="kept")
        (job,) = jobs
        assert divided([replace(job, detector=kept)], 1, 8, CHUNKS) == [None]
