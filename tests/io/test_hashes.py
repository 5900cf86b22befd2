"""Hashes of files, and where those of large ones are cached."""

import os
from pathlib import Path

import pytest

from oddlens.io import hashes
from oddlens.io.hashes import cache_folder, content_hash, file_hash


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("ODDLENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestWhere:
    def test_the_folder_is_the_one_given_else_in_the_users_cache(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("ODDLENS_CACHE", str(tmp_path / "mine"))
        assert cache_folder() == tmp_path / "mine"
        monkeypatch.delenv("ODDLENS_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert cache_folder() == tmp_path / "xdg" / "oddlens"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "oddlens"


class TestHashes:
    def test_they_depend_on_content_and_order_and_not_on_names(self, tmp_path: Path) -> None:
        a, b, c = (tmp_path / name for name in "abc")
        a.write_bytes(b"one")
        b.write_bytes(b"two")
        c.write_bytes(b"one")
        assert content_hash([a, b]) == content_hash([c, b])
        assert len({content_hash([a, b]), content_hash([b, a]), content_hash([a]), content_hash([])}) == 4
        c.write_bytes(b"onf")
        assert content_hash([a, b]) != content_hash([c, b])

    @pytest.fixture
    def large(self, tmp_path: Path) -> Path:
        """A file from the size on at which hashes are remembered; it takes no room."""
        path = tmp_path / "large"
        with path.open("wb") as file:
            file.truncate(64 << 20)
        return path

    def test_that_of_a_large_file_is_remembered_until_it_changes(
        self, folder: Path, large: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[Path] = []

        def reading(path: Path) -> str:
            read.append(path)
            return file_hash(path)

        monkeypatch.setattr(hashes, "file_hash", reading)
        first = content_hash([large])
        assert content_hash([large]) == first
        assert len(read) == 1
        with large.open("r+b") as file:
            file.write(b"x")
        os.utime(large, ns=(0, 1))
        assert content_hash([large]) != first
        assert len(read) == 2

    @pytest.mark.parametrize("damage", [b"", b"\xff" * 64, b"0123", b"0" * 64, b"one digit"])
    def test_a_damaged_note_of_it_is_made_again(self, folder: Path, large: Path, damage: bytes) -> None:
        first = content_hash([large])
        (note,) = (folder / "hashes").iterdir()
        whole = note.read_bytes()
        if damage == b"one digit":
            damage = (b"1" if whole[:1] == b"0" else b"0") + whole[1:]
        note.write_bytes(damage)
        assert content_hash([large]) == first
        assert note.read_bytes() == whole

    def test_links_in_a_circle_are_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("link")
        with pytest.raises(OSError, match="symbolic links"):
            content_hash([tmp_path / "link"])
