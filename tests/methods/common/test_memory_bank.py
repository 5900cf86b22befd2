"""Reference memory: the nearest of all rows, exactly, however it is computed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oddlens.methods.common import memory_bank as memory_module
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
    images=st.integers(1, 4), rows=st.integers(1, 6), batch=st.integers(1, 3), query_field=st.integers(1, 5),
    channels=st.integers(1, 9), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_the_distance_is_that_of_the_nearest_row(
    images: int, rows: int, batch: int, query_field: int, channels: int, seed: int
) -> None:
    references, queries = drawn(images, rows, channels, seed=seed), drawn(batch, query_field, channels, seed=seed + 1)
    found = MemoryBank({"patch": references}).distance("patch", queries)
    assert found.shape == (batch, query_field)
    assert found.dtype == torch.float32
    assert (found - brute_force(references, queries)).abs().max() < 2e-6
    assert found.min() >= 0


@pytest.mark.parametrize("elements", [1, 7, 50, 10**6])
def test_how_much_is_compared_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch, elements: int) -> None:
    references, queries = drawn(3, 10, 16, seed=1), drawn(2, 11, 16, seed=2)
    together = MemoryBank({"patch": references}).distance("patch", queries)
    monkeypatch.setattr(memory_module, "_CHUNK_ELEMENTS", elements)
    assert torch.allclose(MemoryBank({"patch": references}).distance("patch", queries), together, atol=1e-6)


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


@pytest.mark.parametrize("elements", [1, 30, 10**6])
@pytest.mark.parametrize("first", [0, 2])
def test_a_reference_is_held_against_all_others(monkeypatch: pytest.MonkeyPatch, first: int, elements: int) -> None:
    references = drawn(5, 7, 16, seed=11)
    memory, query_field = MemoryBank({"patch": references}), references[first : first + 3]
    monkeypatch.setattr(memory_module, "_CHUNK_ELEMENTS", elements)
    found = memory.leaving_out_from(first).distance("patch", query_field)
    for number, row in enumerate(found, start=first):
        others = MemoryBank({"patch": references[[each for each in range(5) if each != number]]})
        assert torch.allclose(row, others.distance("patch", references[number : number + 1])[0], atol=1e-6)
    assert memory.distance("patch", query_field).max() < 1e-6  # the memory itself leaves nothing out


def test_leaving_out_copies_nothing() -> None:
    memory = MemoryBank({"patch": drawn(3, 4, 8, seed=12)})
    assert memory.leaving_out_from(0)._features is memory._features
