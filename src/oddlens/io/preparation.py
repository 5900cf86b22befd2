"""What becomes of an image before a tower sees it: how it is fitted into the tower's square, and into how many tiles it is cut.

Each paper squeezes the whole image into one square ("squash"), whatever its shape: a defect that is small in a large image is gone
then, and a long image is distorted. Here an image may be cut into overlapping tiles, each of which goes through the tower as an
image of its own, and may be padded or cropped to a square. The maps of the tiles become one map of the image again, without a seam
(`Layout.weights`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, SupportsFloat, TypedDict, cast, get_args

import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError, choices, shortened
from oddlens.io.pixels import Pixels
from oddlens.io.preprocess import resized
from oddlens.io.strict_json import require_form

Fit = Literal["squash", "pad", "crop"]
FITS: tuple[Fit, ...] = get_args(Fit)

OVERLAP = 0.2
"""The share of a tile that its neighbour shows too, by default."""

MOST_TILES = 64
"""Of an image: each costs as much as an image."""

_LEAST_OVERLAP, _MOST_OVERLAP = 0.05, 0.5
_AUTO_SHRINK, _AUTO_MOST = 2, 4
"""`auto`: the tower shrinks a tile at most so many times, but there are at most so many along a side."""

_WRITTEN = re.compile(r"\s*(\d{1,3})\s*[xX×]\s*(\d{1,3})\s*")


class PreparationDocument(TypedDict):
    """What `Preparation.to_dict` writes of one that is not the default. tiles: "2x2" or "auto"."""

    tiles: str
    overlap: float
    fit: str


@dataclass(frozen=True)
class Preparation:
    """How images are brought to a tower. The default is what all papers do.

    Attributes:
        tiles: (columns, rows) into which an image is cut; "auto": as few as keep each tile within twice the tower's size, and at
            most four along a side.
        overlap: The share of a tile, along each side, that it has in common with its neighbour: 0.05 to 0.5.
        fit: What is not square is squeezed ("squash"); filled up to a square with its mirrored border ("pad"); or cut down to its
            centre ("crop"), where what lies outside is not looked at. Cropping comes before cutting, padding after it.

    Raises:
        UsageError: One of them is none.
    """

    tiles: tuple[int, int] | Literal["auto"] = (1, 1)
    overlap: float = OVERLAP
    fit: Fit = "squash"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiles", _grid(self.tiles))
        object.__setattr__(self, "overlap", _share(self.overlap))
        if self.fit not in FITS:
            raise UsageError(f"fit cannot be {shortened(self.fit)}{choices(str(self.fit), FITS)}")

    @classmethod
    def of(cls, tiles: object = None, overlap: object = None, fit: object = None) -> Preparation:
        """The preparation that a user means; None is the default.

        tiles: "2x2" (columns x rows), (2, 2) or "auto". overlap: a number. fit: one of `FITS`.

        Raises:
            UsageError: One of them is none, or there is an overlap without tiles.

        Examples:
            >>> Preparation.of(tiles="3x2", fit="pad")
            Preparation(tiles=(3, 2), overlap=0.2, fit='pad')
        """
        made = cls(
            (1, 1) if tiles is None else _grid(tiles),
            OVERLAP if overlap is None else _share(overlap),
            "squash" if fit is None else cast("Fit", fit),
        )
        if overlap is not None and made.tiles == (1, 1):
            raise UsageError("overlap is what neighbouring tiles have in common: give tiles too, for instance 2x2")
        return made

    @property
    def is_default(self) -> bool:
        """Whether it is what all papers do."""
        return self.tiles == (1, 1) and self.fit == "squash"

    def __str__(self) -> str:
        """In words, as users give it."""
        tiles = self.tiles if self.tiles == "auto" else "{}x{}".format(*self.tiles)
        parts = [] if self.tiles == (1, 1) else [f"tiles {tiles}, overlap {self.overlap:g}"]
        return ", ".join([*parts, f"fit {self.fit}"])

    def to_dict(self) -> Mapping[str, object]:
        """As JSON values, which `from_dict` takes; {} for the default."""
        if self.is_default:
            return {}
        tiles = self.tiles if self.tiles == "auto" else "{}x{}".format(*self.tiles)
        return PreparationDocument(tiles=tiles, overlap=self.overlap, fit=self.fit)

    @classmethod
    def from_dict(cls, document: object) -> Preparation:
        """What `to_dict` wrote. Raises `UsageError` for anything else."""
        if document == {}:
            return cls()
        values = require_form(document, PreparationDocument, "this says no way to prepare images")
        overlap = None if values["tiles"] == "1x1" else values["overlap"]
        return cls.of(values["tiles"], overlap, values["fit"])

    def inside(self, size: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Where a map, of (height, width), of an image, of (width, height), is of what is not cropped away; None: everywhere."""
        return self.layout(size, 1).inside(shape)  # whatever the tower takes

    def layout(self, size: tuple[int, int], side: int) -> Layout:
        """The tiles of an image.

        size: (width, height) of the image. side: of the square that the tower takes, both in pixels.
        """
        width, height = size
        left = top = 0
        if self.fit == "crop":
            left, top = (width - min(size)) // 2, (height - min(size)) // 2
            width = height = min(size)
        if self.tiles == "auto":
            columns, rows = (_auto(length, side, self.overlap) for length in (width, height))
        else:
            columns, rows = self.tiles
        tile_width, tile_height = (_length(*each, self.overlap) for each in ((width, columns), (height, rows)))
        content_width = content_height = side
        if self.fit == "pad":
            longest = max(tile_width, tile_height)
            content_width, content_height = (max(1, round(side * each / longest)) for each in (tile_width, tile_height))
        return Layout(
            Axis(size[0], left, width, columns, tile_width, content_width, side),
            Axis(size[1], top, height, rows, tile_height, content_height, side),
        )


