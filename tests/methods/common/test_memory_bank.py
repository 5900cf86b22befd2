"""Memory bank: the nearest of all rows, exactly, however it is computed; and how banks are joined, thinned out and kept."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from oddlens.errors import ModelError, UsageError
from oddlens.methods.common.memory_bank import MemoryBank


def brute_force(references: Tensor, queries: Tensor) -> Tensor:
    """1 - cosine of every query row with every reference row, one by one, in float64; the smallest for each."""
    rows = references.double().flatten(0, 1)
    found = torch.empty(queries.shape[:2], dtype=torch.float64)
    for image in range(queries.shape[0]):
        for row in range(queries.shape[1]):
            query = queries[image, row].double()
            found[image, row] = min(1 - float(query @ known / (query.norm() * known.norm())) for known in rows)
    return found


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 5


@settings(max_examples=40, deadline=None)
@given(
    images=st.integers(1, 4), rows=st.integers(1, 6), batch=st.integers(1, 3), query_rows=st.integers(1, 5),
    channels=st.integers(1, 9), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_the_distance_is_that_of_the_nearest_row(
    images: int, rows: int, batch: int, query_rows: int, channels: int, seed: int
) -> None:
    references, queries = drawn(images, rows, channels, seed=seed), drawn(batch, query_rows, channels, seed=seed + 1)
    found = MemoryBank({"patch": references}).distance("patch", queries)
    assert found.shape == (batch, query_rows)
    assert found.dtype == torch.float32
    assert (found - brute_force(references, queries)).abs().max() < 2e-6
    assert found.min() >= 0


@pytest.mark.parametrize("chunk", [1, 7, 50, 10**6])
def test_how_much_is_compared_at_once_changes_nothing(chunk: int) -> None:
    references, queries = drawn(3, 10, 16, seed=1), drawn(2, 11, 16, seed=2)
    together = MemoryBank({"patch": references}).distance("patch", queries)
    assert torch.allclose(
        MemoryBank({"patch": references}, chunk=chunk).distance("patch", queries), together, atol=1e-6
    )


def test_a_row_that_is_known_has_no_distance() -> None:
    """Not even a negative one by rounding, of which the harmonic mean would make anything."""
    references = drawn(4, 50, 64, seed=3)
    found = MemoryBank({"patch": references}).distance("patch", 3 * references)
    assert found.min() >= 0
    assert found.max() < 1e-6


def test_the_opposite_of_what_is_known_is_at_distance_two() -> None:
    references = drawn(1, 1, 8, seed=4)
    assert MemoryBank({"patch": references}).distance("patch", -references).item() == pytest.approx(2, abs=1e-6)


def test_length_does_not_matter() -> None:
    references, queries = drawn(2, 3, 8, seed=5), drawn(1, 4, 8, seed=6)
    plain = MemoryBank({"patch": references}).distance("patch", queries)
    scaled = MemoryBank({"patch": references * torch.tensor([[[0.01]], [[100]]])}).distance("patch", queries * 7)
    assert torch.allclose(scaled, plain, atol=1e-6)


def test_what_was_handed_in_stays_as_it_is() -> None:
    references = drawn(2, 3, 8, seed=7)
    before = references.clone()
    MemoryBank({"patch": references}).distance("patch", references)
    assert torch.equal(references, before)


def test_features_are_kept_by_name_and_of_half_precision_too() -> None:
    patch, window = drawn(3, 4, 8, seed=8), drawn(3, 2, 5, seed=9)
    memory = MemoryBank({"patch": patch.half(), "window": window})
    assert memory.distance("patch", patch).max() < 2e-3
    assert memory.distance("window", drawn(1, 6, 5, seed=10)).shape == (1, 6)


class TestLeavingOut:
    @pytest.mark.parametrize("chunk", [1, 30, 10**6])
    @settings(max_examples=20, deadline=None)
    @given(images=st.integers(2, 5), rows=st.integers(1, 6), data=st.data())
    def test_a_reference_is_held_against_all_others(
        self, chunk: int, images: int, rows: int, data: st.DataObject
    ) -> None:
        references = drawn(images, rows, 9, seed=data.draw(st.integers(0, 10**6)))
        numbers = data.draw(st.lists(st.integers(0, images - 1), min_size=1, max_size=4))
        memory, queries = MemoryBank({"patch": references}, chunk=chunk), references[numbers]
        found = memory.leaving_out(torch.tensor(numbers)).distance("patch", queries)
        assert torch.equal(memory.distance("patch", queries, exclude=torch.tensor(numbers)), found)
        for number, query, row in zip(numbers, queries, found, strict=True):
            others = references[[each for each in range(images) if each != number]]
            assert (row - brute_force(others, query[None])[0]).abs().max() < 2e-6
        assert memory.distance("patch", queries).max() < 1e-6  # the memory itself leaves nothing out

    def test_it_copies_nothing(self) -> None:
        memory = MemoryBank({"patch": drawn(3, 4, 8, seed=12)})
        for other in (memory.leaving_out(torch.tensor([0])), memory.with_values({"usual": torch.ones(())})):
            assert other.rows("patch") is memory.rows("patch")

    def test_values_stay(self) -> None:
        memory = MemoryBank({"patch": drawn(3, 4, 8, seed=12)}).with_values({"usual": torch.tensor(2.0)})
        assert memory.leaving_out(torch.tensor([0])).values == {"usual": torch.tensor(2.0)}

    def test_of_a_single_image_nothing_is_left(self) -> None:
        references = drawn(1, 4, 8, seed=12)
        found = MemoryBank({"patch": references}).leaving_out(torch.tensor([0])).distance("patch", references)
        assert found.isinf().all()


class TestTiles:
    """Images that are tiles: those of one picture are left out together."""

    PICTURES = (0, 0, 1, 2, 2, 2)

    def test_a_tile_is_held_against_the_tiles_of_the_other_pictures(self) -> None:
        tiles, pictures = drawn(6, 4, 5, seed=3), torch.tensor(self.PICTURES)
        bank = MemoryBank({"patch": tiles}).of_tiles(pictures)
        assert bank.picture_count == 3
        found = bank.leaving_out(torch.arange(6)).distance("patch", tiles)
        for number, picture in enumerate(self.PICTURES):
            others = MemoryBank({"patch": tiles[pictures != picture]})
            assert torch.allclose(found[number], others.distance("patch", tiles[number : number + 1])[0], atol=1e-6)

    @pytest.mark.parametrize("chunk", [1, 7, 24, 1000])
    def test_how_much_is_compared_at_once_changes_nothing(self, chunk: int) -> None:
        tiles, pictures = drawn(6, 4, 5, seed=4), torch.tensor(self.PICTURES)
        found, whole = (
            MemoryBank({"patch": tiles}, chunk=each)
            .of_tiles(pictures)
            .leaving_out(torch.arange(2, 6))
            .distance("patch", tiles[2:])
            for each in (chunk, 10**6)
        )
        assert torch.allclose(found, whole, atol=1e-6)

    def test_of_one_picture_nothing_is_left(self) -> None:
        tiles = drawn(3, 2, 4, seed=5)
        bank = MemoryBank({"patch": tiles}).of_tiles(torch.zeros(3, dtype=torch.int64))
        assert bank.leaving_out(torch.arange(3)).distance("patch", tiles).isinf().all()

    def test_banks_of_tiles_are_joined(self) -> None:
        tiles = drawn(6, 2, 4, seed=6)
        first = MemoryBank({"patch": tiles[:2]}).of_tiles(torch.tensor([0, 0]))
        second = MemoryBank({"patch": tiles[2:]}).of_tiles(torch.tensor([0, 1, 1, 1]))
        found = first.add(second)
        whole = MemoryBank({"patch": tiles}).of_tiles(torch.tensor(self.PICTURES))
        assert (len(found), found.picture_count) == (6, 3)
        queries = torch.arange(6)
        assert (
            found.leaving_out(queries)
            .distance("patch", tiles)
            .equal(whole.leaving_out(queries).distance("patch", tiles))
        )
        assert first.add(MemoryBank({"patch": tiles[2:4]})).picture_count == 3
        assert first.add(second, MemoryBank({"patch": tiles[:2]}), first).picture_count == 6


class TestAdding:
    @settings(max_examples=20, deadline=None)
    @given(
        counts=st.lists(st.integers(1, 3), min_size=1, max_size=4), rows=st.integers(1, 5), seed=st.integers(0, 10**6)
    )
    def test_it_is_as_if_all_images_had_come_at_once(self, counts: list[int], rows: int, seed: int) -> None:
        features = {"patch": drawn(sum(counts), rows, 7, seed=seed), "window": drawn(sum(counts), 2, 3, seed=seed)}
        whole = MemoryBank(features)
        parts = zip(*(torch.split(value, counts) for value in features.values()), strict=True)
        first, *others = (MemoryBank(dict(zip(features, part, strict=True))) for part in parts)
        joined = first.add(*others)
        assert len(joined) == len(whole) == sum(counts)
        for name in features:
            assert torch.equal(joined.rows(name), whole.rows(name))
            assert torch.equal(joined.owners(name), whole.owners(name))

    def test_neither_bank_changes(self) -> None:
        one, two = (MemoryBank({"patch": drawn(2, 3, 4, seed=seed)}) for seed in (1, 2))
        one.add(two)
        assert len(one) == len(two) == 2
        assert len(one.rows("patch")) == 6

    @pytest.mark.parametrize(
        "other",
        [
            {"window": drawn(1, 3, 4, seed=1)},
            {"patch": drawn(1, 3, 5, seed=1)},
            {"patch": drawn(1, 3, 4, seed=1).half()},
        ],
    )
    def test_other_features_are_refused(self, other: dict[str, Tensor]) -> None:
        with pytest.raises(UsageError, match=r"banks of other features cannot be joined: this one has .*4 x float32"):
            MemoryBank({"patch": drawn(1, 3, 4, seed=1)}).add(MemoryBank(other))


class TestCoreset:
    @settings(max_examples=30, deadline=None)
    @given(images=st.integers(1, 4), rows=st.integers(1, 8), most=st.integers(4, 20), seed=st.integers(0, 10**6))
    def test_each_row_taken_was_the_farthest_of_all(self, images: int, rows: int, most: int, seed: int) -> None:
        references = drawn(images, rows, 5, seed=seed)
        unit = torch.nn.functional.normalize(references, dim=-1).flatten(0, 1)
        bank = MemoryBank({"patch": references}, max_rows=most)
        kept = [int((unit == row).all(dim=1).nonzero()[0]) for row in bank.rows("patch")]
        assert len(set(kept)) == len(kept) == min(most, images * rows)
        assert kept == sorted(kept)
        assert bank.owners("patch").tolist() == [number // rows for number in kept]
        # Brute force: from the first rows on, the farthest row in float64; a tie in rounding may go to either.
        taken = [image * rows for image in range(images)]
        while len(taken) < len(kept):
            far = 1 - (unit.double() @ unit[taken].double().T).amax(dim=1)
            far[taken] = -1
            taken.append(max(set(kept) - set(taken), key=lambda number: float(far[number])))
            assert far[taken[-1]] > far.max() - 1e-6

    def test_it_is_the_same_every_time(self) -> None:
        references = drawn(3, 20, 8, seed=3)
        one, two = (MemoryBank({"patch": references}, max_rows=17) for _ in range(2))
        assert torch.equal(one.rows("patch"), two.rows("patch"))

    def test_equal_rows_go_last(self) -> None:
        references = torch.cat([torch.ones(1, 5, 2), torch.tensor([[[1.0, 0]]])], dim=1)
        bank = MemoryBank({"patch": references}, max_rows=2)
        assert bank.rows("patch")[1].tolist() == [1, 0]

    def test_a_query_is_at_most_so_much_farther_as_the_rows_left_out_are_from_those_kept(self) -> None:
        references, queries = drawn(4, 30, 6, seed=5), drawn(2, 10, 6, seed=6)
        whole, core = MemoryBank({"patch": references}), MemoryBank({"patch": references}, max_rows=40)
        angle = lambda distance: torch.acos(1 - distance)  # noqa: E731 angles obey the triangle inequality
        radius = angle(core.distance("patch", references)).max()
        apart = angle(core.distance("patch", queries)) - angle(whole.distance("patch", queries))
        assert apart.min() >= -1e-3
        assert apart.max() <= radius + 1e-3

    def test_every_image_keeps_a_row(self) -> None:
        references = drawn(5, 9, 4, seed=7)
        assert set(MemoryBank({"patch": references}, max_rows=5).owners("patch").tolist()) == set(range(5))
        with pytest.raises(UsageError, match="max_rows 4 is less than the 5 images"):
            MemoryBank({"patch": references}, max_rows=4)


class TestFiles:
    def bank(self) -> MemoryBank:
        features = {"patch": drawn(3, 4, 8, seed=8).half(), "window": drawn(3, 2, 5, seed=9)}
        return MemoryBank(features).with_values({"usual_peak": torch.tensor(1.25, dtype=torch.float64)})

    def test_what_was_saved_is_loaded(self, tmp_path: Path) -> None:
        bank = self.bank()
        bank.save(tmp_path / "bank.safetensors")
        opened = MemoryBank.load(tmp_path / "bank.safetensors")
        assert opened.names == bank.names
        assert opened.values == bank.values
        for name in bank.names:
            assert opened.rows(name).dtype == bank.rows(name).dtype
            assert torch.equal(opened.rows(name), bank.rows(name))
            assert torch.equal(opened.owners(name), bank.owners(name))
        queries = drawn(1, 6, 5, seed=10)
        assert torch.equal(opened.distance("window", queries), bank.distance("window", queries))

    def test_a_bank_of_tiles_is_one_again(self, tmp_path: Path) -> None:
        self.bank().of_tiles(torch.tensor([0, 0, 1])).save(tmp_path / "bank.safetensors")
        opened = MemoryBank.load(tmp_path / "bank.safetensors")
        assert opened.picture_count == 2
        nearest = opened.leaving_out(torch.tensor([0])).distance("window", drawn(3, 2, 5, seed=9)[1:2])
        assert nearest.min() > 1e-3

    @pytest.mark.parametrize("pictures", [[0, 1], [0, 0, 2], [1, 1, 2], [0, 1, 0]])
    def test_pictures_that_do_not_fit_are_refused(self, tmp_path: Path, pictures: list[int]) -> None:
        path = tmp_path / "bank.safetensors"
        self.bank().save(path)
        save_file(load_file(path) | {"pictures": torch.tensor(pictures)}, path, metadata={"oddlens": "memory-bank-1"})
        with pytest.raises(ModelError, match=r"is no memory bank .*pictures.*: make it again"):
            MemoryBank.load(path)

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"rows:patch": torch.full((12, 8), torch.nan)}, "not finite"),
            ({"rows:patch": torch.ones(12, 8)}, "not of unit length"),
            ({"rows:patch": torch.zeros(12, 8, dtype=torch.int64)}, "of type int64 instead of"),
            ({"rows:patch": torch.zeros(12, 8, 1)}, r"\[12, 8, 1\] instead of \[any, any\]"),
            ({"owners:patch": torch.zeros(11, dtype=torch.int64)}, r"\[11\] instead of \[12\]"),
            ({"owners:patch": torch.full((12,), -1)}, "names images that have no rows"),
            ({"owners:patch": torch.full((12,), 12)}, "names images that have no rows"),
            ({"owners:patch": torch.arange(12).flip(0) // 4}, "owners:patch does not rise"),
            ({"owners:patch": torch.zeros(12, dtype=torch.int64)}, "of other images"),
            ({"owners:more": torch.zeros(12, dtype=torch.int64)}, "do not fit together"),
            ({"more": torch.zeros(1)}, "more is no part of one"),
            ({"values:usual_peak": torch.tensor(torch.inf)}, "values:usual_peak with numbers that are not finite"),
        ],
    )
    def test_a_file_that_is_damaged_is_refused(self, tmp_path: Path, change: dict[str, Tensor], fault: str) -> None:
        path = tmp_path / "bank.safetensors"
        self.bank().save(path)
        save_file(load_file(path) | change, path, metadata={"oddlens": "memory-bank-1"})
        with pytest.raises(ModelError, match=f"is no memory bank .*{fault}.*: make it again"):
            MemoryBank.load(path)

    def test_something_else_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "bank.safetensors"
        os.mkfifo(tmp_path / "pipe")  # which would never end
        with pytest.raises(UsageError, match="is no regular file"):
            MemoryBank.load(tmp_path / "pipe")
        with pytest.raises(UsageError, match="does not exist"):
            MemoryBank.load(path)
        path.write_bytes(b"nothing")
        with pytest.raises(ModelError, match="damaged or no safetensors file"):
            MemoryBank.load(path)
        save_file({"rows:patch": torch.ones(1, 1), "owners:patch": torch.zeros(1, dtype=torch.int64)}, path)
        with pytest.raises(ModelError, match="does not say that it is one"):
            MemoryBank.load(path)


class TestSeveralNeighboursAndLengths:
    """Half the squared Euclidean distance is 1 - cosine of unit vectors, so one rule serves both."""

    @pytest.mark.parametrize("chunk", [7, 10**6])
    def test_the_mean_over_the_nearest(self, chunk: int) -> None:
        references, queries = drawn(3, 4, 6, seed=1), drawn(2, 5, 6, seed=2)
        found = MemoryBank({"patch": references}, chunk=chunk).distance("patch", queries, neighbours=3)
        cosines = torch.nn.functional.cosine_similarity(queries[:, :, None], references.flatten(0, 1)[None, None], -1)
        assert torch.allclose(found, 1 - cosines.topk(3).values.mean(-1), atol=1e-6)

    @pytest.mark.parametrize("neighbours", [1, 2, 100])
    def test_without_scaling(self, neighbours: int) -> None:
        references, queries = drawn(3, 4, 6, seed=1).double(), drawn(2, 5, 6, seed=2)
        bank = MemoryBank({"patch": references}, unit=False)
        assert torch.equal(bank.rows("patch"), references.flatten(0, 1))
        distances = torch.cdist(queries.flatten(0, 1).double(), references.flatten(0, 1)) ** 2 / 2
        expected = distances.sort().values[:, :neighbours].mean(1).view(2, 5)
        assert torch.allclose(bank.distance("patch", queries, neighbours=neighbours).double(), expected, rtol=1e-5)

    @pytest.mark.parametrize("neighbours", [2, 7])
    def test_a_left_out_image_is_none_of_them(self, neighbours: int) -> None:
        references = drawn(3, 3, 6, seed=1)
        bank = MemoryBank({"patch": references})
        found = bank.leaving_out(torch.arange(3)).distance("patch", references, neighbours=neighbours)
        for number in range(3):
            others = MemoryBank({"patch": torch.cat([references[:number], references[number + 1 :]])})
            expected = others.distance("patch", references[number : number + 1], neighbours=neighbours)
            assert torch.allclose(found[number], expected[0], atol=1e-6)
        assert torch.isinf(
            MemoryBank({"patch": references[:1]}).distance("patch", references[:1], torch.tensor([0]), neighbours=2)
        ).all()

    def test_it_comes_back_from_disk(self, tmp_path: Path) -> None:
        bank = MemoryBank({"patch": drawn(3, 4, 6, seed=1).double()}, unit=False)
        bank.save(tmp_path / "bank.safetensors")
        again = MemoryBank.load(tmp_path / "bank.safetensors")
        queries = drawn(2, 5, 6, seed=2)
        assert not again.unit
        assert torch.equal(again.distance("patch", queries), bank.distance("patch", queries))
        assert not bank.add(bank).unit


def test_only_real_rows_count() -> None:
    """Images of several sizes are padded to one; what pads them is nobody's neighbour."""
    references = drawn(2, 3, 4, seed=1)
    real = torch.tensor([[True, True, False], [False, True, True]])
    bank = MemoryBank({"patch": references}, real=real)
    assert torch.equal(bank.rows("patch"), torch.nn.functional.normalize(references[real], dim=-1))
    assert bank.owners("patch").tolist() == [0, 0, 1, 1]
    thinned = MemoryBank({"patch": references}, real=real, max_rows=2)
    assert thinned.owners("patch").tolist() == [0, 1]
    assert torch.equal(thinned.rows("patch"), bank.rows("patch")[[0, 2]])


