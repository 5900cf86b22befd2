"""What a detector calls an image as a whole: the mean of its patch tokens, of the features that are there anyway."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oddlens.encoding import EncodedBatch
from oddlens.encoding.arrays import is_floating, means, to_numpy


def embeddings_of(encoded: EncodedBatch) -> NDArray[np.float32]:
    """One embedding an image, float32 [images, channels]: the mean of the finest tokens, or the vector of the whole image.

    Tokens are [images, tokens, channels] or lie on a grid, [images, rows, columns, channels]; zeros that fill up smaller images do
    not count. Features called "embeddings" are the tokens where there are some: what lies beside them may be maps, whose last axis
    is as long as an image is wide. The embedding of a tiled image is the mean over its tiles.

    Of generated products, distances of patch means told one from another far better than those of a CLIP's embedding of the image.
    """
    features = encoded.features
    named = ["embeddings"] if "embeddings" in features else sorted(features)
    floating = [name for name in named if is_floating(features[name])]
    tokens = [
        value.reshape(value.shape[0], -1, value.shape[-1])
        for value in map(features.__getitem__, floating)
        if value.ndim in (3, 4)
    ]
    if tokens:
        found = means(max(tokens, key=lambda each: each.shape[1]))  # the first of those that have as many
    else:
        value = to_numpy(features[floating[0]])
        found = value.reshape(len(value), -1).astype(np.float32)
    if encoded.layouts:
        found = np.stack([found[rows.start : rows.stop].mean(axis=0) for rows in encoded.views])
    return np.ascontiguousarray(found)
