"""The 22 views, each pixel restated by hand."""

import math

import pytest
import torch
from torch import Tensor

from oddlens.methods.anovl.augmentations import VIEWS, views

SIDE = 6


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def seen(picture: Tensor) -> list[Tensor]:
    return list(views(picture))


def reflected(place: float) -> float:
    """A place beyond the first or last pixel's centre, mirrored back until it lies between."""
    while not 0 <= place <= SIDE - 1:
        place = -place if place < 0 else 2 * (SIDE - 1) - place
    return place


def warped(picture: Tensor, turn: float, right: float, down: float) -> Tensor:
    """Every new pixel is what lies at its own place, turned about the centre and then moved by half sides."""
    half = (SIDE - 1) / 2
    new = torch.empty(picture.shape)
    for row in range(SIDE):
        for column in range(SIDE):
            x, y = column - half, row - half
            x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
            x, y = reflected(x + half + right * half), reflected(y + half + down * half)
            left, top = min(int(x), SIDE - 2), min(int(y), SIDE - 2)
            corners = picture[..., top : top + 2, left : left + 2].double()
            weights = torch.tensor([[top + 1 - y], [y - top]]) * torch.tensor([left + 1 - x, x - left])
            new[..., row, column] = (corners * weights).sum(dim=(-2, -1))
    return new


def has(seen: list[Tensor], expected: Tensor) -> bool:
    return sum(torch.allclose(view, expected, atol=1e-4) for view in seen) == 1


def test_there_are_22_different_ones_and_the_first_is_the_original(picture: Tensor, seen: list[Tensor]) -> None:
    assert len(seen) == VIEWS == 22
    assert torch.equal(seen[0], picture)
    assert all(view.shape == picture.shape for view in seen)
    assert not any(torch.allclose(seen[a], seen[b], atol=1e-3) for a in range(22) for b in range(a))


@pytest.mark.parametrize("degrees", [11.25, 22.5, 33.75, 45, -11.25, -22.5, -33.75, -45])
def test_eight_are_turned(picture: Tensor, seen: list[Tensor], degrees: float) -> None:
    assert has(seen, warped(picture, math.radians(degrees), 0, 0))


@pytest.mark.parametrize("size", [0.2, 0.1])
@pytest.mark.parametrize("right", [-1, 1])
@pytest.mark.parametrize("down", [-1, 1])
def test_eight_are_shifted(picture: Tensor, seen: list[Tensor], size: float, right: int, down: int) -> None:
    assert has(seen, warped(picture, 0, size * right, size * down))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_three_are_quarter_turns(picture: Tensor, seen: list[Tensor], quarters: int) -> None:
    assert has(seen, warped(picture, quarters * math.pi / 2, 0, 0))


def test_one_is_mirrored_and_one_is_grey(picture: Tensor, seen: list[Tensor]) -> None:
    columns = [picture[..., SIDE - 1 - column] for column in range(SIDE)]
    assert has(seen, torch.stack(columns, dim=-1))
    grey = 0.299 * picture[:, 0] + 0.587 * picture[:, 1] + 0.114 * picture[:, 2]
    assert has(seen, torch.stack([grey] * 3, dim=1))
