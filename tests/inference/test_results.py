"""The folder of a run: what lies in it after a stop, and how it is gone on with."""

import errno
import json
import os
from pathlib import Path

import pytest

from oddlens.errors import DiskError, OddlensError, UsageError
from oddlens.inference.records import unfiled
from oddlens.inference.results import ResultsFolder
from tests.inference.written import SETTINGS, failure, lines_of, record, write


def test_lines_are_on_disk_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path / "new" / "out")
    assert not folder.root.exists()
    folder.begin(SETTINGS)
    assert lines_of(folder.root) == []
    assert json.loads((folder.root / "run.json").read_text()) == SETTINGS
    for count, name in enumerate("ab", start=1):
        folder.append(record(name))
        folder.begin(SETTINGS)
        assert len(lines_of(folder.root)) == count


def test_failed_pictures_are_not_done(tmp_path: Path) -> None:
    folder = ResultsFolder(write(tmp_path, record("a"), failure("b"), record("c")), resume=True)
    assert list(folder.done) == ["a", "c"]
    folder.begin(SETTINGS)
    assert lines_of(tmp_path) == [record("a"), record("c")]


def test_finishing_puts_the_lines_in_order_and_keeps_those_of_other_pictures(tmp_path: Path) -> None:
    folder = ResultsFolder(write(tmp_path, record("gone"), record("c"), failure("b")), resume=True)
    folder.begin(SETTINGS)
    for name in ("a", "b"):
        folder.append(record(name))
    folder.finish([(name, unfiled(name)) for name in "abc"], SETTINGS)
    assert [line["path"] for line in lines_of(tmp_path)] == ["gone", "a", "b", "c"]


def test_results_are_not_touched_before_the_run_begins(tmp_path: Path) -> None:
    write(tmp_path, record("a"), failure("b"))
    before = (tmp_path / "results.jsonl").read_bytes()
    ResultsFolder(tmp_path, overwrite=True)
    ResultsFolder(tmp_path, resume=True).check(SETTINGS)
    with pytest.raises(UsageError, match="holds results already"):
        ResultsFolder(tmp_path)
    assert (tmp_path / "results.jsonl").read_bytes() == before


def test_settings_that_differ_are_named_and_the_machine_does_not_count(tmp_path: Path) -> None:
    folder = ResultsFolder(write(tmp_path, record("a")), resume=True)
    folder.check(SETTINGS | {"machine": {"device": "cuda"}})
    with pytest.raises(UsageError, match=r"results of other settings \(object\): give the same ones"):
        folder.check({"run": {"object": "nut", "maps": True}})
    with pytest.raises(UsageError, match=r"\(threshold\)"):
        folder.check({"run": SETTINGS["run"] | {"threshold": 0.5}})


@pytest.mark.parametrize("told", [None, "", "[]", '{"run": 1}', '{"run"'])
def test_results_whose_settings_are_lost_cannot_be_gone_on_with(tmp_path: Path, told: str | None) -> None:
    write(tmp_path, record("a"))
    (tmp_path / "run.json").unlink()
    if told is not None:
        (tmp_path / "run.json").write_text(told)
    with pytest.raises(
        UsageError, match=r"run\.json.* is missing or damaged: run .oddlens detect. again, with --overwrite or"
    ):
        ResultsFolder(tmp_path, resume=True)
    ResultsFolder(tmp_path, overwrite=True).begin(SETTINGS)
    assert lines_of(tmp_path) == []


