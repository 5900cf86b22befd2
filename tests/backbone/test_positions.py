"""Position embeddings for another grid: each variant against its formula, written out."""

from typing import Literal, get_args

import pytest
import torch
from torch import Tensor

from oddlens.backbone.options import PositionResize
from oddlens.backbone.positions import resized_positions
from tests.naive_clip import resized_positions as naive_resized

GRIDS = [(7, 7), (3, 3), (4, 9), (10, 2), (2, 1), (1, 4)]


def positions(native: int, width: int = 6) -> Tensor:
    return torch.randn(native * native, width, generator=torch.Generator().manual_seed(native))


def cubic(distance: float, a: float = -0.75) -> float:
    """Keys' kernel, as torch has it where it does not filter."""
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def resampling(native: int, side: int, scale: float) -> Tensor:
    """[side, native]: the weights of the native places in each new one; beyond the edge the edge is repeated."""
    weights = torch.zeros(side, native, dtype=torch.float64)
    for new in range(side):
        source = (new + 0.5) / scale - 0.5
        nearest = int(source // 1)
        for place in range(nearest - 1, nearest + 3):
            weights[new, min(max(place, 0), native - 1)] += cubic(source - place)
    return weights


@pytest.mark.parametrize("resize", ["bicubic_plain", "bicubic_offset"])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("native", [5, 6])
def test_without_a_filter_every_new_place_is_sixteen_old_ones_weighed(
    native: int, grid: tuple[int, int], resize: PositionResize
) -> None:
    offset = 0.1 if resize == "bicubic_offset" else 0
    down, across = (resampling(native, side, (side + offset) / native) for side in grid)
    square = positions(native).double().view(native, native, -1)
    expected = torch.einsum("in,jm,nmc->ijc", down, across, square).flatten(0, 1)
    assert torch.allclose(resized_positions(positions(native), native, grid, resize).double(), expected, atol=1e-5)


@pytest.mark.parametrize("resize", ["bilinear", "bicubic"])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_variants_of_clips_are_theirs(grid: tuple[int, int], resize: Literal["bilinear", "bicubic"]) -> None:
    """Bilinear written out; bicubic as Pillow resizes."""
    rows = torch.cat([torch.zeros(1, 6), positions(5)])
    assert torch.allclose(
        resized_positions(positions(5), 5, grid, resize), naive_resized(rows, grid, resize)[1:], atol=1e-5
    )


@pytest.mark.parametrize("resize", get_args(PositionResize))
def test_the_native_grid_is_left_alone(resize: PositionResize) -> None:
    assert torch.equal(resized_positions(positions(5), 5, (5, 5), resize), positions(5))


def test_the_variants_differ_also_where_the_grid_grows() -> None:
    made = [resized_positions(positions(5), 5, (8, 8), resize) for resize in get_args(PositionResize)]
    for number, one in enumerate(made):
        assert all((one - other).abs().max() > 0.01 for other in made[number + 1 :])
