"""Adapters against a plain restatement: one picture at a time, in float64, with gradients of the formulas as they are printed."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oddlens.methods.anovl.adapter import Adapter, Start, adaptation_loss, draw_noise, draw_start, log_odds

TOKENS, WIDTH, SENTENCES, STEPS = 9, 8, 14, 5
KINDS = pytest.mark.parametrize("kind", ["text", "linear"])


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


PROTOTYPES = F.normalize(drawn(2, WIDTH, seed=1), dim=-1)
EMBEDDINGS = F.normalize(drawn(SENTENCES, WIDTH, seed=2), dim=-1)
NOISE = draw_noise((STEPS, TOKENS, WIDTH), 0.055, seed=3)
PICTURES = 2 * drawn(4, TOKENS, WIDTH, seed=4)


def learner(kind: str, pictures: int, ratio: float = 0.5, learning_rate: float = 1e-3) -> Adapter:
    start = draw_start(SENTENCES if kind == "text" else WIDTH, WIDTH, seed=111)
    sentences = EMBEDDINGS if kind == "text" else None
    return Adapter(start, pictures, sentences, ratio=ratio, learning_rate=learning_rate)


def margins(tokens: Tensor) -> Tensor:
    return log_odds(tokens, PROTOTYPES, 0.5)


class Naive:
    """One picture's adapter; the optimiser is torch's ordinary one, or one that is handed in."""

    def __init__(self, kind: str, ratio: float = 0.5) -> None:
        start = draw_start(SENTENCES if kind == "text" else WIDTH, WIDTH, seed=111)
        self.first = [part.double() for part in start]
        self.parameters = [part.clone().requires_grad_() for part in self.first]
        self.kind, self.ratio = kind, ratio
        self.optimiser = torch.optim.AdamW(self.parameters, 1e-3)

    def __call__(self, tokens: Tensor) -> Tensor:
        weight, bias = self.parameters
        inner = tokens / tokens.norm(dim=1, keepdim=True) @ weight.T + bias
        outer = inner.tanh() @ EMBEDDINGS.double() if self.kind == "text" else inner
        return (1 - self.ratio) * tokens + self.ratio * outer

    def probabilities(self, tokens: Tensor) -> Tensor:
        adapted = self(tokens)
        unit = adapted / adapted.norm(dim=1, keepdim=True)
        return (unit @ PROTOTYPES.double().T / 0.5).softmax(dim=1)

    def loss(self, tokens: Tensor, noise: Tensor) -> Tensor:
        real, noisy = self.probabilities(tokens.double()), self.probabilities((tokens + noise).double())
        entropy = -(real * real.log()).sum(dim=1).mean()
        return entropy + 0.5 * (-noisy[:, 1].log() - real[:, 0].log()).mean()

    def adapt(self, tokens: Tensor, noise: Tensor) -> list[float]:
        for parameter, first in zip(self.parameters, self.first, strict=True):
            parameter.data.copy_(first)
        losses = []
        for step in noise:
            loss = self.loss(tokens, step)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            losses.append(loss.item())
        return losses


@KINDS
@pytest.mark.parametrize("ratio", [0.5, 0.2, 1.0])
def test_many_adapters_side_by_side_learn_what_each_would_alone(kind: str, ratio: float) -> None:
    together = learner(kind, len(PICTURES), ratio)
    losses = together.adapt(PICTURES, NOISE, margins, hard_weight=0.5)
    adapted = together(PICTURES)
    for number, picture in enumerate(PICTURES):
        naive = Naive(kind, ratio)
        assert losses[:, number].tolist() == pytest.approx(naive.adapt(picture, NOISE), abs=1e-5)
        assert torch.allclose(together.weight[number].double(), naive.parameters[0], atol=5e-5)
        assert torch.allclose(together.bias[number].double(), naive.parameters[1], atol=5e-5)
        assert torch.allclose(adapted[number].double(), naive(picture.double()), atol=1e-4)


@KINDS
def test_gradients_are_those_of_the_printed_formula(kind: str) -> None:
    """By finite differences too: of the whole loss, in the direction of every parameter at once."""
    naive, ours = Naive(kind), learner(kind, 1)
    loss = adaptation_loss(margins(ours(PICTURES[:1])), margins(ours(PICTURES[:1] + NOISE[0])), 0.5)
    found = torch.autograd.grad(loss.sum(), [ours.weight, ours.bias])
    expected = torch.autograd.grad(naive.loss(PICTURES[0], NOISE[0]), naive.parameters)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one[0].double(), other, rtol=1e-3, atol=1e-7)
    before = naive.loss(PICTURES[0], NOISE[0]).item()
    for parameter, slope in zip(naive.parameters, expected, strict=True):
        parameter.data -= 1e-6 * slope / slope.norm()
    after = naive.loss(PICTURES[0], NOISE[0]).item()
    steepness = sum(float(slope.norm()) for slope in expected)
    assert (before - after) / 1e-6 == pytest.approx(steepness, rel=1e-2)


@KINDS
def test_it_learns_in_inference_mode_and_leaves_it_as_it_was(kind: str) -> None:
    usual = learner(kind, 4)
    usual.adapt(PICTURES, NOISE, margins, 0.5)
    with torch.inference_mode():
        inside = learner(kind, 4)
        inside.adapt(PICTURES.clone(), NOISE.clone(), margins, 0.5)
        assert torch.is_inference_mode_enabled()
        assert inside(PICTURES).is_inference()
    assert torch.equal(inside.weight, usual.weight)


class TestAnotherCall:
    @KINDS
    def test_begins_with_the_first_adapter_and_keeps_the_optimisers_moments(self, kind: str) -> None:
        """The released code, over three pictures."""
        ours, naive = learner(kind, 1), Naive(kind)
        for picture in PICTURES[:3]:
            losses = ours.adapt(picture[None], NOISE, margins, 0.5)
            assert losses[:, 0].tolist() == pytest.approx(naive.adapt(picture, NOISE), abs=1e-5)
            assert torch.allclose(ours.weight[0].double(), naive.parameters[0], atol=5e-5)

    def test_gives_another_adapter_for_the_same_picture(self) -> None:
        ours = learner("text", 1)
        ours.adapt(PICTURES[:1], NOISE, margins, 0.5)
        first = ours.weight.detach().clone()
        ours.adapt(PICTURES[:1], NOISE, margins, 0.5)
        assert (ours.weight - first).abs().max() > 1e-4


class TestLoss:
    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.floats(-20, 20), min_size=1, max_size=6), st.floats(0.1, 2), st.integers(0, 1000))
    def test_it_is_entropy_and_cross_entropy(self, odds: list[float], weight: float, seed: int) -> None:
        noisy = (3 * drawn(len(odds), seed=seed)).tolist()
        expected = 0.0
        for real, corrupted in zip(odds, noisy, strict=True):
            abnormal, normal = 1 / (1 + math.exp(-real)), 1 / (1 + math.exp(real))
            expected -= abnormal * math.log(abnormal) + normal * math.log(normal)
            expected -= weight * (math.log(normal) + math.log(1 / (1 + math.exp(-corrupted))))
        found = adaptation_loss(torch.tensor([odds]).double(), torch.tensor([noisy]).double(), weight)
        assert found.tolist() == pytest.approx([expected / len(odds)], rel=1e-6, abs=1e-9)

    def test_it_and_its_gradient_stay_finite_where_a_softmax_is_saturated(self) -> None:
        odds = torch.tensor([[-500.0, 500.0, 0.0]], requires_grad=True)
        loss = adaptation_loss(odds, -odds, 0.5).sum()
        loss.backward()
        assert odds.grad is not None
        assert torch.isfinite(loss)
        assert torch.isfinite(odds.grad).all()

    def test_without_a_temperature_it_begins_at_two_logarithms_of_two(self) -> None:
        assert adaptation_loss(torch.zeros(1, 5), torch.zeros(1, 5), 0.5).item() == pytest.approx(2 * math.log(2))


def test_log_odds_are_those_of_a_softmax_of_cosines() -> None:
    cosines = F.normalize(PICTURES, dim=-1) @ PROTOTYPES.T
    assert torch.allclose(
        log_odds(PICTURES, PROTOTYPES, 0.07).sigmoid(), (cosines / 0.07).softmax(-1)[..., 1], atol=1e-5
    )


class TestDraws:
    def test_the_first_adapter_is_a_linear_layer_as_torch_makes_one(self) -> None:
        start = draw_start(924, 640, seed=111)
        layer = torch.nn.Linear(640, 924)
        assert isinstance(start, Start)
        for ours, theirs in zip(start, (layer.weight.detach(), layer.bias.detach()), strict=True):
            assert ours.shape == theirs.shape
            assert ours.abs().max() <= 640**-0.5
            assert float(ours.mean()) == pytest.approx(0, abs=2e-3)
            assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.06)

    def test_they_depend_on_the_seed_alone(self) -> None:
        before = torch.get_rng_state()
        for draw, shape in ((draw_start, (5, 4)), (draw_noise, ((2, 3, 4), 1.0))):
            first = torch.cat([part.flatten() for part in draw(*shape, 7)])
            draw.cache_clear()
            assert torch.equal(torch.cat([part.flatten() for part in draw(*shape, 7)]), first)
            assert not torch.equal(torch.cat([part.flatten() for part in draw(*shape, 8)]), first)
        assert torch.equal(torch.get_rng_state(), before)

    def test_noise_has_the_scale_that_is_given(self) -> None:
        noise = draw_noise((5, 200, 64), 0.055, seed=1)
        assert float(noise.std()) == pytest.approx(0.055, rel=0.02)
        assert not torch.equal(noise[0], noise[1])
