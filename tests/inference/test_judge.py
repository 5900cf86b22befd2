"""New verdicts over kept results, where a program is stopped. `tests/cli/test_judge.py` holds the lines against a fresh run."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from oddlens.detection import Thresholds, ValueRange
from oddlens.errors import UsageError
from oddlens.inference.judge import judge
from oddlens.inference.judgement import Basis, Judgement
from oddlens.inference.records import Record
from oddlens.inference.report import ReportSink
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import CsvSink, FolderSink
from oddlens.inference.task import Task
from oddlens.io.lock import FolderLock
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures
from tests.station.killing import killed_everywhere

BASIS = Basis(calibration=None, fixed_range=ValueRange(0, 1, "fixed range 0 to 1")).to_dict()
OTHER = Judgement(given=Thresholds(0.3, 0.4, "given"), calibration=None, marking=None, by="a test")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The results of three images, of which one failed."""
    paths = write_pictures(tmp_path / "in", 3)
    paths[1].write_bytes(b"")
    folder = ResultsFolder(tmp_path / "out")
    sinks = [
        FolderSink(folder, basis=lambda: BASIS),
        CsvSink(tmp_path / "out" / "results.csv"),
        ReportSink(tmp_path / "out"),
    ]
    list(run(StubPredictor(), Task("bolt", tuple(paths)), sinks))
    return tmp_path / "out"


def content(folder: Path) -> Mapping[str, bytes]:
    """All files but the report, whose pictures of the run are told apart by time."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("report.html", ".oddlens.lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def lines_of(folder: Path) -> list[Record]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_a_judge_that_is_killed_leaves_old_or_new_lines_and_the_same_call_ends_it(out: Path, tmp_path: Path) -> None:
    judged = shutil.copytree(out, tmp_path / "judged")
    judge(judged, OTHER)
    old, new = lines_of(out), lines_of(judged)
    assert old != new

    def start() -> Path:
        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        return shutil.copytree(out, tmp_path / "killed")

    seen = []
    for folder in killed_everywhere(start, lambda folder: judge(folder, OTHER)):
        seen.append(lines_of(folder) == new)
        assert seen[-1] or lines_of(folder) == old
        is_half = ResultsFolder(folder, resume=True).is_half_judged
        assert is_half or content(folder).keys() >= content(out).keys()
        judge(folder, OTHER)
        assert content(folder) == content(judged)
    assert seen == sorted(seen)  # from one moment on the new ones
    assert len(seen) > 10
    assert set(seen) == {False, True}


def test_what_is_half_judged_is_not_gone_on_with(out: Path) -> None:
    document = json.loads((out / "run.json").read_text())
    document["judged"] = {"by": "a test", "is_done": False}
    (out / "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match="'oddlens judge' was stopped in giving new verdicts: call it again"):
        ResultsFolder(out, resume=True).check({"run": document["run"]})
    assert ResultsFolder(out, resume=True).needs_judging({"run": document["run"]})
    judge(out, Judgement(given=Thresholds(0.5, 0.7, "given"), calibration=None, marking=None, by="a test"))
    settings = json.loads((out / "run.json").read_text())
    assert not ResultsFolder(out, resume=True).needs_judging(settings)
    ResultsFolder(out, resume=True).check(settings)


def test_what_is_drawn_already_is_not_drawn_again(out: Path) -> None:
    judge(out, OTHER)
    document = json.loads((out / "run.json").read_text())
    document["judged"]["is_done"] = False
    (out / "run.json").write_text(json.dumps(document))
    whole = content(out)
    drawn = sorted((out / "overlays").iterdir())
    drawn[0].unlink()
    changed = {path: path.stat().st_mtime_ns for path in (*drawn[1:], *(out / "masks").iterdir())}
    judge(out, OTHER)
    of_others = {path: time for path, time in changed.items() if path.stem != drawn[0].stem}
    assert of_others
    assert {path: path.stat().st_mtime_ns for path in of_others} == of_others
    assert content(out).keys() == whole.keys()
    assert drawn[0].exists()


def test_nobody_else_may_be_writing(out: Path) -> None:
    lock = FolderLock(out)
    lock.acquire()
    try:
        with pytest.raises(UsageError, match="another run is writing"):
            judge(out, OTHER)
    finally:
        lock.release()


def test_progress_and_what_changed_are_told(out: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    judged = judge(out, OTHER, advance=lambda *step: steps.append(step))
    assert [step for step in steps if step[0] == "verdicts"] == [("verdicts", done, 3) for done in (1, 2, 3)]
    assert [step for step in steps if step[0] == "drawings"] == [("drawings", done, 2) for done in (1, 2)]
    scores = [line["score"] for line in judged.records if "score" in line]
    assert judged.changed == sum(0.3 < score <= 0.5 for score in scores)