def test_beginning_anew_removes_only_what_a_run_wrote(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    for name in ("overlays/a.png", "overlays/mine.txt", "maps/a.tiff", "masks/a.png", "labels/a.png", "previews/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder = ResultsFolder(tmp_path, overwrite=True)
    folder.begin(SETTINGS)
    folder.close()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "overlays/mine.txt",
        "results.jsonl",
        "run.json",
    ]


@pytest.mark.parametrize("name", ["overlays/a.png", "maps/a.tiff", "labels/a.png"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_no_run_draws_over_pictures_that_none_drew(tmp_path: Path, name: str, overwrite: bool) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f"{name} lies where a run would draw, and no run has been there"):
        ResultsFolder(tmp_path, overwrite=overwrite)


def test_pictures_of_a_run_whose_settings_are_lost_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    (tmp_path / "run.json").unlink()
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "mine.png").touch()
    ResultsFolder(tmp_path, overwrite=True).begin(SETTINGS)
    assert (tmp_path / "labels" / "mine.png").exists()


def test_starting_over_without_run_json_removes_the_drawings_that_lines_name(tmp_path: Path) -> None:
    write(tmp_path, {**record("a"), "overlay": "overlays/a.png", "map": "maps/a.tiff"})
    (tmp_path / "run.json").unlink()
    for name in ("overlays/a.png", "maps/a.tiff", "overlays/mine.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    ResultsFolder(tmp_path, overwrite=True).begin(SETTINGS)
    assert sorted(path.name for folder in ("overlays", "maps") for path in (tmp_path / folder).iterdir()) == [
        "mine.png"
    ]


def test_results_from_before_there_were_masks_go_on(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    earlier = {"format": 2, "object": "bolt", "overlays": True, "maps": True, "labels": True}
    (tmp_path / "run.json").write_text(json.dumps({"run": earlier}))
    ResultsFolder(tmp_path, resume=True).check({"run": {**earlier, "masks": True, "previews": True}})
    with pytest.raises(UsageError, match=r"of other settings \(object\)"):
        ResultsFolder(tmp_path, resume=True).check({"run": {**earlier, "masks": True, "object": "nut"}})


def test_results_of_another_rule_of_thresholds_say_so(tmp_path: Path) -> None:
    write(tmp_path, record("a"))
    run = {"reference_count": 3, "object": "bolt"}
    (tmp_path / "run.json").write_text(json.dumps({"run": run}))
    now = {"run": run | {"calibration": {"kind": "leave-one-out"}}}
    with pytest.raises(
        UsageError, match=r"an earlier version of oddlens, whose thresholds followed another rule: give another --out"
    ):
        ResultsFolder(tmp_path, resume=True).check(now)
    (tmp_path / "run.json").write_text(json.dumps({"run": run | {"reference_count": 0}}))
    with pytest.raises(UsageError, match=r"other settings \(references\): give the same ones"):
        ResultsFolder(tmp_path, resume=True).check(now)


class TestWritable:
    def test_nothing_stays_behind(self, tmp_path: Path) -> None:
        ResultsFolder(tmp_path / "new" / "out").check_writable()
        assert list(tmp_path.iterdir()) == []
        before = sorted(write(tmp_path, record("a")).iterdir())
        ResultsFolder(tmp_path, resume=True).check_writable()
        assert sorted(tmp_path.iterdir()) == before

    def test_a_full_disk_and_a_folder_in_the_place_of_a_file_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full)
            with pytest.raises(DiskError, match=r"out cannot be written \(No space left on device\)"):
                ResultsFolder(tmp_path / "out").check_writable()
        (tmp_path / "results.jsonl").mkdir()
        with pytest.raises(OddlensError, match=r"results\.jsonl cannot be written because it is a folder"):
            ResultsFolder(tmp_path).check_writable()


@pytest.mark.parametrize("name", ["metrics.json", "cells/lids/lid/winclip-0shot.json"])
@pytest.mark.parametrize("option", [{}, {"resume": True}, {"overwrite": True}])
def test_the_folder_of_a_benchmark_is_refused(tmp_path: Path, name: str, option: dict[str, bool]) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match="holds results of a benchmark: give another --out"):
        ResultsFolder(tmp_path, **option)


@pytest.mark.parametrize("option", [{}, {"resume": True}, {"overwrite": True}])
def test_the_folder_of_a_station_is_refused_unless_results_lie_there(tmp_path: Path, option: dict[str, bool]) -> None:
    (tmp_path / "station.json").touch()
    with pytest.raises(UsageError, match="is a station, and results do not belong into it: give another --out"):
        ResultsFolder(tmp_path, **option)
    (tmp_path / "run.json").write_text('{"run": {}}')
    (tmp_path / "results.jsonl").touch()
    assert not ResultsFolder(tmp_path, resume=True).done  # of earlier versions, which wrote them there


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="out is a file: give the name of a folder"):
        ResultsFolder(tmp_path / "out")


