"""Where results go, and what a run does with several sinks. No model is needed: the predictor is a stub."""

import csv
import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oddlens.detection import Detection, Thresholds
from oddlens.errors import DiskError, Failure, OddlensError, UsageError
from oddlens.inference.records import Record
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import COLUMNS, CsvSink, FolderSink, JsonLinesSink, Sink
from oddlens.inference.task import RunInfo, Task
from oddlens.inference.times import Times
from oddlens.io.pixels import Pixels
from tests.inference.stub import StubPredictor
from tests.noise import write_pictures


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Twenty images, of which the third is empty."""
    paths = write_pictures(tmp_path / "in", 20)
    paths[2].write_bytes(b"")
    return Task("bolt", tuple(paths))


def lines_of(out: Path) -> list[Record]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Watching(Sink):
    """Notes down what it is called with. slow: numbers of images whose drawing takes a while; broken: raises that in drawing."""

    needs_image = True

    def __init__(self, slow: tuple[int, ...] = (), broken: dict[int, Exception] | None = None) -> None:
        self.calls: list[str] = []
        self.drawn: list[int] = []
        self.written: list[Record] = []
        self.threads: set[str] = set()
        self._slow, self._broken = slow, broken or {}

    def check(self, run: RunInfo) -> None:
        self.calls.append("check")

    def begin(self) -> None:
        self.calls.append("begin")

    def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
        if number in self._slow:
            time.sleep(0.05)
        if number in self._broken:
            raise self._broken[number]
        assert pixels().shape[:2] == detection.image_size[::-1]
        self.threads.add(threading.current_thread().name)
        self.drawn.append(number)
        return {"mine": number}

    def write(self, number: int, record: Record) -> Record:
        assert number == len(self.written)
        self.written.append(record)
        return record | {"seen": True}

    def finish(self) -> None:
        self.calls.append("finish")

    def close(self) -> None:
        self.calls.append("close")


class TestRun:
    def test_a_sink_gets_everything_in_its_turn(self, task: Task) -> None:
        first, second = Watching(), Watching()
        outcomes = list(run(StubPredictor(), task, [first, second]))
        assert [isinstance(outcome, Failure) for outcome in outcomes] == [number == 2 for number in range(20)]
        assert first.calls == ["check", "begin", "finish", "close"]
        assert sorted(first.drawn) == [number for number in range(20) if number != 2]
        assert all("seen" in record for record in second.written)
        assert [record.get("mine") for record in first.written] == [None if n == 2 else n for n in range(20)]

    def test_results_come_in_order_however_long_their_drawing_takes(self, task: Task) -> None:
        sink = Watching(slow=(0, 5, 9))
        outcomes = list(run(StubPredictor(), task, [sink], threads=4))
        assert [str(path) for path in task.items] == [outcome.source for outcome in outcomes]
        assert [record["path"] for record in sink.written] == [str(path) for path in task.items]

    def test_drawings_are_made_in_other_threads_and_none_is_left(self, task: Task) -> None:
        sink, before = Watching(), set(threading.enumerate())
        outcomes = run(StubPredictor(), task, [sink])
        next(outcomes)
        outcomes.close()
        assert sink.threads
        assert all(name.startswith("oddlens-draw") for name in sink.threads)
        assert not [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("oddlens-")]
        assert sink.calls == ["check", "begin", "close"]

    def test_the_model_goes_on_while_drawings_are_made(self, task: Task) -> None:
        """The second group is at work before the last image of the first one is drawn: else neither would end."""
        second_group = threading.Event()

        class Waiting(Watching):
            def draw(self, number: int, detection: Detection, pixels: Callable[[], Pixels]) -> Record:
                assert number != 3 or second_group.wait(10)
                return {}

        def begun(group: int) -> None:
            if group == 1:
                second_group.set()

        list(run(StubPredictor(begun), Task("bolt", task.items[:16]), [Waiting()], batch_size=4, threads=1))
        assert second_group.is_set()

    def test_the_first_result_does_not_wait_for_the_second_group(self, task: Task) -> None:
        groups: list[int] = []
        outcomes = run(StubPredictor(groups.append), task, [Watching(slow=(0,))])
        next(outcomes)
        assert groups == [0]
        outcomes.close()

    def test_an_image_that_a_sink_cannot_draw_fails_alone(self, task: Task) -> None:
        sink = Watching(broken={1: OddlensError("this one cannot be drawn")})
        outcomes = list(run(StubPredictor(), task, [sink]))
        assert outcomes[1] == Failure(str(task.items[1]), "this one cannot be drawn")
        assert [isinstance(outcome, Failure) for outcome in outcomes].count(True) == 2

    @pytest.mark.parametrize("error", [DiskError("the disk is full"), RuntimeError("a fault of ours")])
    def test_what_ends_a_run_ends_it_in_its_turn_with_what_came_before_written(
        self, task: Task, error: Exception
    ) -> None:
        sink = Watching(broken={5: error})
        with pytest.raises(type(error), match=str(error)):
            list(run(StubPredictor(), task, [sink], threads=3))
        assert len(sink.written) == 5
        assert sink.calls == ["check", "begin", "close"]

    def test_a_sink_that_refuses_is_asked_before_anything_runs(self, task: Task) -> None:
        class Refusing(Sink):
            def check(self, run: RunInfo) -> None:
                raise UsageError("not this one")

        first = Watching()
        with pytest.raises(UsageError, match="not this one"):
            run(StubPredictor(lambda _: pytest.fail("it ran")), task, [first, Refusing()])
        assert first.calls == ["check", "close"]

    def test_the_settings_are_computed_once_and_only_where_they_are_wanted(
        self, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        identity = StubPredictor().identity

        class Counting(StubPredictor):
            def __init__(self) -> None:
                pass

            thresholds, object_name, max_megapixels = StubPredictor().thresholds, "part", None
            _watch = staticmethod(lambda _: None)

            @property
            def identity(self) -> object:  # type: ignore[override]
                asked.append(1)
                return identity

        list(run(Counting(), task))  # type: ignore[arg-type]
        assert asked == []
        list(run(Counting(), task, [FolderSink(ResultsFolder(tmp_path / "out"))]))  # type: ignore[arg-type]
        assert len(asked) == 1

    def test_it_says_where_the_time_went(self, task: Task) -> None:
        times = Times()
        list(run(StubPredictor(), task, [Watching(slow=(0,))], times=times))
        assert times.reading > 0
        assert times.drawing > 0.05
        assert "drawing" in str(times)


class TestJsonLines:
    def test_each_line_is_there_when_its_result_is(self, task: Task) -> None:
        stream = io.StringIO()
        for count, outcome in enumerate(run(StubPredictor(), task, [JsonLinesSink(stream)]), start=1):
            lines = stream.getvalue().splitlines()
            assert len(lines) == count
            record = json.loads(lines[-1])
            assert record["path"] == outcome.source
            assert ("error" in record) == isinstance(outcome, Failure)


class TestCsv:
    def test_it_has_a_row_an_image_in_their_order(self, task: Task, tmp_path: Path) -> None:
        outcomes = list(run(StubPredictor(), task, [CsvSink(tmp_path / "results.csv")]))
        rows = rows_of(tmp_path / "results.csv")
        assert tuple(rows[0]) == COLUMNS
        for row, outcome in zip(rows, outcomes, strict=True):
            assert row["path"] == outcome.source
            if isinstance(outcome, Failure):
                assert row["error"] == outcome.reason
                assert row["score"] == ""
            else:
                assert float(row["score"]) == outcome.score
                assert row["is_anomalous"] == str(outcome.is_anomalous)
                assert int(row["regions"]) == len(outcome.regions)
                assert (int(row["width"]), int(row["height"])) == outcome.image_size

    def test_a_name_is_no_formula(self, task: Task, tmp_path: Path) -> None:
        table = CsvSink(tmp_path / "results.csv")
        table.check(RunInfo(task, False, dict))
        table.write(0, {"path": "=1+1.png", "error": "-", "score": -0.5})
        table.finish()
        (row,) = rows_of(tmp_path / "results.csv")
        assert (row["path"], row["error"], row["score"]) == ("'=1+1.png", "'-", "-0.5")

    def test_it_says_how_large_a_region_is_what_it_may_be_and_why_a_person_must_look(
        self, task: Task, tmp_path: Path
    ) -> None:
        table = CsvSink(tmp_path / "results.csv")
        table.check(RunInfo(task, False, dict))
        regions = [
            {
                "box": [0, 0, 2, 2],
                "area": 4,
                "peak": 0.9,
                "mean": 0.8,
                "area_mm2": 1.0,
                "names": [["dent", 0.75], ["nick", 0.25]],
            },
            {"box": [5, 5, 3, 3], "area": 9, "peak": 0.8, "mean": 0.8, "area_mm2": 2.25},
        ]
        found = {"score": 0.6, "verdict": "review", "is_anomalous": False, "pixel_threshold": 0.7, "regions": regions}
        table.write(0, {"path": "a.png", **found, "concern": "another part"})
        table.write(1, {"path": "b.png", **found, "regions": []})
        table.finish()
        named, other = rows_of(tmp_path / "results.csv")
        assert (named["regions"], named["largest_region"], named["largest_mm2"]) == ("2", "9", "2.25")
        assert (named["name"], named["concern"]) == ("dent", "another part")
        assert (other["largest_region"], other["largest_mm2"], other["name"], other["concern"]) == ("0", "", "", "")

    def test_it_is_there_when_the_run_has_ended_and_not_before(self, task: Task, tmp_path: Path) -> None:
        place = tmp_path / "results.csv"
        place.write_text("of an earlier run")
        outcomes = run(StubPredictor(), task, [CsvSink(place)])
        assert place.read_text() == "of an earlier run"
        next(outcomes)
        assert not place.exists()
        outcomes.close()
        assert not place.exists()

    def test_a_run_that_goes_on_has_all_of_them(self, task: Task, tmp_path: Path) -> None:
        def sinks() -> list[Sink]:
            return [FolderSink(ResultsFolder(tmp_path / "out", resume=True)), CsvSink(tmp_path / "out" / "results.csv")]

        outcomes = run(StubPredictor(), task, sinks())
        next(outcomes)
        outcomes.close()
        assert 1 <= len(lines_of(tmp_path / "out")) < 20
        list(run(StubPredictor(), task, sinks()))
        rows = rows_of(tmp_path / "out" / "results.csv")
        assert [row["path"] for row in rows] == [str(path) for path in task.items]
        assert [row["overlay"] for row in rows] == [line.get("overlay", "") for line in lines_of(tmp_path / "out")]

    def test_names_that_no_text_can_hold_are_escaped(self, tmp_path: Path) -> None:
        odd = tmp_path / 'a,"b"\n\udcff.png'
        (plain,) = write_pictures(tmp_path / "in", 1)
        plain.rename(odd)
        list(run(StubPredictor(), Task("bolt", (odd,)), [CsvSink(tmp_path / "results.csv")]))
        assert rows_of(tmp_path / "results.csv")[0]["path"] == str(odd).replace("\udcff", "\\udcff")


class TestFolder:
    def test_a_line_is_written_after_its_drawings(self, task: Task, tmp_path: Path) -> None:
        out = tmp_path / "out"
        for _ in run(StubPredictor(), task, [FolderSink(ResultsFolder(out))], threads=3):
            for line in lines_of(out):
                if "error" not in line:
                    with Image.open(out / line["overlay"]) as overlay, Image.open(out / line["map"]) as anomaly_map:
                        overlay.load()
                        assert anomaly_map.size == (10, 10)

    def test_overlays_are_those_of_the_detection(self, task: Task, tmp_path: Path) -> None:
        outcomes = list(run(StubPredictor(), task, [FolderSink(ResultsFolder(tmp_path / "out"))]))
        for line, outcome in zip(lines_of(tmp_path / "out"), outcomes, strict=True):
            if isinstance(outcome, Detection):
                with Image.open(tmp_path / "out" / line["overlay"]) as overlay:
                    assert np.array_equal(np.asarray(overlay), np.asarray(outcome.overlay()))

    def test_masks_are_those_of_the_detection(self, task: Task, tmp_path: Path) -> None:
        outcomes = list(run(StubPredictor(), task, [FolderSink(ResultsFolder(tmp_path / "out"))]))
        for line, outcome in zip(lines_of(tmp_path / "out"), outcomes, strict=True):
            if isinstance(outcome, Detection):
                with Image.open(tmp_path / "out" / line["mask"]) as mask:
                    assert mask.mode == "L"
                    assert np.array_equal(np.asarray(mask), 255 * outcome.mask().astype(np.uint8))

    def test_without_a_pixel_threshold_there_is_no_mask(self, task: Task, tmp_path: Path) -> None:
        predictor = StubPredictor()
        predictor.thresholds = Thresholds(0.5)
        list(run(predictor, task, [FolderSink(ResultsFolder(tmp_path / "out"))]))
        assert not any("mask" in line for line in lines_of(tmp_path / "out"))
        assert not (tmp_path / "out" / "masks").exists()

    def test_previews_are_small_copies_of_the_images(self, tmp_path: Path) -> None:
        pixels = np.full((700, 960, 3), (200, 40, 90), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "large.png")
        list(
            run(StubPredictor(), Task("bolt", (tmp_path / "large.png",)), [FolderSink(ResultsFolder(tmp_path / "out"))])
        )
        (line,) = lines_of(tmp_path / "out")
        with Image.open(tmp_path / "out" / line["preview"]) as preview:
            assert (preview.format, preview.size) == ("JPEG", (480, 350))
            assert np.abs(np.asarray(preview, int) - (200, 40, 90)).max() < 8

    def test_it_needs_no_image_where_no_overlay_is_drawn(self, task: Task, tmp_path: Path) -> None:
        sink = FolderSink(ResultsFolder(tmp_path / "out"), ["maps", "masks"])
        assert not sink.needs_image
        list(run(StubPredictor(), task, [sink], max_pixels=0))
        assert not (tmp_path / "out" / "overlays").exists()


def test_a_run_needs_no_torch(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 3)
    program = """
import sys
sys.modules["torch"] = None  # importing it fails
from pathlib import Path
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import CsvSink, FolderSink
from oddlens.inference.task import Task
from tests.inference.stub import StubPredictor

folder = Path(sys.argv[1])
sinks = [FolderSink(ResultsFolder(folder / "out")), CsvSink(folder / "out" / "results.csv")]
print(len(list(run(StubPredictor(), Task("bolt", tuple(sorted((folder / "in").iterdir()))), sinks))))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stdout, done.stderr) == ("3\n", "")
    assert len(lines_of(tmp_path / "out")) == 3


def test_a_program_that_leaves_a_run_open_ends(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 30)
    program = """
import sys
from pathlib import Path
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink
from oddlens.inference.task import Task
from tests.inference.stub import StubPredictor

folder = Path(sys.argv[1])
task = Task("bolt", tuple(sorted((folder / "in").iterdir())))
outcomes = run(StubPredictor(), task, [FolderSink(ResultsFolder(folder / "out"))])
alone = StubPredictor().detect_each(list(task.items))
print(next(outcomes).source == next(alone).source)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
