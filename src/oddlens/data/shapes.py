"""Shapes that people draw with label tools, as pixels: a pixel is marked where its centre lies inside.

Coordinates are those of label tools: (0, 0) is the corner of the first pixel and (0.5, 0.5) its centre, x goes first.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Points = tuple[tuple[float, float], ...]


class RunsDocument(TypedDict):
    """A mask as COCO writes it. size: [height, width]. counts: the text of `pack_runs`."""

    size: list[int]
    counts: str


FARTHEST = 1e7
"""No coordinate of an image lies beyond."""


def points_of(values: object) -> Points:
    """Points from JSON, [[x, y], ...].

    Raises:
        ValueError: It is no list of points, or a number is beyond all images.
    """
    points: list[object] = values if isinstance(values, list) else [None]
    found: list[tuple[float, float]] = []
    for point in points:
        if not (isinstance(point, list) and len(point) == 2 and all(type(each) in (int, float) for each in point)):
            raise ValueError("has points that are no pairs of numbers: draw it again")
        if not all(abs(each) <= FARTHEST for each in point):
            raise ValueError("has a point that is far outside of every image: draw it again")
        found.append((float(point[0]), float(point[1])))
    return tuple(found)


def size_of(height: object, width: object) -> tuple[int, int] | None:
    """The (height, width) in an annotation file; None if they are no positive whole numbers."""
    if type(height) is int and type(width) is int and height > 0 and width > 0:
        return height, width
    return None


def fill_polygon(mask: Mask, points: Points) -> None:
    """Mark the inside of a closed polygon (by the even-odd rule) in a mask [h, w], as far as it lies in there."""
    height, width = mask.shape
    crossed = np.zeros((height, width + 1), np.bool_)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        low, high = sorted((y0, y1))
        # The rows whose centre lies on the edge; the upper end does not belong to it, or two edges would meet in one row.
        first, end = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (low, high))
        if first < end:
            x = x0 + (np.arange(first, end) + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            crossed[np.arange(first, end), np.clip(np.ceil(x - 0.5), 0, width).astype(np.intp)] ^= True
    mask |= np.logical_xor.accumulate(crossed[:, :width], axis=1)


def fill_rectangle(mask: Mask, corner: tuple[float, float], opposite: tuple[float, float]) -> None:
    """Mark the inside of a rectangle between two corners."""
    (x0, y0), (x1, y1) = corner, opposite
    fill_polygon(mask, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def fill_circle(mask: Mask, centre: tuple[float, float], on_edge: tuple[float, float]) -> None:
    """Mark the inside of a circle around a centre, through a point on its edge."""
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    squared = (columns + 0.5 - centre[0]) ** 2 + (rows + 0.5 - centre[1]) ** 2
    mask |= squared <= (on_edge[0] - centre[0]) ** 2 + (on_edge[1] - centre[1]) ** 2


def fill_runs(mask: Mask, counts: Sequence[int]) -> None:
    """Mark COCO's runs: so many pixels outside, so many inside, and so on, column by column.

    Raises:
        ValueError: They are not as many as the mask has pixels.
    """
    _check_counts(counts, mask.size)
    inside = np.arange(len(counts)) % 2 == 1
    mask |= np.repeat(inside, counts).reshape(mask.shape[::-1]).T


def _check_counts(counts: Sequence[int], pixels: int) -> None:
    if min(counts, default=0) < 0 or sum(counts) != pixels:
        raise ValueError("has runs that do not add up to the image: draw it again")


def unpack_runs(text: str) -> list[int]:
    """The counts of `fill_runs` from the text that COCO's tools write.

    Each count takes some characters of 6 bits from "0" on: 5 bits of the number, the lowest first, and a bit that says whether
    more follow; the highest bit is the sign. From the fourth on they are differences to the last but one.

    Raises:
        ValueError: It is no such text.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - ord("0")
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("has runs that are no text of COCO: draw it again")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("has runs that are cut short: draw it again")
    return counts


def runs_of(mask: Mask) -> list[int]:
    """The counts of `fill_runs` of a mask [h, w]."""
    pixels = mask.T.ravel()
    ends = np.flatnonzero(np.diff(pixels)) + 1
    starts = np.concatenate([[0], ends, [len(pixels)]])
    counts: list[int] = np.diff(starts).tolist()
    return [0, *counts] if pixels[0] else counts


def pack_runs(counts: Sequence[int]) -> str:
    """The text of `unpack_runs`."""
    characters = []
    for number, count in enumerate(counts):
        value = count - counts[number - 2] if number > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            characters.append(chr(ord("0") + (bits | 32 if more else bits)))
            if not more:
                break
    return "".join(characters)


def runs_document(mask: Mask) -> RunsDocument:
    """A mask [h, w] as JSON values."""
    return {"size": list(mask.shape), "counts": pack_runs(runs_of(mask))}


def counts_of(runs: RunsDocument) -> list[int]:
    """The counts of `runs_document`, checked; no pixel is made. Raises `ValueError` where they are something else."""
    if len(runs["size"]) != 2 or min(runs["size"]) < 1:
        raise ValueError("has no size that an image could have")
    counts = unpack_runs(runs["counts"])
    _check_counts(counts, runs["size"][0] * runs["size"][1])
    return counts


def mask_of(runs: RunsDocument) -> Mask:
    """The mask of `runs_document`, of any size that it says. Raises `ValueError` where it is something else."""
    counts = counts_of(runs)
    height, width = runs["size"]
    mask = np.zeros((height, width), np.bool_)
    fill_runs(mask, counts)
    return mask
