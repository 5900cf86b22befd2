"""Sinks and predictors of other people, which fail: what is computed is not lost, and every sink that was opened is closed."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddlens.detection import Detection
from oddlens.errors import DiskError, Failure, OddlensError, UsageError
from oddlens.inference.records import Record
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import CsvSink, FolderSink, Sink
from oddlens.inference.task import RunInfo, Task
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Ten images."""
    return Task("bolt", tuple(write_pictures(tmp_path / "in", 10)))


class Taking(Sink):
    """Has the numbers of the images that it got, and says whether it is closed. fail: what raises RuntimeError, with the number."""

    def __init__(self, fail: str = "", at: int = 0, error: BaseException | None = None) -> None:
        self.numbers: list[int] = []
        self.closed = 0
        self._fail, self._at, self._error = fail, at, error or RuntimeError(f"{fail} fails")

    def check(self, run: RunInfo) -> None:
        """See `Sink`."""
        if self._fail == "check":
            raise self._error

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        if self._fail == "write" and number == self._at:
            raise self._error
        self.numbers.append(number)
        return record

    def close(self) -> None:
        """See `Sink`."""
        self.closed += 1
        if self._fail == "close":
            raise self._error


class TestSinks:
    @pytest.mark.parametrize("error", [RuntimeError("the pipe is closed"), OddlensError("full"), DiskError("full")])
    def test_one_that_fails_keeps_none_of_the_results_from_the_others(
        self, task: Task, tmp_path: Path, error: Exception
    ) -> None:
        failing, other = Taking("write", at=1, error=error), Taking()
        folder = ResultsFolder(tmp_path / "out")
        with pytest.raises(type(error), match=str(error)):
            list(run(StubPredictor(), Task("bolt", task.items[:4]), [failing, FolderSink(folder), other], batch_size=4))
        assert failing.numbers == [0]
        assert other.numbers == list(range(4))
        assert len(folder.done) == 4
        assert (failing.closed, other.closed) == (1, 1)

    def test_results_behind_one_that_cannot_be_drawn_are_written(self, task: Task) -> None:
        class Drawing(Taking):
            def draw(self, number: int, detection: Detection, pixels: Callable[[], Any]) -> Record:
                if number == 2:
                    raise DiskError("the disk is full")
                return {}

        sink = Drawing()
        with pytest.raises(DiskError, match="the disk is full, then go on with --resume"):
            list(run(StubPredictor(), Task("bolt", task.items[:4]), [sink], batch_size=4))
        assert sink.numbers == [0, 1, 3]

    def test_one_that_cannot_be_closed_keeps_no_other_one_open(self, task: Task, tmp_path: Path) -> None:
        failing, last = Taking("close"), Taking()
        with pytest.raises(RuntimeError, match="close fails"):
            list(run(StubPredictor(), task, [failing, FolderSink(ResultsFolder(tmp_path / "out")), last]))
        assert (failing.closed, last.closed) == (1, 1)
        ResultsFolder(tmp_path / "out", resume=True).begin({"run": {}})  # nothing holds the lock

    def test_what_ended_the_run_is_raised_and_not_what_closing_raises(self, task: Task) -> None:
        with pytest.raises(RuntimeError, match="write fails"):
            list(run(StubPredictor(), task, [Taking("close"), Taking("write")]))

    def test_only_those_whose_check_passed_are_closed(self, task: Task) -> None:
        first, failing, last = Taking(), Taking("check"), Taking()
        with pytest.raises(RuntimeError, match="check fails"):
            run(StubPredictor(), task, [first, failing, last])
        assert [each.closed for each in (first, failing, last)] == [1, 0, 0]

    def test_a_run_that_nobody_takes_a_result_of_closes_them(self, task: Task) -> None:
        sink = Taking()
        run(StubPredictor(), task, [sink]).close()
        assert sink.closed == 1
        outcomes = run(StubPredictor(), task, [sink])
        del outcomes
        gc.collect()
        assert sink.closed == 2

    def test_a_run_without_images_leaves_no_table(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert not list(
            run(StubPredictor(), Task("bolt", ()), [FolderSink(ResultsFolder(out)), CsvSink(out / "a.csv")])
        )
        assert not out.exists()

    def test_a_folder_that_cannot_be_written_is_noticed_before_an_image_is_scored(
        self, task: Task, tmp_path: Path
    ) -> None:
        (tmp_path / "out" / "results.jsonl").mkdir(parents=True)
        groups: list[int] = []
        with pytest.raises(OddlensError, match=r"results\.jsonl cannot be written"):
            list(run(StubPredictor(groups.append), task, [FolderSink(ResultsFolder(tmp_path / "out"))]))
        assert groups == []


@pytest.mark.parametrize("setting", ["batch_size", "threads"])
@pytest.mark.parametrize("value", [-1, 0, 2.5, True, "8"])
def test_counts_that_are_none_are_one_sentence(task: Task, setting: str, value: object) -> None:
    sink, options = Taking(), {setting: value}
    with pytest.raises(UsageError, match=rf"^{setting} cannot be .*: give a whole number above 0$"):
        run(StubPredictor(), task, [sink], **options)  # type: ignore[arg-type]
    assert sink.closed == 0


class Changed(StubPredictor):
    """The stub's outcomes, changed."""

    def __init__(self, change: Callable[[Iterator[Any]], Any]) -> None:
        super().__init__()
        self._change = change

    def detect_each(self, *arguments: Any, **options: Any) -> Any:
        """See `Predictor`."""
        return self._change(super().detect_each(*arguments, **options))


def _spoiled(outcomes: Iterator[Any]) -> Iterator[Any]:
    for number, each in enumerate(outcomes):
        if number == 1:
            yield replace(each, score=float("nan"))
        elif number == 2:
            yield replace(each, anomaly_map=np.full((4, 4), np.inf, np.float32))
        else:
            yield each


def _with_none(outcomes: Iterator[Any]) -> Iterator[Any]:
    yield from (None if number == 1 else each for number, each in enumerate(outcomes))


def _one_less(outcomes: Iterator[Any]) -> Iterator[Any]:
    yield from list(outcomes)[:-1]


def _one_more(outcomes: Iterator[Any]) -> Iterator[Any]:
    last = None
    for last in outcomes:
        yield last
    yield last


def _early(outcomes: Iterator[Any]) -> Iterator[Any]:
    yield next(outcomes)


class TestPredictors:
    def test_numbers_that_are_not_finite_are_failures_in_their_places(self, task: Task, tmp_path: Path) -> None:
        found = list(run(Changed(_spoiled), task, [FolderSink(ResultsFolder(tmp_path / "out"))]))
        assert [isinstance(each, Failure) for each in found] == [number in (1, 2) for number in range(10)]
        assert str(found[1]).startswith(f"{task.items[1]} has a score or a map that is not finite")

    @pytest.mark.parametrize(
        ("change", "said", "kept"),
        [
            (_with_none, r"None for .*1\.png", [0, 2, 3]),
            (_one_less, "fewer outcomes than there are images", list(range(9))),
            (_one_more, "more outcomes than it was given images", list(range(10))),
            (_early, "fewer outcomes than there are images", [0]),
            (lambda outcomes: None, "None", []),
        ],
    )
    def test_other_than_one_outcome_an_image_is_one_error_and_loses_nothing(
        self, task: Task, change: Callable[[Iterator[Any]], Any], said: str, kept: list[int]
    ) -> None:
        sink = Taking()
        with pytest.raises(
            RuntimeError, match=rf"^Changed\.detect_each gave {said}: it must give one Detection or Failure"
        ):
            list(run(Changed(change), task, [sink], batch_size=4))
        assert sink.numbers == kept
        assert sink.closed == 1

    def test_a_list_is_taken_as_well(self, task: Task) -> None:
        assert len(list(run(Changed(list), task, batch_size=4))) == 10
