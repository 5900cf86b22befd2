"""Images in chunks that fit in memory, the same whether a category runs whole or in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from oddlens.encoding import Prepared
from oddlens.evaluation.chunks import Chunks, in_chunks


def sizes(count: int, chunks: Chunks, views: Sequence[int] = (1,), first: int = 0) -> list[int]:
    """How many images each chunk has. views: how many tiles images have, in turn, by their number."""
    tile = np.zeros((1, 1, 3), np.uint8)
    images = (
        Prepared(((tile,) * views[number % len(views)],), (10, 10), "", None, 0.0)
        for number in range(first, first + count)
    )
    return [len(part) for part, _ in in_chunks(images, chunks, first)]


@pytest.mark.parametrize(
    ("chunks", "views", "expected"),
    [
        (Chunks(images=8, batch_size=2), [1], [8, 8, 4]),
        (Chunks(images=8, batch_size=2, pixels=350), [1], [4, 4, 4, 4, 4]),
        (Chunks(images=8, batch_size=2), [5], [2] * 10),
        (Chunks(images=8, batch_size=2), [3], [3, 3, 2, 3, 3, 2, 3, 1]),
    ],
    ids=["images", "pixels", "tiles", "tiles that end with no multiple"],
)
def test_parts_that_begin_at_a_multiple_have_the_chunks_of_the_whole(
    chunks: Chunks, views: list[int], expected: list[int]
) -> None:
    assert sizes(20, chunks, views) == expected
    assert sizes(8, chunks, views) + sizes(12, chunks, views, first=8) == expected


def test_what_is_left_of_a_part_has_the_chunks_that_were_left() -> None:
    chunks = Chunks(images=8, batch_size=2)
    assert sizes(20, chunks, [3])[2:] == sizes(14, chunks, [3], first=6)
