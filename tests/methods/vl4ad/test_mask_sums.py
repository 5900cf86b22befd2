"""Sums between masks and pixels, against loops."""

import pytest
import torch
import torch.nn.functional as F

from oddlens.methods.vl4ad.mask_sums import mean_under, spread_masks


def drawn(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def test_the_mean_under_a_mask_is_that_of_its_cells() -> None:
    features, masks = drawn(2, 5, 4, 6), drawn(2, 3, 4, 6, seed=1) > 0
    found = mean_under(features, masks)
    for frame in range(2):
        for mask in range(3):
            torch.testing.assert_close(found[frame, mask], features[frame][:, masks[frame, mask]].mean(dim=1))


def test_under_an_empty_mask_there_is_nothing() -> None:
    assert not mean_under(drawn(1, 5, 4, 6), torch.zeros(1, 2, 4, 6, dtype=torch.bool)).any()


@pytest.mark.parametrize("masks", [1, 32, 70])
def test_masks_add_up_pixel_by_pixel(masks: int) -> None:
    logits, values = 4 * drawn(masks, 5, 7), drawn(masks, 3, seed=1)
    found = spread_masks(logits, values)
    for row, column in ((0, 0), (2, 6), (4, 3)):
        expected = sum(logits[i, row, column].sigmoid() * values[i] for i in range(masks))
        torch.testing.assert_close(found[:, row, column], expected, rtol=1e-4, atol=1e-5)


def test_enlarged_masks_are_enlarged_before_their_sigmoid() -> None:
    logits, values = 4 * drawn(40, 5, 7), drawn(40, 3, seed=1)
    large = F.interpolate(logits[None], scale_factor=4, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(spread_masks(logits, values, 4), spread_masks(large, values))


def test_half_precision_moves_a_probability_by_little() -> None:
    logits = torch.linspace(-30, 30, 600_001).view(1, 1, -1)
    one = torch.ones(1, 1)
    assert float((spread_masks(logits.half(), one) - spread_masks(logits, one)).abs().max()) < 1.2e-4
