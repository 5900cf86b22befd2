"""The memory beside graphs: as the memory bank on torch, to the number."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oddlens.errors import UsageError
from oddlens.methods.common.memory_bank import MemoryBank
from oddlens.runtime.graph_memory import GraphMemory


def rows(images: int, count: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    value = np.random.default_rng(seed).standard_normal((images, count, 4)).astype(np.float32)
    return {"a": value / np.linalg.norm(value, axis=-1, keepdims=True)}


def both(images: int, seed: int = 0) -> tuple[GraphMemory, MemoryBank]:
    made = rows(images, seed=seed)
    return GraphMemory.of_images(made), MemoryBank({name: torch.from_numpy(each) for name, each in made.items()})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.lists(st.integers(1, 3), min_size=0, max_size=3))
def test_images_and_tiles_are_counted_joined_and_left_out_as_on_torch(tiles: list[int], more: list[int]) -> None:
    mine, bank = both(sum(tiles))
    pictures = np.repeat(np.arange(len(tiles)), tiles)
    mine, bank = mine.of_tiles(pictures), bank.of_tiles(pictures)
    if more:
        other, other_bank = both(sum(more), seed=1)
        others = np.repeat(np.arange(len(more)), more)
        mine, bank = mine.add(other.of_tiles(others)), bank.add(other_bank.of_tiles(others))
    assert (len(mine), mine.picture_count) == (len(bank), bank.picture_count)
    assert np.array_equal(mine.owners["a"], bank.owners("a").numpy())
    numbers = np.arange(len(mine))
    expected = bank.leaving_out(numbers)
    assert [mine.picture_of(int(number)) for number in numbers] == expected.left_out_ranges
    queries = torch.from_numpy(rows(len(mine), seed=5)["a"])
    if mine.picture_count > 1:
        distances = expected.distance("a", queries).numpy()
        for number in numbers:
            others_rows = mine.rows_without(*mine.picture_of(int(number)))["a"]
            assert distances[number] == pytest.approx(
                1 - (queries[number].numpy() @ others_rows.T).max(axis=1), abs=1e-6
            )


def test_images_that_are_no_tiles_are_pictures_beside_tiles() -> None:
    mine, tiled = GraphMemory.of_images(rows(2)), GraphMemory.of_images(rows(4)).of_tiles(np.array([0, 0, 1, 1]))
    together = mine.add(tiled)
    assert together.pictures is not None
    assert together.pictures.tolist() == [0, 1, 2, 2, 3, 3]
    several = mine.add(tiled, mine)
    assert several.pictures is not None
    assert several.pictures.tolist() == [0, 1, 2, 2, 3, 3, 4, 5]
    assert np.array_equal(several.rows["a"], together.add(mine).rows["a"])
    assert several.owners["a"].tolist() == [image for image in range(8) for _ in range(3)]


def test_values_go_where_another_image_comes() -> None:
    memory = GraphMemory.of_images(rows(1)).with_values({"usual": np.ones(2)})
    assert memory.values["usual"].tolist() == [1, 1]
    assert memory.add(GraphMemory.of_images(rows(1))).values == {}


def test_other_features_do_not_join() -> None:
    wide = {name: np.concatenate([each, each], axis=-1) for name, each in rows(1).items()}
    with pytest.raises(UsageError, match="memories of other features cannot be joined"):
        GraphMemory.of_images(rows(1)).add(GraphMemory.of_images(wide))
