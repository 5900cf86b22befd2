"""A block, and its shortcuts: each equals the part of the whole that it stands for."""

import math
from collections.abc import Callable, Sequence
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from oddlens.backbone.layers import Block, Nonlinearity, activate
from tests.tiny_clip import randomise


@pytest.fixture(scope="module")
def block() -> Block:
    block = Block(width=48, heads=4, mlp_width=80, activation="gelu")
    randomise(block)
    return block.requires_grad_(False)


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(3, 7, 48, generator=torch.Generator().manual_seed(0))


def test_the_two_gelus_are_what_their_formulas_say() -> None:
    values = torch.linspace(-4, 4, 33)
    for value, exact, quick in zip(
        values.tolist(),
        activate(values.clone(), "gelu").tolist(),
        activate(values.clone(), "quick_gelu").tolist(),
        strict=True,
    ):
        assert exact == pytest.approx(value * (1 + math.erf(value / math.sqrt(2))) / 2, abs=1e-6)
        assert quick == pytest.approx(value / (1 + math.exp(-1.702 * value)), abs=1e-6)


def test_gelu_by_tanh_is_what_its_formula_says() -> None:
    values = torch.linspace(-4, 4, 33)
    for value, found in zip(values.tolist(), activate(values.clone(), "gelu_tanh").tolist(), strict=True):
        inner = math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)
        assert found == pytest.approx(value * (1 + math.tanh(inner)) / 2, abs=1e-6)


def test_the_first_half_is_the_gate_of_swiglu() -> None:
    gate, up = torch.linspace(-4, 4, 33), torch.linspace(3, -2, 33)
    found = activate(torch.stack([gate, up], dim=1), "swiglu")
    for row, (value, factor) in enumerate(zip(gate.tolist(), up.tolist(), strict=True)):
        assert found[row].item() == pytest.approx(value / (1 + math.exp(-value)) * factor, abs=1e-6)


@pytest.mark.parametrize("activation", get_args(Nonlinearity))
def test_gradients_change_no_activation(activation: Nonlinearity) -> None:
    """Where none are wanted memory is overwritten; where some are it is not."""
    values = torch.linspace(-4, 4, 34)
    wanted = values.clone().requires_grad_()
    assert torch.allclose(activate(wanted, activation).detach(), activate(values.clone(), activation), atol=1e-6)
    assert torch.equal(wanted.detach(), values)


def test_the_first_row_alone_is_the_first_row(block: Block, x: torch.Tensor) -> None:
    expected = block(x)[:, :1]
    assert torch.allclose(block.forward_first_row(x), expected, atol=2e-6)
    assert torch.allclose(block.forward_first_row(x, block.project_qkv(x)), expected, atol=2e-6)


class Projected(TorchFunctionMode):
    """Counts the tokens that linear layers are given."""

    def __init__(self) -> None:
        self.tokens: list[int] = []

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[torch.Tensor, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        if func is F.linear:
            self.tokens.append(args[0].shape[:-1].numel())
        return func(*args, **(kwargs or {}))


def test_tokens_that_are_only_attended_to_get_no_keys_and_values(block: Block, x: torch.Tensor) -> None:
    with Projected() as whole:
        block(x)
    with Projected() as first:
        block.forward_first_row(x)
    assert set(whole.tokens) == {3 * 7}
    assert set(first.tokens) == {3}


def test_the_step_with_a_local_stream_leaves_the_ordinary_one_as_it_is(block: Block, x: torch.Tensor) -> None:
    ordinary, local = block.forward_with_local(x, torch.zeros_like(x))
    assert torch.allclose(ordinary, block(x), atol=1e-6)
    _, v = block.project_qkv(x).split([96, 48], dim=2)
    heads = v.view(3, 7, 4, 12).transpose(1, 2)
    similarity = (heads @ heads.transpose(2, 3) / 12**0.5).softmax(dim=3)
    expected = block.out((similarity @ heads).transpose(1, 2).flatten(2))
    assert torch.allclose(local, expected, atol=2e-6)


def test_causal_rows_do_not_see_what_follows(block: Block, x: torch.Tensor) -> None:
    changed = x.clone()
    changed[:, 4:] = 0
    assert torch.allclose(block(changed, causal=True)[:, :4], block(x, causal=True)[:, :4], atol=1e-6)
    assert not torch.allclose(block(changed)[:, :4], block(x)[:, :4], atol=1e-3)
