"""What a method says of the tiles of images, as what it says of the images."""

from __future__ import annotations

import torch
from torch import Tensor

from oddlens.encoding.batch import EncodedBatch
from oddlens.io.preparation import Layout
from oddlens.methods.base import Scores


def joined_scores(scores: Scores, encoded: EncodedBatch, outside: float) -> Scores:
    """The scores and maps of images, from those of their tiles; those of untiled images as they are.

    The score of an image is the largest of its tiles' scores, and so are its parts. Its map is made of theirs, see `Axis.weights`.

    Args:
        scores: Of the tiles, as a method gives them.
        encoded: The images.
        outside: The value of the map where an image was cropped and not looked at.
    """
    if not encoded.layouts:
        return scores
    views = [slice(rows.start, rows.stop) for rows in encoded.views]

    def largest(values: Tensor) -> Tensor:
        return torch.stack([values[rows].amax() for rows in views])

    def of_tiles(rows: slice) -> Tensor:
        maps = scores.maps[rows]
        return maps if isinstance(maps, Tensor) else torch.stack(list(maps))

    return Scores(
        largest(scores.scores),
        [joined_maps(of_tiles(rows), layout, outside) for rows, layout in zip(views, encoded.layouts, strict=True)],
        {name: largest(values) for name, values in scores.parts.items()},
    )


def joined_maps(maps: Tensor, layout: Layout, outside: float) -> Tensor:
    """The map of an image from those of its tiles: [tiles, height, width] -> [rows, columns]."""
    height, width = maps.shape[1:]
    x, y = layout.x, layout.y
    together = maps.reshape(y.count, x.count, height, width).transpose(1, 2).reshape(y.count * height, x.count * width)
    down, across = (torch.from_numpy(each).to(maps) for each in (y.weights(height), x.weights(width)))
    whole = down @ together @ across.T
    inside = layout.inside((whole.shape[0], whole.shape[1]))
    return whole if inside is None else whole.masked_fill(~torch.from_numpy(inside).to(whole.device), outside)
