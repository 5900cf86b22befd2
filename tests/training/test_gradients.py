"""The gradient of a step, added image by image."""

import pytest
import torch
from torch import nn

from oddlens.training.gradients import GradientSum
from oddlens.training.processes import ALONE


def test_it_is_the_gradient_of_the_sum_of_the_losses() -> None:
    weight, unused = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.ones(3))
    gradients = GradientSum([weight, unused])
    for factor in (1.0, 10.0):
        gradients.add((factor * weight**2).sum())
    found, none = gradients.of_all(ALONE)
    assert found is not None
    assert (found.dtype, found.tolist()) == (torch.float32, [22.0, 44.0])
    assert none is None


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_small_gradients_are_not_lost_beside_large_ones_in_any_order(order: list[int]) -> None:
    weight = nn.Parameter(torch.zeros(1))
    gradients = GradientSum([weight])
    for number in order:
        gradients.add((1e8, 1.0, -1e8)[number] * weight.sum())
    (found,) = gradients.of_all(ALONE)
    assert found is not None
    assert found.tolist() == [1.0]
