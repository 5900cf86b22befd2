"""Long pictures as tiles: everything is covered, nothing is stretched, and maps of tiles become one map again."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from oddlens.methods.common.maps import upsample
from oddlens.methods.common.tiling import Tiling, cut, stitch, tiling


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_of_visas_aspect_gets_two_tiles_that_overlap() -> None:
    """1284 x 1168 of a candle and 1562 x 960 of a circuit board, at 240 pixels."""
    assert tiling(picture(1168, 1284), 240) == Tiling(240, 263, 240)
    assert Tiling(240, 263, 240).corners == [(0, 0), (0, 23)]
    assert Tiling(240, 390, 240).corners == [(0, 0), (0, 150)]


@pytest.mark.parametrize(
    ("height", "width", "corners"),
    [
        (40, 40, [(0, 0)]),
        (50, 100, [(0, 0), (0, 40)]),
        (110, 50, [(0, 0), (24, 0), (48, 0)]),
        (200, 50, [(0, 0), (40, 0), (80, 0), (120, 0)]),
    ],
)
def test_there_are_as_many_tiles_as_are_needed_evenly_spaced(
    height: int, width: int, corners: list[tuple[int, int]]
) -> None:
    assert tiling(picture(height, width), 40).corners == corners


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 30))
def test_tiles_cover_the_picture_and_do_not_reach_beyond_it(height: int, width: int, side: int) -> None:
    plan = tiling(np.zeros((height, width, 3), np.uint8), side)
    assert min(plan.height, plan.width) == side
    assert plan.height / plan.width == pytest.approx(height / width, rel=1 / side)
    for length, starts in (
        (plan.height, sorted({top for top, _ in plan.corners})),
        (plan.width, sorted({left for _, left in plan.corners})),
    ):
        assert starts[0] == 0
        assert starts[-1] + side == length
        assert all(second - first <= side for first, second in pairwise(starts))


def test_tiles_are_pieces_of_the_resized_picture() -> None:
    whole = picture(20, 36)
    left, right = cut(whole, Tiling(20, 36, 20), "bilinear")
    assert np.array_equal(left, whole[:, :20])
    assert np.array_equal(right, whole[:, 16:])
    enlarged = np.asarray(Image.fromarray(whole).resize((72, 40), Image.Resampling.BILINEAR))
    assert np.array_equal(cut(whole, Tiling(40, 72, 40), "bilinear")[1], enlarged[:, 32:])


class TestStitching:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 4), st.integers(2, 5), st.integers(0, 37), st.booleans(), st.integers(0, 10**6))
    def test_every_pixel_is_the_mean_of_the_tiles_over_it(
        self, patches: int, side: int, more: int, tall: bool, seed: int
    ) -> None:
        plan = Tiling(side + more, side, side) if tall else Tiling(side, side + more, side)
        tiles = len(plan.corners)
        maps = torch.rand(2, tiles, patches, patches, generator=torch.Generator().manual_seed(seed))
        found = stitch(maps, plan)
        assert found.shape == (2, plan.height, plan.width)
        for number in range(2):
            large = upsample(maps[number], (side, side), align_corners=True)
            over: dict[tuple[int, int], list[float]] = {}
            for tile, (top, left) in zip(large, plan.corners, strict=True):
                for row in range(side):
                    for column in range(side):
                        over.setdefault((top + row, left + column), []).append(float(tile[row, column]))
            for place, values in over.items():
                assert float(found[number][place]) == pytest.approx(sum(values) / len(values), abs=1e-6)

    def test_one_tile_is_its_map(self) -> None:
        maps = torch.rand(3, 1, 4, 4)
        assert torch.allclose(stitch(maps, Tiling(9, 9, 9)), upsample(maps[:, 0], (9, 9), align_corners=True))

    def test_gradients_pass(self) -> None:
        maps = torch.rand(1, 2, 3, 3, requires_grad=True)
        stitch(maps, Tiling(6, 10, 6)).sum().backward()
        assert maps.grad is not None
        assert float(maps.grad.sum()) == pytest.approx(60, rel=1e-5)
