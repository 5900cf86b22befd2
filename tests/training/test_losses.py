"""The losses of the trained methods against their formulas, written out pixel by pixel."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oddlens.training.losses import contrastive_loss, dice_loss, focal_loss


def probabilities(seed: int, batch: int = 2, side: int = 3) -> torch.Tensor:
    """Two classes that sum to one: [batch, 2, side, side], float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 2, side, side, generator=generator, dtype=torch.float64).softmax(dim=1)


def targets(seed: int, batch: int = 2, side: int = 3) -> torch.Tensor:
    return torch.randint(0, 2, (batch, side, side), generator=torch.Generator().manual_seed(seed + 1))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_focal_is_the_mean_over_pixels_of_the_authors_formula(seed: int) -> None:
    p, target = probabilities(seed), targets(seed)
    total = 0.0
    for b in range(2):
        for y in range(3):
            for x in range(3):
                one_hot = [min(max(float(target[b, y, x] == c), 1e-5), 1 - 1e-5) for c in (0, 1)]
                true = sum(one_hot[c] * float(p[b, c, y, x]) for c in (0, 1)) + 1e-5
                total += -((1 - true) ** 2) * math.log(true)
    assert float(focal_loss(p, target)) == pytest.approx(total / 18, rel=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_dice_sums_over_each_image_and_averages_over_the_batch(seed: int) -> None:
    p, target = probabilities(seed)[:, 1], targets(seed)
    overlaps = []
    for image, mask in zip(p, target, strict=True):
        both = float((image * mask).sum())
        overlaps.append((2 * both + 1) / (float(image.sum()) + float(mask.sum()) + 1))
    assert float(dice_loss(p, target)) == pytest.approx(1 - sum(overlaps) / 2, rel=1e-10)


def test_a_perfect_prediction_costs_nearly_nothing() -> None:
    target = targets(0)
    perfect = torch.nn.functional.one_hot(target, 2).movedim(-1, 1).double()
    assert float(focal_loss(perfect, target)) < 1e-8
    assert float(dice_loss(perfect[:, 1], target)) < 1e-8


def test_contrast_with_one_positive_is_cross_entropy() -> None:
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(4))
    assert float(contrastive_loss(logits, torch.eye(4, dtype=torch.bool))) == pytest.approx(float(expected), rel=1e-6)


def test_contrast_with_nothing_but_positives_is_zero_and_rows_without_one_do_not_count() -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    assert float(contrastive_loss(logits, torch.ones(3, 5, dtype=torch.bool))) == pytest.approx(0, abs=1e-6)
    some = torch.zeros(3, 5, dtype=torch.bool)
    some[0, 2] = True
    alone = contrastive_loss(logits[:1], some[:1])
    assert float(contrastive_loss(logits, some)) == pytest.approx(float(alone), rel=1e-6)
