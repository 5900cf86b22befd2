"""Features on disk: computed once, in shards, and not again after a stop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oddlens.errors import OddlensError
from oddlens.training.feature_cache import Arrays, FeatureCache

SHAPES = {"wide": ((2, 3), np.float16), "word": ((), "U8")}


def compute(rows: range) -> Arrays:
    return {
        "wide": np.array([np.full((2, 3), row) for row in rows]),
        "word": np.array([f"row {row}" for row in rows]),
    }


def make_cache(folder: Path, count: int = 10, most_open: int = 128) -> FeatureCache:
    return FeatureCache(folder, count, SHAPES, shard=4, most_open=most_open)


def test_rows_come_back_in_the_order_given(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    assert list(cache.fill(compute)) == [4, 8, 10]
    rows = cache.rows([9, 0, 5])
    assert rows["wide"].dtype == np.float16
    assert rows["wide"][:, 0, 0].tolist() == [9, 0, 5]
    assert rows["word"].tolist() == ["row 9", "row 0", "row 5"]


def test_its_size_is_known_beforehand(tmp_path: Path) -> None:
    assert make_cache(tmp_path).nbytes == 10 * (2 * 3 * 2 + 8 * 4)
    assert not list(tmp_path.iterdir())


def test_a_stopped_filling_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    filling = make_cache(tmp_path).fill(compute)
    next(filling)
    asked: list[range] = []

    def counted(rows: range) -> Arrays:
        asked.append(rows)
        return compute(rows)

    list(make_cache(tmp_path).fill(counted))
    assert asked == [range(4, 8), range(8, 10)]
    list(make_cache(tmp_path).fill(counted))
    assert len(asked) == 2


def test_more_rows_use_the_whole_shards_that_are_there(tmp_path: Path) -> None:
    list(make_cache(tmp_path, 6).fill(compute))
    longer = make_cache(tmp_path, 9)
    list(longer.fill(compute))
    assert longer.rows([3, 5, 8])["wide"][:, 0, 0].tolist() == [3, 5, 8]


def test_a_shard_that_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(rows: range) -> Arrays:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(make_cache(tmp_path).fill(fail))
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_known_shard_by_shard(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    assert cache.missing_nbytes == cache.nbytes
    next(cache.fill(compute))
    assert cache.missing_nbytes == cache.nbytes * 6 // 10
    list(cache.fill(compute))
    assert cache.missing_nbytes == 0


def test_only_so_many_files_are_open_at_a_time(tmp_path: Path) -> None:
    cache = make_cache(tmp_path, most_open=3)
    list(cache.fill(compute))
    for row in (0, 9, 5, 1, 8):
        assert cache.row(row)["wide"][0, 0] == row
        assert cache.row(row)["word"] == f"row {row}"
        assert cache.open_files <= 3


class TestDamage:
    @pytest.fixture
    def shard(self, tmp_path: Path) -> Path:
        """The second shard of "wide" in a full cache."""
        list(make_cache(tmp_path).fill(compute))
        return tmp_path / "wide-000004-000008.npy"

    @pytest.mark.parametrize(
        "damage",
        [
            lambda path: path.write_bytes(b""),
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            lambda path: path.write_bytes(path.read_bytes().replace(b"descr", b'd"sc(')),
            lambda path: np.save(path, np.zeros((4, 2, 3), np.float32)),
            lambda path: np.save(path, np.zeros((4, 3, 2), np.float16)),
            lambda path: np.save(path, np.array([None] * 4)),
            lambda path: (path.unlink(), path.symlink_to("nowhere")),
        ],
        ids=["empty", "cut", "header", "type", "shape", "objects", "link"],
    )
    def test_a_shard_that_is_not_what_was_written_is_computed_again(
        self, shard: Path, damage: Callable[[Path], object]
    ) -> None:
        damage(shard)
        cache = make_cache(shard.parent)
        assert cache.missing_nbytes > 0
        list(cache.fill(compute))
        assert cache.rows(range(10))["wide"][:, 0, 0].tolist() == list(range(10))

    def test_numbers_that_are_not_finite_are_never_given(self, shard: Path) -> None:
        np.save(shard, np.full((4, 2, 3), np.nan, np.float16))
        cache = make_cache(shard.parent)
        assert cache.row(3)["wide"][0, 0] == 3
        with pytest.raises(OddlensError, match=r"wide-000004-000008\.npy holds numbers that are not finite: delete it"):
            cache.row(4)

    def test_a_shard_that_was_damaged_since_the_filling_is_reported(self, shard: Path) -> None:
        cache = make_cache(shard.parent)
        list(cache.fill(compute))
        shard.write_bytes(b"x")
        with pytest.raises(OddlensError, match=r"wide-000004-000008\.npy is missing or damaged: start again"):
            cache.row(5)

    def test_rows_of_another_shape_than_the_caches_are_never_reshaped(self, tmp_path: Path) -> None:
        cache = FeatureCache(tmp_path, 10, {"wide": ((3, 2), np.float16)}, shard=4)
        with pytest.raises(OddlensError, match="notes 'wide' of another shape"):
            list(cache.fill(compute))
