"""labelme's annotation files: the shapes drawn on one image, in a JSON file.

    {"shapes": [{"label": "scratch", "shape_type": "polygon", "points": [[x, y], ...]}, ...], "imageHeight": 480, "imageWidth": 640}

Shapes: polygon; rectangle (two corners); circle (centre, a point on the edge); mask (two corners and a PNG, as base64).
"""

import base64
import binascii
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, TypeGuard

import numpy as np
from numpy.typing import NDArray

from oddlens.data.mask_values import mask_values
from oddlens.data.shapes import Points, fill_circle, fill_polygon, fill_rectangle, points_of, size_of
from oddlens.data.words import is_defect_word
from oddlens.errors import DataError
from oddlens.io.decoding import decode_stored
from oddlens.io.images import checked_limit
from oddlens.io.pixels import UnreadableError

WITHOUT_AREA = ("line", "linestrip", "point", "points")


class LabelmeFile(TypedDict):
    """The content of a labelme file; `labelme_of` checks what is typed `object`."""

    shapes: list[object]
    imageHeight: NotRequired[object]
    imageWidth: NotRequired[object]


@dataclass(frozen=True)
class Shape:
    """One shape: its label, its kind, its points (x, y), and the PNG of a "mask"."""

    label: str
    kind: str
    points: Points
    png: bytes | None = None


@dataclass(frozen=True)
class Annotation:
    """What is drawn on one image.

    Attributes:
        path: The annotation file.
        size: (height, width) of the image as labelme saw it, upright; None where the file does not say.
        shapes: The shapes that mark a defect.
    """

    path: Path
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The labels of what is drawn, each once."""
        return tuple(dict.fromkeys(shape.label for shape in self.shapes))

    def mark(self, mask: NDArray[np.bool_]) -> None:
        """Mark everything that is drawn in a mask [h, w].

        Raises:
            DataError: A shape has no area, another number of points than its kind has, or a damaged PNG.
        """
        for shape in self.shapes:
            try:
                _mark(mask, shape)
            except ValueError as error:
                raise DataError(f"{self.path} has a {shape.kind} ({shape.label}) that {error}") from error


def is_labelme(content: object) -> TypeGuard[LabelmeFile]:
    """Whether the content of a JSON file is that of one of labelme's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def labelme_of(path: Path, content: LabelmeFile) -> Annotation:
    """The annotation in the content of a file, without shapes that mark something normal or the background.

    Raises:
        DataError: A shape is not in labelme's form.
    """
    try:
        drawn = tuple(map(_shape, content["shapes"]))
    except ValueError as error:
        raise DataError(f"{path} has a shape that {error}") from error
    size = size_of(content.get("imageHeight"), content.get("imageWidth"))
    return Annotation(path, size, tuple(shape for shape in drawn if is_defect_word(shape.label)))


def _shape(content: object) -> Shape:
    if not isinstance(content, dict) or not isinstance(content.get("label"), str):
        raise ValueError('has no "label": give it one')
    kind = content.get("shape_type") or "polygon"
    if not isinstance(kind, str):
        raise ValueError("is of no kind: draw it again")
    png = content.get("mask") if kind == "mask" else None
    try:
        decoded = base64.b64decode(png) if isinstance(png, str) else None
    except binascii.Error as error:
        raise ValueError("holds a damaged image: draw it again") from error
    return Shape(content["label"], kind, points_of(content.get("points")), decoded)


def _mark(mask: NDArray[np.bool_], shape: Shape) -> None:
    points, count = shape.points, len(shape.points)
    if shape.kind == "polygon" and count >= 3:
        fill_polygon(mask, points)
    elif shape.kind == "rectangle" and count == 2:
        fill_rectangle(mask, *points)
    elif shape.kind == "rectangle" and count == 4:
        fill_polygon(mask, points)
    elif shape.kind == "circle" and count == 2:
        fill_circle(mask, *points)
    elif shape.kind == "mask" and count == 2 and shape.png is not None:
        _paste(mask, points[0], shape.png)
    elif shape.kind in WITHOUT_AREA:
        raise ValueError("covers no area: draw it as a polygon")
    else:
        raise ValueError(f"has {count} points, or is of a kind unknown here: draw it as a polygon")


def _paste(mask: NDArray[np.bool_], corner: tuple[float, float], png: bytes) -> None:
    """Mark what a small image marks, whose first pixel lies at the corner."""
    try:
        marked = mask_values(decode_stored(io.BytesIO(png), checked_limit())) > 0
    except UnreadableError as error:
        raise ValueError(f"holds an image that {error}") from error
    left, top = (round(value) for value in corner)
    if left < 0 or top < 0:
        raise ValueError("begins outside of the image: draw it again")
    place = mask[top : top + marked.shape[0], left : left + marked.shape[1]]
    place |= marked[: place.shape[0], : place.shape[1]]