def test_a_disk_that_fails_under_way_is_one_sentence(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    folder.begin(SETTINGS)
    folder.lines.unlink()
    folder.lines.mkdir()
    with pytest.raises(OddlensError, match=r"results\.jsonl cannot be written \(Is a directory\).*--resume$"):
        folder.append(record("a"))


def test_what_a_run_draws_is_known_as_outputs_by_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    folder = ResultsFolder(Path("out"))
    assert folder.is_output(Path("out/overlays/a.png"))
    assert folder.is_output(tmp_path / "out" / "maps" / "a.tiff")
    assert folder.is_output(Path("link/../out/maps/a.tiff"))
    assert folder.is_output(Path("link/overlays/a.png"))
    assert folder.is_output(Path("out/labels/a.png"))
    assert folder.is_output(Path("out/masks/a.png"))
    assert folder.is_output(Path("out/previews/a.jpg"))
    assert not folder.is_output(Path("out/a.png"))
    assert not folder.is_output(Path("overlays/a.png"))


class TestFiles:
    def test_a_picture_is_known_by_any_spelling_of_its_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        picture = tmp_path / "in" / "a.png"
        picture.parent.mkdir()
        picture.write_bytes(b"one")
        (tmp_path / "link").symlink_to("in")
        monkeypatch.chdir(tmp_path)
        folder = ResultsFolder(Path("out"))
        folder.begin(SETTINGS)
        folder.append({"path": "in/a.png", "score": 0.5, "is_anomalous": None}, folder.file_of(Path("in/a.png")))
        folder.close()
        monkeypatch.chdir("in")
        again = ResultsFolder(tmp_path / "out", resume=True)
        for spelling in ("a.png", "../in/a.png", picture, "../link/a.png", tmp_path / "link" / ".." / "in" / "a.png"):
            assert again.known(again.file_of(Path(spelling))) == again.done["../in/a.png"]
        picture.with_name("b.png").write_bytes(b"one")
        assert again.known(again.file_of(Path("b.png"))) is None
        assert again.known(again.file_of(Path("none.png"))) is None

    def test_a_picture_that_was_changed_is_not_known(self, tmp_path: Path) -> None:
        picture = tmp_path / "a.png"
        picture.write_bytes(b"one")
        os.utime(picture, (1000, 1000))
        folder = ResultsFolder(tmp_path / "out")
        folder.begin(SETTINGS)
        folder.append({"path": "a.png", "score": 0.5, "is_anomalous": None}, folder.file_of(picture))
        folder.close()
        again = ResultsFolder(tmp_path / "out", resume=True)
        assert again.known(again.file_of(picture))
        os.utime(picture, (1000, 1000.5))
        assert again.known(again.file_of(picture)) is None
        picture.write_bytes(b"more")
        os.utime(picture, (1000, 1000))
        assert again.known(again.file_of(picture)) is None

    def test_frames_of_a_video_are_pictures_of_their_own(self, tmp_path: Path) -> None:
        (tmp_path / "drive.mp4").write_bytes(b"video")
        folder = ResultsFolder(tmp_path / "out")
        first, second = (folder.file_of(tmp_path / "drive.mp4", number) for number in (0, 1))
        assert first is not None
        assert second is not None
        assert (first["path"], second["path"]) == ("../drive.mp4#000000", "../drive.mp4#000001")

    def test_the_last_line_of_a_picture_counts(self, tmp_path: Path) -> None:
        write(tmp_path, record("a"), record("b"), record("a", 0.75), {**failure("b"), "file": record("b")["file"]})
        folder = ResultsFolder(tmp_path, resume=True)
        assert {key: each["score"] for key, each in folder.done.items()} == {"a": 0.75}

    def test_a_failure_names_its_file_where_it_takes_the_place_of_a_result(self, tmp_path: Path) -> None:
        folder = ResultsFolder(write(tmp_path, record("a")), resume=True)
        folder.begin(SETTINGS)
        folder.append(failure("a"), record("a")["file"])
        folder.append(failure("b"), record("b")["file"])
        folder.finish([(name, unfiled(name)) for name in "ba"], SETTINGS)
        folder.close()
        assert lines_of(tmp_path) == [failure("b"), {**failure("a"), "file": record("a")["file"]}]
        assert not ResultsFolder(tmp_path, resume=True).done

    def test_lines_that_a_killed_run_left_out_of_order_are_put_right_by_the_next(self, tmp_path: Path) -> None:
        folder = ResultsFolder(write(tmp_path, record("b"), record("a")), resume=True)
        folder.finish([(name, unfiled(name)) for name in "ab"], SETTINGS)
        folder.close()
        assert [line["path"] for line in lines_of(tmp_path)] == ["a", "b"]


class TestFoldersThatCannotBe:
    def test_a_link_to_nowhere_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "out").symlink_to(tmp_path / "away" / "disk")
        with pytest.raises(UsageError, match=r"out is a link to a folder that does not exist: make that folder, or"):
            ResultsFolder(tmp_path / "out")
        assert not (tmp_path / "away").exists()

    def test_a_name_that_cannot_be(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is no possible file name: check the path"):
            ResultsFolder(tmp_path / ("n" * 300))

    def test_a_place_that_may_not_be_read(self, ordinary_user: Path) -> None:
        (ordinary_user / "closed").mkdir()
        (ordinary_user / "closed").chmod(0)
        with pytest.raises(UsageError, match="closed/out may not be read by this user: change its permissions"):
            ResultsFolder(ordinary_user / "closed" / "out")

        with pytest.raises(OddlensError, match=r"closed cannot be written \(Permission denied\)"):
            ResultsFolder(ordinary_user / "closed").begin(SETTINGS)

    def test_a_folder_that_may_not_be_written_to(self, ordinary_user: Path) -> None:
        (ordinary_user / "shut").mkdir()
        (ordinary_user / "shut").chmod(0o555)
        with pytest.raises(OddlensError, match=r"shut cannot be written \(Permission denied\): check the folder"):
            ResultsFolder(ordinary_user / "shut").begin(SETTINGS)
        with pytest.raises(OddlensError, match=r"new cannot be written \(Permission denied\): check the folder"):
            ResultsFolder(ordinary_user / "shut" / "new").begin(SETTINGS)


def test_a_pipe_in_the_place_of_run_json_holds_nobody_up(tmp_path: Path) -> None:
    root = write(tmp_path, record("a"))
    (root / "run.json").unlink()
    os.mkfifo(root / "run.json")
    with pytest.raises(
        UsageError, match=r"run\.json, which says how the results beside it were made, is missing or damaged"
    ):
        ResultsFolder(root, resume=True)
