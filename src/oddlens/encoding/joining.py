"""What a method says of a batch: its form, and of the tiles of images what it says of the images."""

from __future__ import annotations

import numpy as np

from oddlens.encoding.batch import EncodedBatch
from oddlens.errors import MethodError
from oddlens.io.preparation import Layout
from oddlens.methods.scoring import Numbers, Scores


def check_scores(scores: Scores[Numbers], count: int, method: str) -> None:
    """Raise `MethodError` where what a method gives is not of so many images, or of another form than `Scores` has.

    method: its name.
    """
    single = {"scores": scores.scores, "unseen": scores.unseen, **scores.parts}
    for name, values in single.items():
        if values is not None and values.shape != (count,):
            raise MethodError(
                f"{method} gives {name} of the shape {list(values.shape)} where [{count}] is wanted: mend it"
            )
    for name, maps in (("maps", scores.maps), ("labels", scores.labels)):
        if maps is None:
            continue
        if isinstance(maps, np.ndarray):
            if maps.ndim != 3 or len(maps) != count:
                wanted = f"[{count}, height, width]"
                raise MethodError(
                    f"{method} gives {name} of the shape {list(maps.shape)} where {wanted} is wanted: mend it"
                )
        elif len(maps) != count or any(each.ndim != 2 for each in maps):
            shapes = ", ".join(str(list(each.shape)) for each in maps)
            raise MethodError(
                f"{method} gives {name} of the shapes {shapes} where {count} of [height, width] are wanted: mend it"
            )


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
