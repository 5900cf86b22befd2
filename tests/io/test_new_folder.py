"""Folders that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from oddlens.errors import OddlensError, UsageError
from oddlens.io.lock import FolderLock
from oddlens.io.new_folder import check_folder_name, new_folder


def test_what_was_written_is_there_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "b") as made:
        (made / "file").write_text("x")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), OddlensError("bad")])
def test_nothing_is_there_when_it_fails(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "new") as made:
            (made / "file").write_text("x")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OddlensError, match=r"new cannot be written \(full\)"), new_folder(tmp_path / "new"):
        raise OSError(28, "full")


def test_nothing_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"file exists: give a new folder"), new_folder(tmp_path / "file"):
        pytest.fail("it began")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"link exists"), new_folder(tmp_path / "link"):
        pytest.fail("it began")


def test_what_a_killed_program_left_is_removed_and_what_a_running_one_holds_is_not(tmp_path: Path) -> None:
    target = tmp_path / "line [3]"
    names = (".line [3]-killed", ".line [3]-running", ".line [3]-of the user", ".line 3-of another")
    killed, running, users, other = (tmp_path / name for name in names)
    for folder in (killed, users, other):
        (folder / "made").mkdir(parents=True)
    for folder in (killed, other):
        (folder / ".oddlens.lock").touch()
    lock = FolderLock(running)
    lock.acquire()
    with new_folder(target) as made:
        assert not killed.exists()
        assert (made.parent / ".oddlens.lock").exists()
    lock.release()
    assert sorted(tmp_path.iterdir()) == sorted([running, users, other, target])


@pytest.mark.parametrize("name", ["a", "línea 3", "v1.2-b_c", "x" * 64])
def test_a_name_that_a_folder_can_have_anywhere(name: str) -> None:
    check_folder_name(name, "a station")


@pytest.mark.parametrize("name", ["", "..", ".a", "a/b", "a\\b", "con:", " a", "a ", "a.", "-", "x" * 65])
def test_a_name_that_would_be_trouble_somewhere(name: str) -> None:
    with pytest.raises(UsageError, match=r"^a station cannot be called .*: give letters, digits, spaces, dots, dashes"):
        check_folder_name(name, "a station")
