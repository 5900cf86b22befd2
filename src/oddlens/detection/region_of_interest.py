"""Where to look: the part of the images that counts. What lies outside of it is not scored and never marked.

A pixel, or a value of a map, lies inside if its centre does. So one region of interest holds for images and maps of any size.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError, check_type, printable, shortened
from oddlens.io.images import read_stored
from oddlens.io.paths import read_bytes, why_not_opened
from oddlens.io.preparation import Preparation
from oddlens.io.strict_json import parse_json, require_form

Polygon = tuple[tuple[float, float], ...]
"""(x, y) corners, as shares of the image's width and height, from 0 to 1."""

_WHITE = 128
_MOST_PIXELS, _MOST_DIGITS = 200_000_000, 9
_MOST_RUNS = 200_000  # a black and white drawing has a few thousand; a photograph has millions
_NO_SIZE = "this is no mask: it needs a size, as width and height, and runs, as whole numbers"
_MOST_FINE = 2**24  # pixels of a finer grid, where a region is smaller than a pixel


class MaskDocument(TypedDict):
    """A mask in a `RegionDocument`. size: [width, height]. runs: see `MaskRuns`."""

    size: list[int]
    runs: str


class RegionOfInterestDocument(TypedDict, total=False):
    """What `RegionOfInterest.to_dict` writes, or a person; see `RegionOfInterest.from_dict`."""

    include: list[list[list[float]]]
    ignore: list[list[list[float]]]
    image_size: list[int]
    mask: MaskDocument


@dataclass(frozen=True)
class MaskRuns:
    """A black and white picture: the lengths of its black and white runs in reading order; the first one is black, perhaps of 0.

    Attributes:
        size: (width, height) in pixels.
        runs: The lengths, divided by spaces.

    Raises:
        UsageError: The runs are none, or do not fill the picture.
    """

    size: tuple[int, int]
    runs: str

    def __post_init__(self) -> None:
        lengths = self.runs.split()
        digits = all(each.isascii() and each.isdigit() and len(each) <= _MOST_DIGITS for each in lengths)
        if len(self.size) != 2 or min(self.size) < 1 or not digits:
            raise UsageError(_NO_SIZE)
        if self.size[0] * self.size[1] > _MOST_PIXELS:
            raise UsageError(
                f"this is no mask: it has more than {_MOST_PIXELS:,} pixels, where a small drawing does as well"
            )
        if sum(map(int, lengths)) != self.size[0] * self.size[1]:
            raise UsageError("this is no mask: its runs do not fill its size")

    @classmethod
    def of(cls, white: NDArray[np.bool_]) -> MaskRuns:
        """The runs of a mask, bool [height, width]. Raises `UsageError` where it is no drawing of areas."""
        flat = white.ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        if len(changes) > _MOST_RUNS:
            raise UsageError(
                "has too many small spots for a mask: give a picture that is white where to look, else black"
            )
        edges = np.concatenate([[0] if not flat[0] else [0, 0], changes, [flat.size]])
        return cls((white.shape[1], white.shape[0]), " ".join(map(str, np.diff(edges).tolist())))

    def picture(self) -> NDArray[np.bool_]:
        """The mask: bool [height, width]."""
        lengths = np.array(self.runs.split(), np.int64)
        values = np.arange(len(lengths)) % 2 == 1
        return np.repeat(values, lengths).reshape(self.size[1], self.size[0])


