"""The losses of the trained methods, on probabilities, as their published programs compute them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def focal_loss(probabilities: Tensor, target: Tensor, gamma: float = 2.0, smooth: float = 1e-5) -> Tensor:
    """Focal loss, the mean over batch and pixels (APRIL-GAN and AnomalyCLIP, released code; both classes weigh the same).

    probabilities: float [batch, classes, ...] that sum to 1 over dim 1. target: int64 [batch, ...] class numbers.
    """
    one_hot = F.one_hot(target, probabilities.shape[1]).movedim(-1, 1).to(probabilities.dtype)
    one_hot = one_hot.clamp(smooth, 1 - smooth)
    true = (one_hot * probabilities).sum(dim=1) + smooth
    return -((1 - true) ** gamma * true.log()).mean()


def dice_loss(probabilities: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - the batch mean of the soft Dice overlap; sums run over all pixels of an image (both programs).

    probabilities: float [batch, ...] of one class. target: [batch, ...] 0 or 1.
    """
    p, t = probabilities.flatten(1), target.flatten(1).to(probabilities.dtype)
    overlap = (2 * (p * t).sum(dim=1) + smooth) / (p.sum(dim=1) + t.sum(dim=1) + smooth)
    return 1 - overlap.mean()


def contrastive_loss(logits: Tensor, positive: Tensor) -> Tensor:
    """Contrastive loss with several positives a row: minus log of the probability mass on the positives, the mean over rows.

    logits: float [rows, columns]. positive: bool [rows, columns]; rows without a positive are left out. Source: ours, after
    Khosla et al., 2020 (the sum inside the logarithm).
    """
    usable = positive.any(dim=1)
    mass = torch.logsumexp(logits.masked_fill(~positive, -torch.inf)[usable], dim=1)
    return (torch.logsumexp(logits[usable], dim=1) - mass).mean()
