"""Short hashes of the contents of files."""

import hashlib
from pathlib import Path

import pytest

from oddlens.data import contents
from oddlens.data.contents import Contents, TrainingImages, files_of
from oddlens.data.record import Record


def short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def test_they_are_of_the_bytes_in_the_order_of_the_files(tmp_path: Path) -> None:
    first, second, copy, gone = (tmp_path / name for name in ("a.png", "b.png", "c.png", "gone.png"))
    first.write_bytes(b"one")
    second.write_bytes(b"two")
    copy.write_bytes(b"one")
    found = Contents().hashes([second, first, copy, gone, tmp_path])
    assert found == [short(b"two"), short(b"one"), short(b"one"), "", ""]


def test_each_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        file.write_bytes(b"one")
    read: list[Path] = []
    real = contents.file_hash
    monkeypatch.setattr(contents, "file_hash", lambda path: read.append(path) or real(path))
    known = Contents()
    seen: list[int] = []
    assert known.hashes([*files, files[0]], seen.append) == known.hashes([files[0], *files]) == [short(b"one")] * 3
    assert sorted(read) == files
    assert seen == [1, 1]
    training = TrainingImages([*files, files[0]])
    assert len(training) == 2
    assert training.sha256(seen.append) == training.sha256(seen.append) == short(b"one")
    assert sorted(read) == sorted(2 * files)
    assert seen == [1] * 4


def test_a_training_keeps_each_once_sorted_and_none_of_a_file_that_is_gone(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file, content in zip(files, (b"one", b"two", b"one"), strict=False):
        file.write_bytes(content)
    assert TrainingImages(files).sha256() == " ".join(sorted([short(b"one"), short(b"two")]))
    assert TrainingImages([]).sha256() == ""


def test_the_files_of_a_record_are_all_that_its_figures_depend_on(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("1.png", "2.png"):
        (masks / name).write_bytes(b"")
    image, labels, legend = (tmp_path / name for name in ("a.png", "labels.png", "legend.json"))
    whole = Record(image, masks, 1, "road", "dog", "test", labels, labels, legend)
    assert list(files_of(whole)) == [image, masks / "1.png", masks / "2.png", labels, labels, legend]
    assert list(files_of(Record(image, None, 0, "road", "good", "test", legend="cityscapes"))) == [image]