class TestBesideDefects:
    def test_what_lies_near_a_defect_is_farther_and_what_does_not_is_nearer(self) -> None:
        good = MemoryBank({"patch": torch.tensor([[[1.0, 0.0, 0.0]]])})
        defects = MemoryBank({"patch": torch.tensor([[[0.0, 1.0, 0.0]]])})
        queries = F.normalize(torch.tensor([[[1.0, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0], [0, 0, 1]]]), dim=-1)
        near, far = good.distance("patch", queries), defects.distance("patch", queries)
        beside = good.beside_defects(defects).distance("patch", queries)
        assert torch.allclose(beside, 2 * near**2 / (near + far))
        assert beside[0, 0] == 0
        assert beside[0, 1] == 2 * near[0, 1]
        assert torch.allclose(beside[0, 2], near[0, 2])
        assert beside[0, 3] < near[0, 3]
        assert torch.equal(good.distance("patch", queries), near)

    @pytest.mark.parametrize("seed", range(5))
    def test_it_never_rises_when_a_good_example_joins(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        good, other, bad, queries = (
            {"patch": torch.randn(images, 4, 6, generator=generator)} for images in (3, 1, 2, 5)
        )
        defects = MemoryBank(bad)
        before = MemoryBank(good).beside_defects(defects)
        after = before.add(MemoryBank(other))
        old, new = (bank.distance("patch", queries["patch"]) for bank in (before, after))
        assert bool((new <= old + 1e-6).all())
        assert bool((new < old).any())
        assert bool((new <= 2).all())

    def test_it_stays_with_all_that_is_made_of_the_bank(self) -> None:
        generator = torch.Generator().manual_seed(0)
        features = {"patch": torch.randn(3, 4, 6, generator=generator)}
        defects = MemoryBank({"patch": torch.randn(1, 4, 6, generator=generator)})
        bank = MemoryBank(features).beside_defects(defects)
        numbers = torch.arange(3)
        apart = bank.with_values({"peak": torch.tensor(1.0)}).leaving_out(numbers).distance("patch", features["patch"])
        near = MemoryBank(features).distance("patch", features["patch"], numbers)
        far = defects.distance("patch", features["patch"])
        assert torch.allclose(apart, (2 * near**2 / (near + far)).clamp(max=2))
        alone = MemoryBank({"patch": features["patch"][:1]}).beside_defects(defects)
        assert alone.distance("patch", features["patch"][:1], torch.tensor([0])).isinf().all()

    def test_defects_of_other_features_are_refused(self) -> None:
        bank = MemoryBank({"patch": torch.ones(1, 2, 3)})
        for other in (MemoryBank({"patch": torch.ones(1, 2, 4)}), MemoryBank({"window": torch.ones(1, 2, 3)})):
            with pytest.raises(UsageError, match="other features"):
                bank.beside_defects(other)
        unscaled = MemoryBank({"patch": torch.ones(1, 2, 3)}, unit=False)
        with pytest.raises(UsageError, match="no nearest good example"):
            unscaled.beside_defects(unscaled)
