"""RsCIN: the scores of a set of images, each brought nearer to those of the images that look most like it (MuSc, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def neighbours_mean(scores: Tensor, features: Tensor, counts: Sequence[int]) -> Tensor:
    """Scores scaled to 0..1 and averaged over the most similar images, with their similarities as weights; the mean over `counts`.

    Args:
        scores: Of the images, [images]. Where all are equal, all become 0.
        features: What they are compared by, [images, channels]; of unit length, an image is its own nearest.
        counts: How many images count, the image itself among them; at most all.
    """
    low, high = scores.min(), scores.max()
    scaled = (scores - low) / (high - low).clamp(min=torch.finfo(scores.dtype).tiny)
    similar = features @ features.T
    means = []
    for count in counts:
        nearest = similar.topk(min(count, len(scores)), dim=1)
        weights = (nearest.values / nearest.values.sum(dim=1, keepdim=True)).to(scores.dtype)
        means.append((weights * scaled[nearest.indices]).sum(dim=1))
    return torch.stack(means).mean(dim=0)
