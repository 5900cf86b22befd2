"""Regions: connected parts of an image where its anomaly map is high."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, NotRequired, TypedDict, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.detection.marking import Marking
from oddlens.detection.thresholds import Thresholds
from oddlens.errors import UsageError
from oddlens.io.strict_json import require_form

_Measure = Literal["major_axis", "minor_axis", "angle", "area_mm2"]
_MEASURES: tuple[_Measure, ...] = get_args(_Measure)
"""What is known of most regions."""


class RegionDocument(TypedDict):
    """What `Region.to_dict` writes. box: x, y, width, height. names: pairs of a name and a weight."""

    box: list[int]
    area: int
    peak: float
    mean: float
    major_axis: NotRequired[float]
    minor_axis: NotRequired[float]
    angle: NotRequired[float]
    area_mm2: NotRequired[float]
    names: NotRequired[list[list[str | float]]]


@dataclass(frozen=True)
class Region:
    """A connected part of an image where the anomaly map exceeds the pixel threshold, in the image's own pixels.

    Attributes:
        x: Left edge of its box.
        y: Top edge of its box.
        width: Of its box.
        height: Of its box.
        area: How many pixels it has.
        peak: Largest value of the map inside.
        mean: Mean value of the map inside.
        outline: (x, y) corners of its outer contour.
        names: What the defect is probably called, each name with its weight, the best first; "unknown" comes first where none is
            decided. Empty where nobody asked. A suggestion, on which no verdict depends.
        major_axis: Length, in pixels, of the ellipse that has the second moments of its pixels: how long it is. None where it is
            not known, as of a line of an earlier version.
        minor_axis: Width of that ellipse, in pixels.
        angle: Of the major axis, in degrees, above -90 up to 90: 0 lies along x, 45 falls to the right.
        area_mm2: Its area in square millimetres, where it is known how large a pixel is.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    peak: float
    mean: float
    outline: tuple[tuple[int, int], ...]
    names: tuple[tuple[str, float], ...] = ()
    major_axis: float | None = None
    minor_axis: float | None = None
    angle: float | None = None
    area_mm2: float | None = None

    @classmethod
    def from_dict(cls, document: object) -> Region:
        """The region that `to_dict` wrote; its outline is that of its box. Raises `UsageError` for anything else."""
        region = require_form(document, RegionDocument, "this is no region")
        if len(region["box"]) != 4 or min(region["box"][2:]) < 1:
            raise UsageError("this is no region: its box is not x, y, width, height")
        x, y, width, height = region["box"]
        right, bottom = x + width - 1, y + height - 1
        outline = ((x, y), (right, y), (right, bottom), (x, bottom))
        measures = {name: region.get(name) for name in _MEASURES}
        names = _names(region.get("names", []))
        return cls(x, y, width, height, region["area"], region["peak"], region["mean"], outline, names, **measures)

    def to_dict(self) -> RegionDocument:
        """The box (x, y, width, height), area, peak, mean and what else is known, as JSON values; the outline is left out."""
        box = [self.x, self.y, self.width, self.height]
        document: RegionDocument = {"box": box, "area": self.area, "peak": self.peak, "mean": self.mean}
        known = (self.major_axis, self.minor_axis, self.angle, self.area_mm2)
        for name, value in zip(_MEASURES, known, strict=True):
            if value is not None:
                document[name] = value
        if self.names:
            document["names"] = [list(each) for each in self.names]
        return document


def _names(pairs: Sequence[Sequence[str | float]]) -> tuple[tuple[str, float], ...]:
    """Names and weights as `Region.to_dict` writes them."""
    if any(len(pair) != 2 or not isinstance(pair[0], str) or isinstance(pair[1], str) for pair in pairs):
        raise UsageError("this is no region: its names are not pairs of a name and a weight")
    return tuple((str(name), float(weight)) for name, weight in pairs)


