"""What a method says of the tiles of images, as what it says of the images."""

from __future__ import annotations

import numpy as np

from oddlens.encoding.batch import EncodedBatch
from oddlens.io.preparation import Layout
from oddlens.methods.scoring import Numbers, Scores


def joined_scores(scores: Scores[Numbers], encoded: EncodedBatch, outside: float) -> Scores[Numbers]:
    """The scores and maps of images, from those of their tiles; those of untiled images as they are.

    The score of an image is the largest of its tiles' scores, and so are its parts. Its map is made of theirs, see `Axis.weights`.
    An image is unseen where all of its tiles are.

    Args:
        scores: Of the tiles, as a method gives them.
        encoded: The images.
        outside: The value of the map where an image was cropped and not looked at.
    """
    if not encoded.layouts:
        return scores
    views = [slice(rows.start, rows.stop) for rows in encoded.views]

    def largest(values: Numbers) -> Numbers:
        return np.stack([values[rows].max() for rows in views])

    return Scores(
        largest(scores.scores),
        [
            joined_maps(np.asarray(scores.maps[rows]), layout, outside)
            for rows, layout in zip(views, encoded.layouts, strict=True)
        ],
        {name: largest(values) for name, values in scores.parts.items()},
        unseen=None if scores.unseen is None else np.stack([scores.unseen[rows].all() for rows in views]),
    )


def joined_maps(maps: Numbers, layout: Layout, outside: float) -> Numbers:
    """The map of an image from those of its tiles: [tiles, height, width] -> [rows, columns]."""
    height, width = maps.shape[1:]
    x, y = layout.x, layout.y
    together = maps.reshape(y.count, x.count, height, width).swapaxes(1, 2).reshape(y.count * height, x.count * width)
    down, across = (each.astype(maps.dtype) for each in (y.weights(height), x.weights(width)))
    whole: Numbers = np.matmul(np.matmul(down, together), across.T)
    inside = layout.inside((whole.shape[0], whole.shape[1]))
    return whole if inside is None else np.where(inside, whole, np.asarray(outside, whole.dtype))
