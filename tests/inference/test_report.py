"""The report of a run: what it shows, that it follows the results, and that it is whole or not there."""

import json
from pathlib import Path

import pytest

from oddlens.errors import UsageError
from oddlens.inference.report import ReportSink, write_report
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink
from oddlens.inference.task import Task
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Four images, of which the third is empty."""
    paths = write_pictures(tmp_path / "in", 4)
    paths[2].write_bytes(b"")
    return Task("bolt", tuple(paths))


def go(task: Task, out: Path, resume: bool = False) -> str:
    list(run(StubPredictor(), task, [FolderSink(ResultsFolder(out, resume=resume)), ReportSink(out)]))
    return (out / "report.html").read_text()


def test_a_run_ends_with_a_report(task: Task, tmp_path: Path) -> None:
    page = go(task, tmp_path / "out")
    assert "4 images" in page
    assert "1 failed" in page
    for name in ("0.png", "1.png", "3.png"):
        assert name in page


def test_it_follows_the_results_of_a_run_that_goes_on(task: Task, tmp_path: Path) -> None:
    first = go(Task("bolt", task.items[:1]), tmp_path / "out")
    assert "1 images" in first
    assert "4 images" in go(task, tmp_path / "out", resume=True)


def test_what_is_said_of_the_run_stays_in_its_folder(task: Task, tmp_path: Path) -> None:
    go(task, tmp_path / "out")
    settings = json.loads((tmp_path / "out" / "run.json").read_text())
    write_report(tmp_path / "out", {"promise": ["at most 5 %"], "drift": ["the scene <changed>"]})
    write_report(tmp_path / "out", {"drift": []})
    page = write_report(tmp_path / "out").read_text()
    assert "at most 5 %" in page
    assert "changed" not in page
    assert json.loads((tmp_path / "out" / "run.json").read_text()) == settings | {"said": {"promise": ["at most 5 %"]}}


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no results: give the folder of a run"):
        write_report(tmp_path)