@dataclass(frozen=True)
class RegionOfInterest:
    """Where to look. Inside is what lies in an `include` polygon (without any: everywhere), in no `ignore` polygon, and on white.

    Attributes:
        include: Polygons to look in.
        ignore: Polygons not to look in.
        mask: A picture that is white where to look.

    Raises:
        UsageError: A polygon has fewer than three corners or leaves the image, or nothing is left to look at.

    Examples:
        >>> left_half = RegionOfInterest(include=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))
        >>> left_half.inside((4, 1)).tolist()
        [[True, True, False, False]]
    """

    include: tuple[Polygon, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    mask: MaskRuns | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "include", _polygons(self.include))
        object.__setattr__(self, "ignore", _polygons(self.ignore))
        if self.mask is not None:
            check_type("the mask of a region of interest", self.mask, MaskRuns, "give MaskRuns.of(white), for instance")
        if not self.include and not self.ignore and self.mask is None:
            raise UsageError(
                "the region of interest names no part of the image: give include or ignore polygons, or a mask"
            )
        self.inside((256, 256))  # raises where it leaves nothing

    def inside(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """What lies inside of an image or map of a size: bool [height, width], read-only; at least one pixel of it.

        Where no centre lies inside, it is the pixels that hold some of it.

        Args:
            size: (width, height) in pixels.

        Raises:
            UsageError: Nothing at all lies inside.
        """
        return _inside(self, size)

    def outlines(self, size: tuple[int, int]) -> list[NDArray[np.int32]]:
        """The borders of what lies inside, as closed polygons, int32 [n, 2] of (x, y), for an image of a size."""
        contours, _ = cv2.findContours(self.inside(size).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        return [np.asarray(contour[:, 0], np.int32) for contour in contours]

    def to_dict(self) -> RegionOfInterestDocument:
        """As JSON values, which `from_dict` takes; only what there is."""
        document: RegionOfInterestDocument = {}
        if self.include:
            document["include"] = _lists(self.include)
        if self.ignore:
            document["ignore"] = _lists(self.ignore)
        if self.mask is not None:
            document["mask"] = {"size": list(self.mask.size), "runs": self.mask.runs}
        return document

    @classmethod
    def from_dict(cls, document: object) -> RegionOfInterest:
        """The region that `to_dict` described, or a person wrote.

        "include" and "ignore" are lists of polygons, a polygon a list of [x, y]. With "image_size", [width, height], they are in
        pixels of an image of that size. Raises `UsageError` for anything else.
        """
        if not isinstance(document, dict):
            raise UsageError('this is no region of interest: give {"include": [[[x, y], ...]], "ignore": [...]}')
        for name in document:
            if name not in RegionOfInterestDocument.__annotations__:
                raise UsageError(f"this is no region of interest: {shortened(name)} is unknown")
        found = require_form(document, RegionOfInterestDocument, "this is no region of interest")
        width, height = 1.0, 1.0
        if (size := found.get("image_size")) is not None:
            if len(size) != 2 or not all(0 < each <= _MOST_PIXELS for each in size):
                raise UsageError("this is no region of interest: its image_size is not width, height")
            width, height = size
        include, ignore = found.get("include", []), found.get("ignore", [])
        if any(len(corner) != 2 for polygon in (*include, *ignore) for corner in polygon):
            raise UsageError("this is no region of interest: a corner is not [x, y]")
        include_shares, ignore_shares = (
            tuple(tuple((x / width, y / height) for x, y in polygon) for polygon in each) for each in (include, ignore)
        )
        mask = found.get("mask")
        return cls(include_shares, ignore_shares, None if mask is None else _mask(mask))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> RegionOfInterest:
        """The region of interest of a file: JSON (`from_dict`), or a picture of any size that is white where to look.

        Raises:
            UsageError: The file is neither.
            ImageError: The picture cannot be read.
        """
        shown = printable(os.fsdecode(path))
        try:
            if Path(path).suffix.casefold() == ".json":
                return cls.from_dict(_json(path))
            grey = np.asarray(read_stored(path)[0].convert("L"))
            if not (grey >= _WHITE).any():
                raise UsageError("is black everywhere, and leaves nothing to look at: make it white where to look")
            return cls(mask=MaskRuns.of(grey >= _WHITE))
        except UsageError as error:
            raise UsageError(f"{shown}: {error}") from error


def looked_at(
    shape: tuple[int, int], image_size: tuple[int, int], roi: RegionOfInterest | None, preparation: Preparation
) -> NDArray[np.bool_] | None:
    """Where a map is of what is looked at of its image, in the region of interest and not cropped away; None: everywhere.

    Args:
        shape: (height, width) of the map.
        image_size: (width, height) of the image.
        roi: None: everywhere.
        preparation: May crop images.
    """
    inside = preparation.inside(image_size, shape)
    if roi is None:
        return inside
    region = roi.inside((shape[1], shape[0]))
    return region if inside is None else region & inside


def _lists(polygons: Iterable[Polygon]) -> list[list[list[float]]]:
    return [[list(corner) for corner in polygon] for polygon in polygons]


def _mask(document: MaskDocument) -> MaskRuns:
    size = document["size"]
    if len(size) != 2:
        raise UsageError(_NO_SIZE)
    return MaskRuns((size[0], size[1]), document["runs"])


def _json(path: str | os.PathLike[str]) -> object:
    try:
        return parse_json(read_bytes(Path(path)))
    except OSError as error:
        raise UsageError(why_not_opened(path, error)) from error
    except ValueError as error:
        raise UsageError(f"this is no JSON ({printable(str(error))})") from error


def _polygons(polygons: Iterable[Sequence[Sequence[float]]]) -> tuple[Polygon, ...]:
    """The polygons as plain values. Raises `UsageError` where one is none."""
    try:
        found = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in polygons)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"polygons of a region of interest cannot be {shortened(polygons)}: give a list of polygons, each of corners (x, y)"
        ) from error
    for corners in found:
        if len(corners) < 3:
            raise UsageError(f"a polygon of the region of interest has {len(corners)} corners: give three or more")
        for x, y in corners:
            if not (0 <= x <= 1 and 0 <= y <= 1):
                raise UsageError(
                    f"the corner {x:g}, {y:g} of the region of interest lies outside of the image: its corners are shares of the "
                    "width and height, from 0 to 1, or pixels beside an image_size"
                )
    return found


