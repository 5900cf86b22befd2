"""What a detector calls an image as a whole: the mean of its patch tokens, of the features that are there anyway."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from oddlens.encoding import EncodedBatch


def embeddings_of(encoded: EncodedBatch) -> NDArray[np.float32]:
    """One embedding an image, float32 [images, channels]: the mean of the finest tokens, or the vector of the whole image.

    That of a tiled image is the mean over its tiles.

    Of generated products, distances of patch means told one from another far better than those of a CLIP's embedding of the image.
    """
    features = encoded.features
    tokens = [name for name, value in sorted(features.items()) if value.ndim == 3 and value.is_floating_point()]
    if tokens:
        finest = max(tokens, key=lambda name: features[name].shape[1])  # the first of those that have as many
        means = features[finest].float().mean(dim=1)
    else:
        means = next(value for _, value in sorted(features.items()) if value.is_floating_point()).float().flatten(1)
    if encoded.layouts:
        means = torch.stack([means[rows.start : rows.stop].mean(dim=0) for rows in encoded.views])
    found: NDArray[np.float32] = np.ascontiguousarray(means.cpu().numpy(), np.float32)
    return found
