"""Maps that wait on disk."""

import pickle
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from oddlens.errors import DiskError, OddlensError
from oddlens.evaluation.map_file import MapFile


def test_maps_of_any_size_come_back_in_order(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    maps = [generator.random(shape, dtype=np.float32) for shape in ((3, 4), (1, 1), (5, 2))]
    kept = MapFile(tmp_path)
    for part in maps:
        kept.append(part)
    found = kept.read()
    kept.close()
    for ours, theirs in zip(found, maps, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.float32


def test_nothing_is_left_in_the_folder_even_while_it_is_used(tmp_path: Path) -> None:
    kept = MapFile(tmp_path / "out")
    kept.append(np.zeros((2, 2), np.float32))
    assert list((tmp_path / "out").iterdir()) == []


def test_without_maps_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert MapFile(tmp_path).read() == []


@contextmanager
def small_disk() -> Iterator[None]:
    """No file takes more than 100 bytes: the last write takes a part, as on a disk that fills up. Nor does pytest's own output."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", [None, "0.maps"])
def test_a_full_disk_is_one_sentence_and_half_a_map_is_none(tmp_path: Path, name: str | None) -> None:
    whole, other = np.arange(20, dtype=np.float32).reshape(4, 5), np.ones((3, 4), np.float32)
    kept, more = MapFile(tmp_path, name), MapFile(tmp_path, "more.maps")
    full = rf"^{re.escape(str(tmp_path))} cannot be written \(File too large\): check the folder, permissions and free space$"
    with small_disk():
        kept.append(whole)
        more.append(other)
        with pytest.raises(DiskError, match=full):
            kept.append(other)
        with pytest.raises(DiskError, match=full):
            kept.merge(more)
    (found,) = kept.read()
    np.testing.assert_array_equal(found, whole)
    kept.close()
    more.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OddlensError, match=r"file/out cannot be written \(Not a directory\)"):
        MapFile(tmp_path / "file" / "out")


def test_files_with_names_come_from_other_processes_and_are_merged(tmp_path: Path) -> None:
    maps = [np.full((2, number), number, np.float32) for number in (1, 2, 3, 4)]
    parts = [MapFile(tmp_path, str(number)) for number in range(2)]
    for part, own in zip(parts, (maps[:1], maps[1:]), strict=True):
        for each in own:
            part.append(each)
    first, second = (pickle.loads(pickle.dumps(part)) for part in parts)
    first.merge(second)
    assert {path.name for path in tmp_path.iterdir()} == {"0"}
    for ours, theirs in zip(first.read(), maps, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    first.close()
    assert list(tmp_path.iterdir()) == []