@lru_cache(maxsize=4)
def _inside(region: RegionOfInterest, size: tuple[int, int]) -> NDArray[np.bool_]:
    width, height = size
    for times in (1, 4, 16):
        if times > 1 and width * height * times**2 > _MOST_FINE:
            break
        found = _centres(region, (width * times, height * times))
        if found.any():
            inside: NDArray[np.bool_] = np.any(found.reshape(height, times, width, times), axis=(1, 3))
            inside.flags.writeable = False
            return inside
    raise UsageError(
        f"the region of interest leaves nothing to look at, or less than a pixel of {width} x {height}: make it larger"
    )


def _centres(region: RegionOfInterest, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Of which pixels the centre lies inside."""
    width, height = size
    found = np.full((height, width), not region.include)
    for polygon in region.include:
        found |= _filled(polygon, size)
    for polygon in region.ignore:
        found &= ~_filled(polygon, size)
    if region.mask is not None:
        columns, rows = region.mask.size
        picture = region.mask.picture()
        across = ((np.arange(width) + 0.5) / width * columns).astype(int)
        down = ((np.arange(height) + 0.5) / height * rows).astype(int)
        found &= picture[np.ix_(down, across)]
    return found


def _filled(polygon: Polygon, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Of which pixels the centre lies in a polygon, by the even-odd rule: a row is crossed by edges, and each turns the inside out.

    OpenCV and Pillow also fill the pixels that the border touches: those of a coarse map would reach far beyond it.
    """
    width, height = size
    turns = np.zeros((height, width + 1), np.uint8)
    rows = (np.arange(height) + 0.5) / height
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        crossed = np.flatnonzero((y0 <= rows) != (y1 <= rows))
        if len(crossed):
            across = x0 + (rows[crossed] - y0) * ((x1 - x0) / (y1 - y0))
            first = np.ceil(across * width - 0.5).clip(0, width).astype(int)
            turns[crossed, first] ^= 1
    filled: NDArray[np.bool_] = np.bitwise_xor.accumulate(turns, axis=1)[:, :width].astype(bool)
    return filled