@dataclass(frozen=True)
class Axis:
    """The tiles of an image along one side, all lengths in pixels.

    Attributes:
        length: Of the image.
        start: Where the part that is looked at begins.
        extent: How long that part is.
        count: How many tiles cover it.
        tile: The length of each.
        content: Where a tile is padded to a square of `side` pixels, how many in its middle show the tile; else `side`.
        side: See `content`.
    """

    length: int
    start: int
    extent: int
    count: int
    tile: int
    content: int
    side: int

    @property
    def starts(self) -> list[int]:
        """Where the tiles begin in the image: evenly spaced from end to end."""
        gaps = max(1, self.count - 1)
        return [self.start + round(number * (self.extent - self.tile) / gaps) for number in range(self.count)]

    @property
    def before(self) -> int:
        """The padding before the tile in its view."""
        return (self.side - self.content) // 2

    def map_length(self, view_map: int) -> int:
        """How long the map of the image is, where those of the views are `view_map` long.

        It is as fine as they are, but has no more values than the image has pixels.
        """
        shown = self.tile * self.side / self.content  # pixels of the image that a view would show without padding
        return min(max(1, round(view_map * self.length / shown)), max(self.length, view_map))

    def inside(self, count: int) -> NDArray[np.bool_]:
        """Which of the `count` values of the map of the image lie in the part that is looked at."""
        centres = self._centres(count)
        return (centres >= self.start) & (centres <= self.start + self.extent)

    def weights(self, view_map: int) -> NDArray[np.float64]:
        """How the maps of the tiles make the map of the image: [map_length, count * view_map].

        A row has the weights of a value of the map; they come to 1, or to 0 outside of what is looked at. Between two neighbouring
        values of a tile's map it is linear, and so is the passage from one tile to the next across what they have in common:
        there is no step where a tile ends.
        """
        centres, starts = self._centres(self.map_length(view_map)), self.starts
        parts, shares = [], []
        for number, start in enumerate(starts):
            share: NDArray[np.float64] = np.ones_like(centres)
            if number:
                share = np.minimum(share, (centres - start) / max(1, starts[number - 1] + self.tile - start))
            if number < self.count - 1:
                share = np.minimum(
                    share, (start + self.tile - centres) / max(1, start + self.tile - starts[number + 1])
                )
            within = (centres >= start) & (centres <= start + self.tile)
            shares.append(np.where(within, np.clip(share, 1e-6, 1), 0))
            seen = (self.before + (centres - start) / self.tile * self.content) / self.side
            parts.append(_linear(seen * view_map - 0.5, view_map))
        total = np.sum(shares, axis=0)
        total[total == 0] = 1  # outside: all shares are 0
        return np.concatenate(
            [part * (share / total)[:, None] for part, share in zip(parts, shares, strict=True)], axis=1
        )

    def _centres(self, count: int) -> NDArray[np.float64]:
        """Where the values of the map lie in the image."""
        return np.linspace(0.5, count - 0.5, count, dtype=np.float64) * (self.length / count)


