"""What a detector calls an image as a whole: the mean of its patch tokens, of the features that are there anyway."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddlens.encoding import EncodedBatch


def embeddings_of(encoded: EncodedBatch) -> NDArray[np.float32]:
    """One embedding an image, float32 [images, channels]: the mean of the finest tokens, or the vector of the whole image.

    Tokens are [images, tokens, channels] or lie on a grid, [images, rows, columns, channels]; zeros that fill up smaller images do
    not count. That of a tiled image is the mean over its tiles.

    Of generated products, distances of patch means told one from another far better than those of a CLIP's embedding of the image.
    """
    features = encoded.features
    tokens = {
        name: value.flatten(1, -2)
        for name, value in sorted(features.items())
        if value.ndim in (3, 4) and value.is_floating_point()
    }
    if tokens:
        means = _means(max(tokens.values(), key=lambda each: each.shape[1]))  # the first of those that have as many
    else:
        means = next(value for _, value in sorted(features.items()) if value.is_floating_point()).float().flatten(1)
    if encoded.layouts:
        means = torch.stack([means[rows.start : rows.stop].mean(dim=0) for rows in encoded.views])
    found: NDArray[np.float32] = np.ascontiguousarray(means.cpu().numpy(), np.float32)
    return found


def _means(tokens: Tensor) -> Tensor:
    """Over the tokens of each image that are not all zero: [images, tokens, channels] -> [images, channels]."""
    filled = tokens.ne(0).any(dim=-1).sum(dim=1, keepdim=True).clamp(min=1)
    return tokens.float().sum(dim=1) / filled
