"""A folder that is watched: what is given of it, when, and how often."""

from __future__ import annotations

import os
import shutil
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oddlens.errors import OddlensError, UsageError
from oddlens.inference import watch
from oddlens.inference.watch import Mover, WatchedFile, WatchedFolder, check_watchable, memory_in


@dataclass
class Watched:
    """A folder under watch, its time in the test's hand. known: content that was given."""

    folder: Path
    memory: Path | None = None
    leave_out: tuple[Path, ...] = ()
    now: float = 0.0
    known: set[str] = field(default_factory=set)
    said: list[tuple[bool, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = WatchedFolder(
            self.folder,
            lambda path, digest: digest in self.known,
            lambda is_ok, sentence: self.said.append((is_ok, sentence)),
            self.remarks.append,
            leave_out=self.leave_out,
            memory=self.memory,
            every=1.0,
            clock=lambda: self.now,
        )

    def look(self) -> list[str]:
        """The names of what the next look gives."""
        self.now += self.watch.wait_s
        return [self._taken(file) for file in self.watch.poll()]

    def looks(self, count: int = 3) -> list[str]:
        return [name for _ in range(count) for name in self.look()]

    def _taken(self, file: WatchedFile) -> str:
        self.known.add(file.sha256)
        return file.path.relative_to(self.folder).as_posix()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    folder = tmp_path / "in"
    folder.mkdir()
    return Watched(folder)


def put(path: Path, content: str, modified: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    if modified is not None:
        os.utime(path, (modified, modified))
    return path


def test_a_file_is_given_once_when_two_looks_found_it_the_same(watched: Watched) -> None:
    put(watched.folder / "a.png", "a")
    assert watched.look() == []
    assert watched.look() == ["a.png"]
    assert watched.looks() == []


def test_a_file_that_still_grows_is_waited_for(watched: Watched) -> None:
    file = put(watched.folder / "a.png", "a")
    for content in ("ab", "abc"):
        assert watched.look() == []
        put(file, content)
    assert watched.looks() == ["a.png"]


def test_an_empty_file_is_one_that_is_about_to_be_written(watched: Watched) -> None:
    file = put(watched.folder / "a.png", "")
    assert watched.looks() == []
    put(file, "a")
    assert watched.looks() == ["a.png"]


def test_nothing_happens_before_a_look_is_due(watched: Watched) -> None:
    put(watched.folder / "a.png", "a")
    watched.look()
    assert watched.watch.wait_s == 1.0
    assert list(watched.watch.poll()) == []


def test_the_oldest_file_comes_first(watched: Watched) -> None:
    for name, modified in (("a", 300), ("b", 100), ("c", 200)):
        put(watched.folder / f"{name}.png", name, modified)
    assert watched.looks() == ["b.png", "c.png", "a.png"]


def test_a_file_that_is_overwritten_is_given_again_unless_its_content_is_the_same(watched: Watched) -> None:
    file = put(watched.folder / "latest.png", "a", 100)
    assert watched.looks() == ["latest.png"]
    put(file, "b", 200)
    assert watched.looks() == ["latest.png"]
    put(file, "b", 300)
    assert watched.looks() == []


def test_the_same_content_under_another_name_is_given_once(watched: Watched) -> None:
    put(watched.folder / "a.png", "a", 100)
    put(watched.folder / "b.png", "a", 200)
    assert watched.looks() == ["a.png"]


def test_folders_in_it_are_watched_too(watched: Watched) -> None:
    put(watched.folder / "monday" / "a.png", "a")
    (watched.folder / "monday" / "round").symlink_to(watched.folder)
    assert watched.looks() == ["monday/a.png"]


@pytest.mark.parametrize(
    "name",
    [
        ".a.png", "~a.png", "a.png.part", "a.part.png", "a.tmp.png", "a.tmp", "notes.txt", "a_mask.png", ".hidden/a.png",
        "@eaDir/a.png", "Thumbs.db",
    ],
)  # fmt: skip
def test_what_is_no_image_for_the_station_is_passed_over(watched: Watched, name: str) -> None:
    put(watched.folder / name, "a")
    put(watched.folder / "b.png", "b")
    assert watched.looks() == ["b.png"]


def test_it_is_known_what_is_passed_over(watched: Watched) -> None:
    put(watched.folder / "a.txt", "a")
    put(watched.folder / "b.TXT", "b")
    watched.looks()
    assert watched.watch.passed_over == {".txt": 2}


def test_the_outputs_of_a_run_are_no_images(watched: Watched) -> None:
    put(watched.folder / "out" / "run.json", "{}")
    put(watched.folder / "out" / "overlays" / "a.png", "a")
    assert watched.looks() == []


def test_a_folder_that_goes_away_is_said_once_and_awaited(watched: Watched) -> None:
    put(watched.folder / "a.png", "a")
    watched.looks()
    shutil.move(watched.folder, watched.folder.with_name("away"))
    assert watched.looks() == []
    assert watched.said == [(False, f"the folder {watched.folder} is gone: it is looked for again")]
    shutil.move(watched.folder.with_name("away"), watched.folder)
    put(watched.folder / "b.png", "b")
    assert watched.looks() == ["b.png"]
    assert watched.said[1:] == [(True, f"the folder {watched.folder} is there again")]


def test_a_folder_that_never_was_there_is_not_called_gone(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "later")
    watched.looks()
    watched.folder.mkdir()
    watched.looks()
    assert watched.said == [
        (False, f"there is no folder {watched.folder}: it is looked for again"),
        (True, f"the folder {watched.folder} is there now"),
    ]


def test_copies_that_come_together_are_given_once_and_said_once(watched: Watched) -> None:
    for number, name in enumerate(["a.png", "b.png", "c.png"]):
        put(watched.folder / name, "a", 100 + number)
    watched.look()
    watched.now += watched.watch.wait_s
    [first] = list(watched.watch.poll())  # all of a look before anything of it is known, as the command takes them
    watched.known.add(first.sha256)
    assert first.path.name == "a.png"
    assert watched.looks() == []
    put(watched.folder / "d.png", "a")
    assert watched.looks() == []
    [remark] = watched.remarks
    assert "b.png holds what was inspected before: each content counts once" in remark


def test_a_copy_is_given_where_the_first_one_could_not_be_worked_on(watched: Watched) -> None:
    for number, name in enumerate(["a.png", "b.png"]):
        put(watched.folder / name, "a", 100 + number)
    watched.look()
    watched.now += watched.watch.wait_s
    [first] = list(watched.watch.poll())
    first.path.unlink()
    watched.watch.forget(first)
    assert watched.looks() == ["b.png"]


def test_a_drive_that_was_away_for_a_while_is_not_read_anew(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(watched.folder / "a.png", "a", 100)
    watched.looks()
    file.rename(file.with_name("a.away"))  # as the empty folder under a drive that is not mounted
    watched.looks()
    file.with_name("a.away").rename(file)
    monkeypatch.setattr(watch, "read_bytes", lambda path: pytest.fail("it was read again"))
    assert watched.looks() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_file_that_cannot_be_opened_is_waited_for_and_said_once(watched: Watched) -> None:
    file = put(watched.folder / "a.png", "a")
    file.chmod(0)
    assert watched.looks(30) == []
    assert len(watched.remarks) == 1
    file.chmod(0o600)
    assert watched.looks() == ["a.png"]


def test_a_file_that_another_program_holds_is_waited_for_and_said_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(watched.folder / "a.png", "a")

    def held(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(watch, "read_bytes", held)
        assert watched.looks(30) == []
    [sentence] = watched.remarks
    assert "a.png cannot be opened (Permission denied)" in sentence
    assert watched.looks() == ["a.png"]


def test_a_file_that_changes_while_it_is_read_is_not_given(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(watched.folder / "a.png", "a", 100)
    watched.look()

    def slow(path: Path) -> bytes:
        put(file, "b", 200)
        return b"a"

    with monkeypatch.context() as patch:
        patch.setattr(watch, "read_bytes", slow)
        assert watched.look() == []
    assert watched.looks() == ["a.png"]


def test_a_file_that_is_too_large_for_an_image_is_said_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_BYTES", 3_000_000)
    with (watched.folder / "a.png").open("wb") as file:
        file.truncate(4_000_000)
    assert watched.looks() == []
    assert watched.remarks == [f"{watched.folder / 'a.png'} holds more than 3 MB: it is passed over"]


def test_a_file_that_could_not_be_worked_on_comes_again(watched: Watched) -> None:
    put(watched.folder / "a.png", "a")
    watched.look()
    watched.now += 1
    [file] = watched.watch.poll()
    watched.watch.forget(file)
    assert watched.looks() == ["a.png"]


class TestMemory:
    @pytest.fixture
    def watched(self, tmp_path: Path) -> Watched:
        return Watched(tmp_path / "in", memory=tmp_path / "memory")

    def again(self, watched: Watched) -> Watched:
        return Watched(watched.folder, watched.memory, known=watched.known)

    def test_a_restart_does_not_read_what_is_done(self, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
        put(watched.folder / "a.png", "a")
        assert watched.looks() == ["a.png"]
        watched.watch.remember()
        after = self.again(watched)
        with monkeypatch.context() as patch:
            patch.setattr(watch.WatchedFolder, "_read", lambda *_: pytest.fail("it was read again"))
            assert after.looks() == []
        put(watched.folder / "b.png", "b")
        assert after.looks() == ["b.png"]

    def test_what_was_given_and_not_done_comes_again(self, watched: Watched) -> None:
        put(watched.folder / "a.png", "a")
        watched.looks()
        watched.known.clear()
        assert self.again(watched).looks() == ["a.png"]

    def test_a_cut_file_loses_its_last_entry(self, watched: Watched, tmp_path: Path) -> None:
        put(watched.folder / "a.png", "a", 100)
        put(watched.folder / "b.png", "b", 200)
        watched.looks()
        watched.watch.remember()
        memory = tmp_path / "memory"
        memory.write_bytes(memory.read_bytes()[:-3])
        watched.known.clear()
        assert self.again(watched).looks() == ["b.png"]

    def test_a_disk_that_was_full_for_a_while_leaves_whole_entries(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(watched.folder / "a.png", "a", 100)
        watched.looks()
        watched.watch.remember()
        put(watched.folder / "b.png", "b", 200)
        watched.looks()
        with monkeypatch.context() as full:
            real = os.write
            full.setattr(os, "write", lambda file, data: real(file, data[:5]))
            with pytest.raises(OddlensError, match="cannot be written"):
                watched.watch.remember()
        watched.watch.remember()
        watched.known.clear()
        assert self.again(watched).looks() == []

    def test_files_that_are_gone_are_forgotten_in_time(
        self, watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "_SPARE", 5)
        for number in range(20):
            file = put(watched.folder / f"{number}.png", str(number))
            watched.looks()
            watched.watch.remember()
            file.unlink()
        watched.look()
        assert len((tmp_path / "memory").read_bytes()) <= 8 * 6


class Entry:
    """What a folder lists, without a disk."""

    def __init__(self, number: int) -> None:
        self.name = f"{number:06d}.png"
        self.path = f"/{'line' * 50}/{self.name}"

    def stat(self) -> os.stat_result:
        return os.stat_result((0o100644, 1, 1, 1, 0, 0, 1000, 0, 0, 0))


def test_of_many_files_little_is_held(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(self: WatchedFolder, top: str) -> Iterator[Entry]:
        return map(Entry, range(20_000))

    monkeypatch.setattr(WatchedFolder, "_walk", walk)
    monkeypatch.setattr(watch, "MOST_AT_ONCE", 100)
    monkeypatch.setattr(watch, "read_bytes", lambda path: pytest.fail("not in this test"))
    tracemalloc.start()
    try:
        watched.look()
        held = tracemalloc.get_traced_memory()[0]
        watched.watch._look()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held < 20_000 * 200  # bytes of a name alone
    assert peak < 2 * 20_000 * 200  # by two looks


def test_each_ends_when_it_is_told_to(watched: Watched) -> None:
    put(watched.folder / "a.png", "a")
    stop = threading.Event()
    stop.set()
    assert list(watched.watch.each(stop)) == []


class TestMover:
    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        mover = Mover(tmp_path)
        put(tmp_path / "ng" / "a.png", "earlier")
        file = put(tmp_path / "a.png", "a")
        place = mover.place(file, "ng")
        mover.move(file, place)
        assert place == tmp_path / "ng" / "a-2.png"
        assert place.read_text() == "a"
        assert (tmp_path / "ng" / "a.png").read_text() == "earlier"
        assert not file.exists()

    def test_two_files_of_one_name_get_two_places(self, tmp_path: Path) -> None:
        mover = Mover(tmp_path)
        assert mover.place(tmp_path / "a.png", "ok") == tmp_path / "done" / "a.png"
        assert mover.place(tmp_path / "a.png", "none") == tmp_path / "done" / "a-2.png"

    def test_folders_are_kept(self, tmp_path: Path) -> None:
        assert (
            Mover(tmp_path).place(tmp_path / "monday" / "a.png", "failed") == tmp_path / "failed" / "monday" / "a.png"
        )

    def test_a_place_that_somebody_took_meanwhile_is_not_overwritten(self, tmp_path: Path) -> None:
        mover = Mover(tmp_path)
        file = put(tmp_path / "a.png", "a")
        place = mover.place(file, "ok")
        put(place, "theirs")
        with pytest.raises(OddlensError, match=r"there is such a file already\): it stays where it is"):
            mover.move(file, place)
        assert place.read_text() == "theirs"
        assert file.read_text() == "a"

    def test_its_folders_are_not_watched(self, tmp_path: Path) -> None:
        mover = Mover(tmp_path)
        put(tmp_path / "ng" / "a.png", "a")
        put(tmp_path / "b.png", "b")
        assert Watched(tmp_path, leave_out=mover.folders).looks() == ["b.png"]


def test_a_file_cannot_be_watched(tmp_path: Path) -> None:
    check_watchable(tmp_path / "comes later")
    with pytest.raises(UsageError, match=r"is no folder: give the folder that images come into"):
        check_watchable(put(tmp_path / "a.png", "a"))


def test_each_folder_of_each_station_has_a_memory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "parts")
    mine = memory_in(tmp_path / "watched", "line-3", tmp_path / "parts")
    assert mine.parent == tmp_path / "watched"
    assert mine == memory_in(tmp_path / "watched", "line-3", tmp_path / "link")  # the same folder
    assert mine != memory_in(tmp_path / "watched", "line-4", tmp_path / "parts")
    assert mine != memory_in(tmp_path / "watched", "line-3", tmp_path / "others")