@dataclass(frozen=True)
class Layout:
    """The tiles of one image: columns and rows of rectangles of one size, each of which is an image to the tower."""

    x: Axis
    y: Axis

    def __len__(self) -> int:
        """How many tiles there are."""
        return self.x.count * self.y.count

    @property
    def note(self) -> str | None:
        """What of the image is not looked at, in words; None where all of it is."""
        if (self.x.extent, self.y.extent) == (self.x.length, self.y.length):
            return None
        return f"only its centre of {self.x.extent} x {self.y.extent} pixels was looked at (fit crop)"

    def inside(self, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Where a map of the image, of (height, width), is of what was looked at; None: everywhere."""
        if self.note is None:
            return None
        return np.outer(self.y.inside(shape[0]), self.x.inside(shape[1]))

    def views(self, pixels: Pixels, interpolation: Literal["bicubic", "bilinear"]) -> list[Pixels]:
        """The tiles of an image, row by row; those that are padded are brought to `side` first."""
        padding = [(axis.before, axis.side - axis.content - axis.before) for axis in (self.y, self.x)]
        found = []
        for top in self.y.starts:
            for left in self.x.starts:
                tile = np.ascontiguousarray(pixels[top : top + self.y.tile, left : left + self.x.tile])
                if any(map(any, padding)):
                    small = resized(tile, (self.y.content, self.x.content), interpolation)
                    tile = np.pad(small, [*padding, (0, 0)], "symmetric")
                found.append(tile)
        return found


def is_grid(tiles: object) -> bool:
    """Whether this means tiles of an image, with numbers that can be or not: a method may have settings of that name too."""
    return tiles == "auto" or not isinstance(tiles, str) or _WRITTEN.fullmatch(tiles) is not None


def _grid(tiles: object) -> tuple[int, int] | Literal["auto"]:
    if tiles == "auto":
        return "auto"
    numbers: Sequence[object] = ()
    if isinstance(tiles, str) and (found := _WRITTEN.fullmatch(tiles)):
        numbers = [int(each) for each in found.groups()]
    elif isinstance(tiles, tuple | list):
        numbers = tiles
    counts = [each for each in numbers if isinstance(each, int) and not isinstance(each, bool) and each > 0]
    if len(numbers) != 2 or len(counts) != 2:
        raise UsageError(f"tiles cannot be {shortened(tiles)}: give columns x rows, for instance 2x2, or auto")
    if counts[0] * counts[1] > MOST_TILES:
        raise UsageError(f"tiles {counts[0]}x{counts[1]} are {counts[0] * counts[1]}: {MOST_TILES} are the most")
    return counts[0], counts[1]


def _share(overlap: object) -> float:
    try:
        share = math.nan
        if isinstance(overlap, str | SupportsFloat) and not isinstance(overlap, bool):
            share = float(overlap)
    except (TypeError, ValueError, OverflowError):
        share = math.nan
    if not _LEAST_OVERLAP <= share <= _MOST_OVERLAP:
        raise UsageError(
            f"overlap cannot be {shortened(overlap)}: give the share of a tile that its neighbour shows too, "
            f"{_LEAST_OVERLAP} to {_MOST_OVERLAP}"
        )
    return share


def _length(extent: int, count: int, overlap: float) -> int:
    """How long each of `count` tiles is that overlap by a share of themselves."""
    return math.ceil(extent / (1 + (count - 1) * (1 - overlap)) - 1e-9)


def _auto(extent: int, side: int, overlap: float) -> int:
    """How many tiles there are along a side of the image."""
    return next((n for n in range(1, _AUTO_MOST) if _length(extent, n, overlap) <= _AUTO_SHRINK * side), _AUTO_MOST)


def _linear(places: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The matrix [places, count] that reads between `count` values, linearly; beyond the ends the last value goes on."""
    places = np.clip(places, 0, count - 1)
    first = np.minimum(places.astype(np.int64), max(0, count - 2))
    matrix = np.zeros((len(places), count))
    rows = np.arange(len(places))
    matrix[rows, first] = 1 - (places - first)
    matrix[rows, np.minimum(first + 1, count - 1)] += places - first
    return matrix


AS_IN_PAPERS = Preparation()
"""Every image whole, squeezed into one square."""
