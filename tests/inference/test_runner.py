"""A run of a detector over many files."""

import errno
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import oddlens
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch, Encoder, Prepared
from oddlens.errors import DiskError, Failure, UsageError
from oddlens.inference.kinds import DRAWINGS
from oddlens.inference.records import Record
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink, Sink
from oddlens.inference.task import RunInfo, Task
from oddlens.io.images import Picture
from oddlens.io.inputs import Input
from oddlens.io.loader import BATCH_SIZE
from oddlens.methods.base import Scores
from tests.noise import write_picture, write_pictures


@pytest.fixture(scope="module")
def detector(open_clip_folder: Path) -> Detector:
    return oddlens.load(model=open_clip_folder)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the images that each run gave to its detector, where it gave any."""
    runs: list[list[str]] = []
    detect_each = Detector.detect_each

    def watched(self: Detector, images: Collection[Input], *arguments: Any) -> Iterator[Detection | Failure]:
        runs.append([])
        return detect_each(self, Watched(images, runs[-1]), *arguments)

    monkeypatch.setattr(Detector, "detect_each", watched)
    return runs


class Watched:
    """Images that note down which were asked for."""

    def __init__(self, images: Collection[Input], names: list[str]) -> None:
        self._images, self._names = images, names

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[Input]:
        for image in self._images:
            self._names.append(Path(image.source).stem)
            yield image


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that ran."""
    sizes: list[int] = []
    encode = Encoder.encode

    def watched(self: Encoder, images: Iterable[Prepared]) -> list[EncodedBatch]:
        batches = encode(self, images)
        if len(batches[0]):
            sizes.append(len(batches[0]))
        return batches

    monkeypatch.setattr(Encoder, "encode", watched)
    return sizes


