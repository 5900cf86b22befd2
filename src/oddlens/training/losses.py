"""The losses of the trained methods, on probabilities, as their published programs compute them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def focal_loss(probabilities: Tensor, target: Tensor, gamma: float = 2.0, smooth: float = 1e-5) -> Tensor:
    """Focal loss, the mean over batch and pixels (APRIL-GAN and AnomalyCLIP, released code; both classes weigh the same).

    Args:
        probabilities: Float [batch, classes, ...] that sum to 1 over dim 1.
        target: Class numbers, int64 [batch, ...].
        gamma: The focusing exponent.
        smooth: Bounds the targets away from 0 and 1, and the logarithm.

    Examples:
        >>> perfect = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> float(focal_loss(perfect, torch.tensor([[0, 1]]))) < 1e-9
        True
    """
    one_hot = F.one_hot(target, probabilities.shape[1]).movedim(-1, 1).to(probabilities.dtype)
    one_hot = one_hot.clamp(smooth, 1 - smooth)
    true = (one_hot * probabilities).sum(dim=1) + smooth
    return -((1 - true) ** gamma * true.log()).mean()


def dice_loss(probabilities: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - the batch mean of the soft Dice overlap; sums run over all pixels of an image (both programs).

    Args:
        probabilities: Float [batch, ...] of one class.
        target: 0 or 1, [batch, ...].
        smooth: Added to numerator and denominator.

    Examples:
        >>> float(dice_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[1, 0]])))
        0.0
    """
    p, t = probabilities.flatten(1), target.flatten(1).to(probabilities.dtype)
    overlap = (2 * (p * t).sum(dim=1) + smooth) / (p.sum(dim=1) + t.sum(dim=1) + smooth)
    return 1 - overlap.mean()


def contrastive_loss(logits: Tensor, positive: Tensor) -> Tensor:
    """Contrastive loss with several positives a row: minus log of the probability mass on the positives, the mean over rows.

    Source: ours, after Khosla et al., 2020 (the sum inside the logarithm).

    Args:
        logits: Float [rows, columns].
        positive: Bool [rows, columns]; rows without a positive are left out.
    """
    usable = positive.any(dim=1)
    mass = torch.logsumexp(logits.masked_fill(~positive, -torch.inf)[usable], dim=1)
    return (torch.logsumexp(logits[usable], dim=1) - mass).mean()
