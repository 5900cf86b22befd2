"""Files that stand twice in a data set."""

import shutil
from pathlib import Path

from oddlens.data.copies import copies
from oddlens.data.record import Record


def record(path: Path) -> Record:
    return Record(path, None, 0, "bolt", "good", "test")


def written(path: Path, content: bytes) -> Record:
    path.write_bytes(content)
    return record(path)


def test_only_the_same_bytes_are_a_copy(tmp_path: Path) -> None:
    first, second = (written(tmp_path / name, content) for name, content in (("a", b"123"), ("b", b"456")))
    longer, same = written(tmp_path / "c", b"1234"), record(shutil.copy(first.image, tmp_path / "d"))
    assert list(copies([longer, same], [second, first])) == [(same, first)]
    assert list(copies([same], [])) == []


def test_a_file_that_is_gone_is_no_copy(tmp_path: Path) -> None:
    there, gone = written(tmp_path / "a", b"123"), record(tmp_path / "gone")
    assert list(copies([gone, there], [gone, there])) == [(there, there)]