class Collected(Sink):
    """Has every record."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, number: int, record: Record) -> Record:
        """See `Sink`."""
        assert number == len(self.records)
        self.records.append(record)
        return record


def results_of(detector: Detector, task: Task, folder: ResultsFolder | None = None, **options: Any) -> list[Record]:
    """The records of a whole run, those of an earlier one among them."""
    collected = Collected()
    sinks = [collected] if folder is None else [FolderSink(folder), collected]
    list(run(detector, task, sinks, **options))
    return collected.records


def detection_part(record: Record) -> Record:
    """A record without what a run adds to a detection."""
    return {name: value for name, value in record.items() if name not in ("ms", *DRAWINGS, "file")}


def settings_of(detector: Detector, task: Task, out: Path) -> dict[str, Any]:
    """The settings of a run, as its sinks get them; nothing is written."""
    found: list[dict[str, Any]] = []

    class Asking(Sink):
        def check(self, run: RunInfo) -> None:
            found.append(dict(run.settings))

    run(detector, task, [FolderSink(ResultsFolder(out)), Asking()])
    return found[0]


MakeTask = Callable[[int], Task]


@pytest.fixture
def task(tmp_path: Path) -> MakeTask:
    """A task of so many pictures."""
    return lambda count: Task("bolt", tuple(write_pictures(tmp_path / "in", count)))


def lines_of(out: Path) -> list[Record]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


class TestRunning:
    def test_without_a_folder_nothing_is_written(self, detector: Detector, task: MakeTask, tmp_path: Path) -> None:
        records = results_of(detector, task(2))
        assert [Path(record["path"]).name for record in records] == ["0.png", "1.png"]
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def test_records_are_the_detections_with_path_and_time(self, detector: Detector, task: MakeTask) -> None:
        (record,) = results_of(detector, task(1))
        (detection,) = detector.detect(record["path"], "bolt")
        assert record.pop("ms") > 0
        assert record == detection.to_dict()

    def test_what_is_given_are_the_detections_and_failures_themselves(self, detector: Detector, task: MakeTask) -> None:
        (path,) = task(1).items
        given = Task("bolt", (path, Failure("nowhere.png", "nowhere.png does not exist: check the path")))
        found, failure = run(detector, given)
        (expected,) = detector.detect(path, "bolt")
        assert isinstance(found, Detection)
        assert found.to_dict() == expected.to_dict()
        assert np.array_equal(found.anomaly_map, expected.anomaly_map)
        assert failure == given.items[1]

    def test_nothing_runs_before_it_is_taken_and_then_in_fixed_groups(
        self, detector: Detector, task: MakeTask, groups: list[int]
    ) -> None:
        outcomes = run(detector, task(BATCH_SIZE + 2))
        assert groups == []
        next(outcomes)
        assert groups == [BATCH_SIZE]
        assert len(list(outcomes)) == BATCH_SIZE + 1
        assert groups == [BATCH_SIZE, 2]

    def test_a_group_that_cannot_be_read_at_all_is_reported_picture_by_picture(
        self, detector: Detector, task: MakeTask
    ) -> None:
        given = task(2)
        for path in given.items:
            path.write_bytes(b"")
        assert ["error" in record for record in results_of(detector, given)] == [True, True]


class TestGoingOn:
    def test_a_group_with_a_picture_missing_runs_whole_so_that_its_numbers_are_the_same(
        self, detector: Detector, task: MakeTask, tmp_path: Path, looked_at: list[list[str]]
    ) -> None:
        pictures = task(2 * BATCH_SIZE)
        out = tmp_path / "out"
        whole = results_of(detector, pictures, ResultsFolder(out))
        lines = (out / "results.jsonl").read_text().splitlines(keepends=True)
        (out / "results.jsonl").write_text("".join(lines[: BATCH_SIZE + 3]))
        looked_at.clear()
        again = results_of(detector, pictures, ResultsFolder(out, resume=True))
        assert looked_at == [[str(number) for number in range(BATCH_SIZE, 2 * BATCH_SIZE)]]
        assert [record["score"] for record in again] == [record["score"] for record in whole]
        assert again[: BATCH_SIZE + 3] == whole[: BATCH_SIZE + 3]

    def test_new_pictures_among_the_old_ones_get_their_place(
        self, detector: Detector, task: MakeTask, tmp_path: Path
    ) -> None:
        both = task(4)
        odd = Task("bolt", both.items[1::2])
        results_of(detector, odd, ResultsFolder(tmp_path / "out"))
        records = results_of(detector, both, ResultsFolder(tmp_path / "out", resume=True))
        assert [record["path"] for record in records] == [str(path) for path in both.items]
        done = ResultsFolder(tmp_path / "out", resume=True).done
        assert [record["path"] for record in done.values()] == [str(path) for path in both.items]

    def test_other_settings_are_refused_before_anything_runs(
        self, detector: Detector, task: MakeTask, tmp_path: Path, looked_at: list[list[str]]
    ) -> None:
        results_of(detector, task(1), ResultsFolder(tmp_path / "out"))
        looked_at.clear()
        with pytest.raises(UsageError, match=r"\(object\)"):
            run(detector, Task("nut", task(1).items), [FolderSink(ResultsFolder(tmp_path / "out", resume=True))])
        assert looked_at == []

    def test_a_picture_that_was_replaced_is_read_again_and_keeps_the_name_of_its_drawings(
        self, detector: Detector, task: MakeTask, tmp_path: Path, looked_at: list[list[str]]
    ) -> None:
        given = task(3)
        before = results_of(detector, given, ResultsFolder(tmp_path / "out"))
        write_picture(given.items[1], np.random.default_rng(99))
        after = results_of(detector, given, ResultsFolder(tmp_path / "out", resume=True))
        assert looked_at[1:] == [["0", "1", "2"]]
        assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
        assert after[1]["score"] != before[1]["score"]
        assert after[1]["map"] == before[1]["map"]
        assert lines_of(tmp_path / "out") == after

    def test_a_picture_that_was_replaced_by_a_broken_one_has_no_result_any_more(
        self, detector: Detector, task: MakeTask, tmp_path: Path
    ) -> None:
        given = task(3)
        results_of(detector, given, ResultsFolder(tmp_path / "out"))
        given.items[1].write_bytes(b"")
        for _ in range(2):
            records = results_of(detector, given, ResultsFolder(tmp_path / "out", resume=True))
            assert ["error" in record for record in records] == [False, True, False]
            assert lines_of(tmp_path / "out") == records

    def test_drawings_of_other_pictures_are_never_replaced(
        self, detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for folder in "ab":
            write_pictures(tmp_path / folder, 2, seed=ord(folder))
        for name in ("a", "b"):
            out = ResultsFolder(Path("out"), resume=True)
            results_of(detector, Task("bolt", tuple(sorted(Path(name).iterdir()))), out)
        lines = lines_of(Path("out"))
        assert [line["path"] for line in lines] == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
        assert len({line["map"] for line in lines}) == 4
        for line in lines:
            (detection,) = detector.detect(line["path"], "bolt")
            assert np.allclose(np.asarray(Image.open(Path("out") / line["map"])), detection.anomaly_map, atol=1e-5)

    def test_names_of_drawings_are_those_of_a_run_that_nobody_stopped(self, detector: Detector, tmp_path: Path) -> None:
        paths = [*write_pictures(tmp_path / "a", 1, seed=1), *write_pictures(tmp_path / "b", 1, seed=2)]
        given = Task("bolt", tuple(paths))
        whole = results_of(detector, given, ResultsFolder(tmp_path / "out"))
        lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines(keepends=True)
        (tmp_path / "out" / "results.jsonl").write_text(lines[0])
        again = results_of(detector, given, ResultsFolder(tmp_path / "out", resume=True))
        assert [record["map"] for record in again] == [record["map"] for record in whole]

    def test_running_twice_adds_no_line_and_looks_at_nothing(
        self, detector: Detector, task: MakeTask, tmp_path: Path, looked_at: list[list[str]]
    ) -> None:
        folder, given = ResultsFolder(tmp_path / "out"), task(BATCH_SIZE + 2)
        first = results_of(detector, given, folder)
        assert len(looked_at) == 1
        assert results_of(detector, given, folder) == first
        assert lines_of(tmp_path / "out") == first
        assert len(looked_at) == 1
        again = list(run(detector, given, [FolderSink(folder)]))
        assert [each.to_dict() for each in again] == [detection_part(record) for record in first]

    def test_running_again_after_breaking_off_goes_on(
        self, detector: Detector, task: MakeTask, tmp_path: Path, looked_at: list[list[str]]
    ) -> None:
        folder, given = ResultsFolder(tmp_path / "out"), task(2 * BATCH_SIZE + 2)
        outcomes = run(detector, given, [FolderSink(folder)])
        for _ in range(BATCH_SIZE + 1):
            next(outcomes)
        outcomes.close()
        assert len(lines_of(tmp_path / "out")) == 2 * BATCH_SIZE  # what was found is not lost
        records = results_of(detector, given, folder)
        assert len(records) == 2 * BATCH_SIZE + 2
        assert lines_of(tmp_path / "out") == records
        assert looked_at[1] == [str(number) for number in range(2 * BATCH_SIZE, 2 * BATCH_SIZE + 2)]


class TestFailures:
    def test_they_have_their_places_and_the_others_run(
        self, detector: Detector, task: MakeTask, tmp_path: Path
    ) -> None:
        first, last = task(2).items
        given = Task("bolt", (first, Failure("nowhere.png", "nowhere.png does not exist: check the path"), last))
        for _ in range(2):
            records = results_of(detector, given, ResultsFolder(tmp_path / "out", resume=True))
            assert ["error" in record for record in records] == [False, True, False]
            assert records[1] == {"path": "nowhere.png", "error": "nowhere.png does not exist: check the path"}
            assert lines_of(tmp_path / "out") == records

    def test_what_is_not_finite_is_one_and_never_in_a_file(
        self, detector: Detector, task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        score = detector.method.score

        def spoil(*arguments: Any) -> Scores:
            found = score(*arguments)
            found.scores[1] = float("nan")
            return found

        monkeypatch.setattr(detector.method, "score", spoil)
        records = results_of(detector, task(3), ResultsFolder(tmp_path / "out"))
        assert ["error" in record for record in records] == [False, True, False]
        assert "not finite" in records[1]["error"]
        assert "NaN" not in (tmp_path / "out" / "results.jsonl").read_text()
        assert sorted(path.name for path in (tmp_path / "out" / "maps").iterdir()) == ["0.tiff", "2.tiff"]

    def test_a_full_disk_ends_the_run_with_what_is_done_kept(
        self,
        detector: Detector,
        task: MakeTask,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        given = task(3 * BATCH_SIZE)
        save = Image.Image.save

        def fill(image: Image.Image, path: Path, **options: Any) -> None:
            if len(list(tmp_path.glob("out/maps/[0-9]*"))) == BATCH_SIZE + 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            save(image, path, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Image.Image, "save", fill)
            with pytest.raises(DiskError, match=r"\(No space left on device\): .*, then go on with --resume$"):
                results_of(detector, given, ResultsFolder(tmp_path / "out"), threads=1)
        assert len(lines_of(tmp_path / "out")) == BATCH_SIZE + 2
        records = results_of(detector, given, ResultsFolder(tmp_path / "out", resume=True))
        assert lines_of(tmp_path / "out") == records
        assert not any("error" in record for record in records)


class TestMemory:
    def test_large_pictures_are_read_again_where_they_are_drawn_on_and_not_held(
        self, detector: Detector, task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reads: list[Path] = []
        read = oddlens.inference.run_images.read_image  # type: ignore[attr-defined]

        def watched(path: Path, **options: Any) -> Picture:
            reads.append(path)
            return read(path, **options)

        monkeypatch.setattr("oddlens.inference.run_images.read_image", watched)
        small = results_of(detector, task(2), ResultsFolder(tmp_path / "small"))
        assert len(reads) == 2
        large = results_of(detector, task(2), ResultsFolder(tmp_path / "large"), max_pixels=48 * 40 - 1)
        assert len(reads) == 6
        for record, other in zip(small, large, strict=True):
            drawn = [(tmp_path / place / record["overlay"]).read_bytes() for place in ("small", "large")]
            assert drawn[0] == drawn[1]
            assert record["score"] == other["score"]


class TestSettings:
    def test_they_name_all_that_the_numbers_depend_on(self, detector: Detector, task: MakeTask, tmp_path: Path) -> None:
        settings = settings_of(detector, task(1), tmp_path / "out")
        assert set(settings["run"]) == {
            "format", *detector.identity.to_dict(), "object", "overlays", "maps", "masks", "labels", "previews", "smoothing",
        }  # fmt: skip
        assert set(settings["machine"]) == {
            "oddlens", "torch", "python", "runtime", "device", "threads", "weights", "references",
        }  # fmt: skip

    def test_references_are_known_by_content_and_not_by_name(
        self, open_clip_folder: Path, task: MakeTask, tmp_path: Path
    ) -> None:
        good = write_pictures(tmp_path / "good", 2, seed=5)

        def told() -> Any:
            return settings_of(oddlens.load(model=open_clip_folder).add_references(good), task(1), tmp_path / "out")[
                "run"
            ]["references_sha256"]

        before = told()
        assert told() == before
        good = [path.rename(path.with_name(f"renamed-{path.name}")) for path in good]
        assert told() == before
        write_picture(good[0], np.random.default_rng(99))
        assert told() != before

    def test_a_stations_references_are_those_it_was_saved_with(
        self, open_clip_folder: Path, task: MakeTask, tmp_path: Path
    ) -> None:
        given = oddlens.load(model=open_clip_folder).add_references(write_pictures(tmp_path / "good", 2, seed=5))
        given.save(tmp_path / "station")
        opened = oddlens.open_station(tmp_path / "station")
        first, second = (
            settings_of(each, task(1), tmp_path / "out")["run"]["references_sha256"] for each in (given, opened)
        )
        assert first == second

    def test_what_was_passed_over_stands_beside_them(self, detector: Detector, task: MakeTask, tmp_path: Path) -> None:
        given = replace(task(1), passed_over={"masks": 3})
        results_of(detector, given, ResultsFolder(tmp_path / "out"))
        assert json.loads((tmp_path / "out" / "run.json").read_text())["passed_over"] == {"masks": 3}
        results_of(detector, task(1), ResultsFolder(tmp_path / "out", resume=True))

    def test_learned_weights_are_known_by_content(self, detector: Detector, task: MakeTask, tmp_path: Path) -> None:
        hashes = []
        for content in (b"first", b"trained again"):
            (tmp_path / "weights.pth").write_bytes(content)
            trained = Detector(detector.name, detector.method, weights=str(tmp_path / "weights.pth"))
            hashes.append(settings_of(trained, task(1), tmp_path / "out")["run"]["weights_sha256"])
        assert len({*hashes}) == 2
