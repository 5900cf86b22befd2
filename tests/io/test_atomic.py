"""Files are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oddlens.errors import DiskError, OddlensError
from oddlens.io.atomic import append, remove, replacing, write_bytes, write_text


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def sentence_of(error: pytest.ExceptionInfo[OddlensError]) -> str:
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


@given(st.binary())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_come_back_and_nothing_else_is_left_in_the_folder(tmp_path: Path, data: bytes) -> None:
    write_bytes(tmp_path / "x.bin", data)
    assert (tmp_path / "x.bin").read_bytes() == data
    assert names_in(tmp_path) == ["x.bin"]


def test_text_is_written_as_utf_8_with_its_line_ends_as_they_are(tmp_path: Path) -> None:
    write_text(tmp_path / "x.txt", "größe\r\n部品\n")
    assert (tmp_path / "x.txt").read_bytes() == "größe\r\n部品\n".encode()


def test_what_is_no_text_is_written_as_an_escape(tmp_path: Path) -> None:
    write_text(tmp_path / "x.txt", "gr\udcf6\udcdfe")
    assert (tmp_path / "x.txt").read_bytes() == rb"gr\udcf6\udcdfe"


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "x.txt", "here")
    assert (tmp_path / "a" / "b" / "x.txt").read_text() == "here"


def test_the_temporary_path_is_a_hidden_neighbour_with_the_same_suffix(tmp_path: Path) -> None:
    with replacing(tmp_path / "x.png") as temporary:
        temporary.write_bytes(b"")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert temporary.name.startswith(".")


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "x.txt"
    target.write_text("old")

    def interrupted() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["x.txt"]


def test_a_full_disk_is_one_sentence_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    def fill_the_disk() -> None:
        with replacing(tmp_path / "x.bin") as temporary:
            temporary.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OddlensError) as error:
        fill_the_disk()
    assert sentence_of(error) == (
        f"{tmp_path}/x.bin cannot be written (No space left on device): check the folder, permissions and free space"
    )
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("lines", [True, False])
def test_what_is_added_is_there_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: bool
) -> None:
    path, real = tmp_path / "log", os.write
    append(path, b"first\n", lines=lines)
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: real(file, data[:3]))
        with pytest.raises(DiskError, match=r"log cannot be written \(No space left on device\)"):
            append(path, b"second\n", lines=lines)
    append(path, b"third\n", lines=lines)
    assert path.read_bytes() == b"first\nthird\n"


def test_a_line_is_added_behind_one_that_a_stop_cut_off(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"first\nsec")
    append(tmp_path / "log", b"third\n")
    append(tmp_path / "log", b"8 bytes.", lines=False)
    assert (tmp_path / "log").read_bytes() == b"first\nsec\nthird\n8 bytes."


def test_what_cannot_be_removed_is_one_sentence(tmp_path: Path) -> None:
    write_text(tmp_path / "x.txt", "")
    remove(tmp_path / "x.txt")
    remove(tmp_path / "x.txt")  # it is gone already
    (tmp_path / "folder").mkdir()
    with pytest.raises(OddlensError) as error:
        remove(tmp_path / "folder")
    assert "folder cannot be removed (Is a directory): change its permissions" in sentence_of(error)


def test_a_folder_that_may_not_be_written_to_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OddlensError) as error:
        write_bytes(tmp_path / "x.bin", b"")
    assert "x.bin cannot be written (Permission denied)" in sentence_of(error)


def test_a_file_where_a_folder_is_needed_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(OddlensError) as error:
        write_text(tmp_path / "a" / "x.txt", "")
    assert "a/x.txt cannot be written (" in sentence_of(error)


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(OddlensError) as error:
        write_text(tmp_path, "")
    assert sentence_of(error) == f"{tmp_path} cannot be written because it is a folder: choose another name"


def test_a_pipe_or_a_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OddlensError) as error:
        write_text(tmp_path / "pipe", "")
    assert "pipe cannot be written because it is not a regular file: choose another name" in sentence_of(error)
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_goes_on_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "x.txt")
    write_text(tmp_path / "link.txt", "through")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real" / "x.txt").read_text() == "through"


@pytest.mark.parametrize("name", ["x.txt", "a/b/x.txt"])
def test_a_folder_that_is_a_link_to_nowhere_is_not_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "away")
    with pytest.raises(
        OddlensError, match="link is a link to a folder that does not exist: make that folder, or choose"
    ):
        write_text(tmp_path / "link" / name, "")
    assert names_in(tmp_path) == ["link"]
    (tmp_path / "away").mkdir()
    write_text(tmp_path / "link" / name, "")
    assert (tmp_path / "away" / name).is_file()


def test_a_disk_that_takes_no_more_differs_from_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        with replacing(tmp_path / "x.bin"):
            raise OSError(number, os.strerror(number))

    for number in (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG):
        with pytest.raises(DiskError):
            fail(number)
    with pytest.raises(OddlensError) as error:
        fail(errno.EACCES)
    assert not isinstance(error.value, DiskError)


def test_a_file_is_as_readable_for_others_as_any_new_file(tmp_path: Path) -> None:
    write_text(tmp_path / "x.txt", "")
    (tmp_path / "plain.txt").write_text("")
    assert (tmp_path / "x.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


@pytest.mark.parametrize("name", ["two\nlines.txt", "-x.txt", "🔩 part.txt", "n" * 250 + ".txt"])
def test_odd_and_long_names_are_fine(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "here")
    assert names_in(tmp_path) == [name]


def test_the_suffix_is_that_of_the_name_and_not_of_what_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "map.tiff").symlink_to("elsewhere")
    with replacing(tmp_path / "map.tiff") as temporary:
        assert temporary.suffix == ".tiff"
        temporary.write_bytes(b"x")
    assert (tmp_path / "elsewhere").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["a\0b.txt", "\ud800.txt"])
def test_a_name_that_no_file_can_have_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(OddlensError, match="is no possible file name: choose another name"):
        write_text(tmp_path / name, "x")
