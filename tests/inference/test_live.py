"""A run without an end: what it writes, that it goes on after a stop, and inspects no content twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from oddlens.errors import UsageError
from oddlens.inference import live
from oddlens.inference.cameras import Frame
from oddlens.inference.live import LiveFolder, LiveRun, image_of_file, image_of_frame, together
from oddlens.inference.records import Record, read_records
from oddlens.inference.report import ReportSink
from oddlens.inference.results import ResultsFolder
from oddlens.inference.runner import run
from oddlens.inference.sinks import FolderSink, Sink
from oddlens.inference.task import HeldImage, Task
from oddlens.inference.watch import Mover, WatchedFile
from oddlens.io.png import write_png
from tests.inference.stub import StubPredictor


class Line:
    """A watched line in a folder; `images` are given by hand. with_mover: whether its files are moved."""

    def __init__(self, folder: Path, with_mover: bool = False, now: float = 0.0) -> None:
        self.incoming, self.out = folder / "in", folder / "out"
        self.incoming.mkdir(exist_ok=True)
        self.now = now
        self.said: list[str] = []
        self.mover = Mover(self.incoming) if with_mover else None
        self.folder = LiveFolder(
            ResultsFolder(self.out, appends=True), ("overlays", "maps"), mover=self.mover, say=self.said.append
        )
        sinks: list[Sink] = [self.folder, ReportSink(self.out)]
        self.run = LiveRun(StubPredictor(), "bolt", self.folder, sinks, lambda: self.now)

    def file(self, name: str, grey: int = 0) -> HeldImage:
        """A file that came, of one dark grey: it is OK."""
        path = self.incoming / name
        write_png(path, np.full((40, 48, 3), grey, np.uint8))
        return self.held(path)

    def held(self, path: Path) -> HeldImage:
        data = path.read_bytes()
        return image_of_file(WatchedFile(path, data, live.sha256(data).hexdigest(), path.stat().st_mtime, 0))

    def take(self, *images: HeldImage) -> list[Record]:
        """The lines that the images add."""
        before = len(self.lines())
        list(self.run.take(images))
        return self.lines()[before:]

    def lines(self) -> list[Record]:
        path = self.out / "results.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.run.close()


def test_an_image_gives_what_it_gives_in_a_run_that_ends(line: Line, tmp_path: Path) -> None:
    images = [line.file(f"{seed}.png", seed) for seed in range(3)]
    found = line.take(*images)
    paths = tuple(Path(image) for image in images)
    list(
        run(StubPredictor(), Task("bolt", paths), [FolderSink(ResultsFolder(tmp_path / "whole"), ("overlays", "maps"))])
    )
    whole = [json.loads(text) for text in (tmp_path / "whole" / "results.jsonl").read_text().splitlines()]
    for mine, theirs in zip(found, whole, strict=True):
        assert mine.pop("sha256") == live.sha256(Path(mine["path"]).read_bytes()).hexdigest()
        assert mine | {"ms": 0} == theirs | {"ms": 0}
        for kind in ("overlay", "map"):
            assert (line.out / mine[kind]).read_bytes() == (tmp_path / "whole" / theirs[kind]).read_bytes()


def test_images_come_one_after_the_other_into_one_folder(line: Line) -> None:
    for seed in range(3):
        line.take(line.file(f"{seed}.png", seed))
    assert [Path(record["path"]).name for record in line.lines()] == ["0.png", "1.png", "2.png"]


def test_nothing_that_is_known_counts_as_new_after_a_stop_either(line: Line, tmp_path: Path) -> None:
    good, bad = line.file("a.png"), line.incoming / "b.png"
    bad.write_bytes(b"no image")
    line.take(good, line.held(bad))
    line.run.close()
    with (line.out / "results.jsonl").open("a") as lines:
        lines.write('{"path": "half')  # a kill
    after = Line(tmp_path)
    assert after.folder.is_known(bad, line.held(bad).sha256)
    assert after.folder.is_known(tmp_path / "other.png", good.sha256)
    new = after.file("c.png", 7)
    assert not after.folder.is_known(tmp_path / "in" / "c.png", new.sha256)
    after.take(new)
    after.run.close()
    assert [Path(record["path"]).name for record in after.lines()] == ["a.png", "b.png", "c.png"]


def test_results_of_other_settings_are_not_continued(line: Line, tmp_path: Path) -> None:
    line.take(line.file("a.png"))
    line.run.close()
    folder = LiveFolder(ResultsFolder(line.out, appends=True), ("maps",))
    with pytest.raises(UsageError, match=r"holds results of other settings \(overlays\)"):
        LiveRun(StubPredictor(), "bolt", folder, [folder])


def test_another_run_cannot_write_meanwhile(line: Line, tmp_path: Path) -> None:
    line.take(line.file("a.png"))
    with pytest.raises(UsageError, match=r"another run is writing"):
        Line(tmp_path)


def test_a_file_that_is_overwritten_keeps_one_set_of_drawings(line: Line) -> None:
    first, second = (line.take(line.file("latest.png", seed))[0] for seed in range(2))
    assert first["overlay"] == second["overlay"] == "overlays/latest.png"
    assert [record["sha256"] for record in read_records(line.out / "results.jsonl").values()] == [second["sha256"]]


def test_two_files_of_one_name_have_drawings_of_their_own(line: Line) -> None:
    (line.incoming / "monday").mkdir()
    first = line.take(line.file("a.png", 0))[0]
    second = line.take(line.file("monday/A.png", 1))[0]
    assert first["map"] == "maps/a.tiff"
    assert second["map"] == f"maps/A-{second['sha256'][:12]}.tiff"


def test_the_report_comes_each_minute_if_there_is_something_new(line: Line) -> None:
    report = line.out / "report.html"
    line.take(line.file("a.png"))
    line.run.report_if_due()
    assert not report.exists()
    line.now = 61
    line.run.report_if_due()
    assert "1 image of" in report.read_text()
    assert len((line.out / "results.csv").read_text().splitlines()) == 2
    report.unlink()
    line.now = 200
    line.run.report_if_due()
    assert not report.exists()
    line.take(line.file("b.png", 1))
    line.run.report_if_due()
    assert "2 images of" in report.read_text()


def test_a_report_that_takes_long_comes_less_often(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: ReportSink) -> None:
        line.now += 10

    monkeypatch.setattr(ReportSink, "finish", slow)
    line.take(line.file("a.png"))
    line.run.report()
    line.take(line.file("b.png", 1))
    line.now += 150
    line.run.report_if_due()
    assert line.run._is_changed
    line.now += 51
    line.run.report_if_due()
    assert not line.run._is_changed


def test_a_run_without_an_image_leaves_nothing(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.run.report()
    line.run.close()
    assert not line.out.exists()


class TestMoving:
    @pytest.fixture
    def line(self, tmp_path: Path) -> Iterator[Line]:
        line = Line(tmp_path, with_mover=True)
        yield line
        line.run.close()

    def test_a_line_names_the_place_that_its_image_went_to(self, line: Line) -> None:
        (line.incoming / "bad.png").write_bytes(b"no image")
        found = line.take(line.file("a.png"), line.held(line.incoming / "bad.png"))
        places = [Path(record["path"]) for record in found]
        assert [place.relative_to(line.incoming).as_posix() for place in places] == ["done/a.png", "failed/bad.png"]
        assert [(line.out / record["file"]["path"]).resolve() for record in found] == places
        assert all(record["file"]["bytes"] == place.stat().st_size for record, place in zip(found, places, strict=True))
        assert not (line.incoming / "a.png").exists()
        assert line.folder.folder.file_of(places[0]) == found[0]["file"]

    def test_a_name_that_comes_again_and_again_loses_nothing(self, line: Line) -> None:
        found = [line.take(line.file("a.png", seed))[0] for seed in range(40)]
        assert len({record["path"] for record in found}) == 40
        assert len({record["map"] for record in found}) == 40
        assert len(read_records(line.out / "results.jsonl")) == 40

    def test_what_a_kill_left_between_its_line_and_its_place_is_moved_later(
        self, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def kill(self: Mover, path: Path, place: Path) -> None:
            raise KeyboardInterrupt

        image = line.file("a.png")
        with monkeypatch.context() as patch:
            patch.setattr(Mover, "move", kill)
            with pytest.raises(KeyboardInterrupt):
                line.take(image)
        line.run.close()
        [record] = line.lines()
        after = Line(tmp_path, with_mover=True)
        assert after.folder.is_known(line.incoming / "a.png", image.sha256)
        after.run.close()
        assert Path(record["path"]).is_file()
        assert not (line.incoming / "a.png").exists()
        assert len(after.lines()) == 1

    def test_a_copy_of_what_is_known_leaves_the_folder_too(self, line: Line) -> None:
        image = line.file("a.png")
        line.take(image)
        copy = line.file("b.png")
        assert line.folder.is_known(line.incoming / "b.png", copy.sha256)
        assert (line.incoming / "done" / "b.png").is_file()

    def test_what_an_earlier_run_left_where_it_was_stays_there_and_is_said_once(
        self, line: Line, tmp_path: Path
    ) -> None:
        line.run.close()
        first = Line(tmp_path)
        images = [first.file("a.png"), first.file("b.png", 1)]
        first.take(*images)
        first.run.close()
        later = Line(tmp_path, with_mover=True)
        for image in images:
            assert image.file is not None
            assert later.folder.is_known(image.file, image.sha256)
        [said] = later.said
        assert "a.png was inspected before, and not moved: it stays where its result names it" in said
        assert all(Path(record["path"]).is_file() for record in later.lines())
        copy = later.file("c.png")
        assert later.folder.is_known(later.incoming / "c.png", copy.sha256)
        assert (later.incoming / "done" / "c.png").is_file()
        later.run.close()

    def test_a_file_that_cannot_be_moved_is_said_and_the_line_goes_on(self, line: Line) -> None:
        (line.incoming / "done").write_bytes(b"in the way")
        line.take(line.file("a.png"))
        assert "cannot be moved to" in line.said[0]
        assert (line.incoming / "a.png").is_file()
        (line.incoming / "done").unlink()
        line.take(line.file("b.png", 1))
        assert (line.incoming / "done" / "b.png").is_file()


def test_frames_that_are_not_ok_are_kept(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    dark = Frame("rtsp://cam/1", at, np.zeros((40, 48, 3), np.uint8))
    bright = Frame("rtsp://cam/1", at.replace(second=6), np.full((40, 48, 3), 255, np.uint8))
    ok, ng = line.take(image_of_frame(dark), image_of_frame(bright))
    assert (ok["verdict"], ok["path"], "file" in ok) == ("ok", "rtsp://cam/1 2026-01-02 03:04:05.678", False)
    assert (ng["verdict"], ng["path"]) == ("ng", str(line.out / "frames" / "20260102-030406-678.png"))
    assert (line.out / ng["file"]["path"]).read_bytes() == image_of_frame(bright).data
    assert ng["overlay"] == "overlays/20260102-030406-678.png"
    line.run.report()
    assert "2 images of" in (line.out / "report.html").read_text()


def test_images_are_taken_in_small_groups_and_none_before_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_TOGETHER", 3)
    monkeypatch.setattr(live, "MOST_BYTES", 10)
    taken: list[int] = []

    def images() -> Iterator[HeldImage]:
        for number, size in enumerate([1, 1, 1, 1, 9, 20, 1]):
            taken.append(number)
            yield HeldImage(str(number), str(number), b"x" * size, "", datetime.now(UTC))

    sizes = []
    for group in together(images()):
        sizes.append((len(group), len(taken)))
    assert sizes == [(3, 3), (2, 5), (1, 6), (1, 7)]


def test_a_stop_in_the_middle_keeps_what_is_done(line: Line) -> None:
    images = [line.file(f"{seed}.png", seed) for seed in range(6)]
    with closing(line.run.take(images)) as outcomes:
        next(outcomes)
    done = len(line.lines())
    assert 1 <= done < 6
    assert [line.folder.is_known(Path(image), image.sha256) for image in images] == [True] * done + [False] * (6 - done)