def resize_map(anomaly_map: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """An anomaly map at another size, bilinear.

    Args:
        anomaly_map: float32 [height, width].
        size: (width, height) in pixels.

    Returns:
        float32 [height, width].
    """
    resized: NDArray[np.float32] = cv2.resize(anomaly_map, size, interpolation=cv2.INTER_LINEAR).astype(
        np.float32, copy=False
    )
    return resized


class Marks(NamedTuple):
    """Regions, by descending peak, and which pixels each one has.

    labels: int32 of a part of the image that has all of them: the number of a region where it is. numbers: those of `regions`.
    corner: (y, x) of that part's first pixel. shape: (height, width) of the image.
    """

    regions: tuple[Region, ...]
    numbers: tuple[int, ...]
    labels: NDArray[np.int32]
    corner: tuple[int, int]
    shape: tuple[int, int]

    def first(self, count: int = 1) -> Marks:
        """The hottest of them."""
        return self._replace(regions=self.regions[:count], numbers=self.numbers[:count])

    def just(self, place: int) -> Marks:
        """One of them, by its place among the `regions`."""
        return self._replace(regions=self.regions[place : place + 1], numbers=self.numbers[place : place + 1])

    def only(self, marking: Marking) -> Marks:
        """Those that are large enough."""
        kept = [number for number, region in enumerate(self.regions) if marking.keeps(region.area)]
        return self._replace(
            regions=tuple(self.regions[each] for each in kept), numbers=tuple(self.numbers[each] for each in kept)
        )

    def mask(self) -> NDArray[np.bool_]:
        """Where they are: bool [height, width]."""
        marked = np.zeros(self.shape, np.bool_)
        if self.regions:
            is_marked = np.zeros(int(self.labels.max()) + 1, np.bool_)
            is_marked[list(self.numbers)] = True
            (top, left), (height, width) = self.corner, self.labels.shape
            marked[top : top + height, left : left + width] = is_marked[self.labels]
        return marked


def find_regions(
    anomaly_map: NDArray[np.float32], threshold: float, inside: NDArray[np.bool_] | None = None
) -> tuple[Region, ...]:
    """The 8-connected regions where an anomaly map, float32 [height, width], exceeds a threshold; by descending peak.

    inside: bool [height, width], where to look; None: everywhere. Raises `UsageError` for a threshold that is not finite.
    """
    Thresholds(pixel=threshold)  # which refuses it
    above = anomaly_map > threshold
    return mark_where(anomaly_map, above if inside is None else above & inside).regions


def mark_where(anomaly_map: NDArray[np.float32], where: NDArray[np.bool_], marking: Marking | None = None) -> Marks:
    """The 8-connected regions of a mask, with the values of an anomaly map in them. Both are [height, width].

    marking: says how large a pixel is; what is small stays all the same.
    """
    rows, columns = (np.flatnonzero(where.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return Marks((), (), np.zeros((0, 0), np.int32), (0, 0), where.shape)
    top, left = int(rows[0]), int(columns[0])
    around = where[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]  # most of an image is not marked
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(around).view(np.uint8), connectivity=8
    )
    found = []
    for number in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[number])
        inside = labels[y : y + height, x : x + width] == number
        x, y = x + left, y + top
        box = np.s_[y : y + height, x : x + width]
        shape = inside.astype(np.uint8)
        contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y))
        outline = tuple((int(px), int(py)) for px, py in max(contours, key=len)[:, 0])
        values = anomaly_map[box][inside]
        area_mm2 = None if marking is None else marking.mm2(area)
        major, minor, angle = _axes(shape)
        region = Region(
            x, y, width, height, area, float(values.max()), float(values.mean()), outline, major_axis=major, minor_axis=minor,
            angle=angle, area_mm2=None if area_mm2 is None else round(area_mm2, 6),
        )  # fmt: skip
        found.append((region, number))
    found.sort(key=lambda each: -each[0].peak)
    regions, numbers = (tuple(each) for each in zip(*found, strict=True))
    return Marks(regions, numbers, np.asarray(labels, np.int32), (top, left), where.shape)


def mark_hottest(anomaly_map: NDArray[np.float32], inside: NDArray[np.bool_] | None, marking: Marking) -> Marks:
    """The region around the largest value of an anomaly map [height, width], within `inside` where it is given.

    It ends half way between the median of the map and its largest value, and is all of a map that is the same everywhere.
    """
    values = anomaly_map if inside is None else anomaly_map[inside]
    above = anomaly_map > (float(np.median(values)) + float(values.max())) / 2
    above = above if inside is None else above & inside
    if not above.any():
        above = np.ones_like(above) if inside is None else inside
    return mark_where(anomaly_map, above, marking).first()


def _axes(shape: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Major axis, minor axis, in pixels, and angle, in degrees, of the ellipse with the second moments of a shape [height, width].

    A pixel counts as a square, so that one alone is 1.15 pixels long and wide; a bar of n x 1 is 1.15 n long.
    """
    moments = cv2.moments(shape, binaryImage=True)
    xx, yy, xy = (moments[name] / moments["m00"] for name in ("mu20", "mu02", "mu11"))
    xx, yy = xx + 1 / 12, yy + 1 / 12
    spread = math.hypot(xx - yy, 2 * xy)
    major, minor = (4 * math.sqrt(max(0.0, (xx + yy + sign * spread) / 2)) for sign in (1, -1))
    angle = math.degrees(math.atan2(2 * xy, xx - yy)) / 2
    angle = round(angle, 1) + 0.0  # + 0.0: no negative zero
    return round(major, 2), round(minor, 2), 90.0 if angle == -90 else angle
