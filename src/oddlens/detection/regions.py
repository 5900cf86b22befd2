"""Regions: connected parts of an image where its anomaly map is high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError
from oddlens.io.strict_json import form_fault


class RegionDict(TypedDict):
    """What `Region.to_dict` gives."""

    box: list[int]
    area: int
    peak: float
    mean: float
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

    @classmethod
    def from_dict(cls, document: object) -> Region:
        """The region that `to_dict` wrote; its outline is that of its box. Raises `UsageError` for anything else."""
        check_form(document, {"box": [int], "area": int, "peak": float, "mean": float}, "region")
        region = cast("RegionDict", document)
        names = _names(region.get("names", []))
        if len(region["box"]) != 4 or min(region["box"][2:]) < 1:
            raise UsageError("this is no region: its box is not x, y, width, height")
        x, y, width, height = region["box"]
        right, bottom = x + width - 1, y + height - 1
        outline = ((x, y), (right, y), (right, bottom), (x, bottom))
        return cls(x, y, width, height, region["area"], region["peak"], region["mean"], outline, names)

    def to_dict(self) -> RegionDict:
        """The box (x, y, width, height), area, peak, mean and names, if any, as JSON values; the outline is left out."""
        document: RegionDict = {
            "box": [self.x, self.y, self.width, self.height],
            "area": self.area,
            "peak": self.peak,
            "mean": self.mean,
        }
        if self.names:
            document["names"] = [[name, weight] for name, weight in self.names]
        return document


def _names(found: object) -> tuple[tuple[str, float], ...]:
    """Names and weights as `Region.to_dict` writes them."""
    check_form({"names": found}, {"names": [[(str, float)]]}, "region")
    pairs = cast("list[list[str | float]]", found)
    if any(len(pair) != 2 or not isinstance(pair[0], str) or isinstance(pair[1], str) for pair in pairs):
        raise UsageError("this is no region: its names are not pairs of a name and a weight")
    return tuple((str(name), float(weight)) for name, weight in pairs)


def check_form(document: object, form: dict[str, object], what: str) -> None:
    """Raise `UsageError` for a document that does not have a form."""
    if fault := form_fault(document, form):
        raise UsageError(f"this is no {what}: {fault}")


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


def find_regions(anomaly_map: NDArray[np.float32], threshold: float) -> tuple[Region, ...]:
    """The 8-connected regions where an anomaly map, float32 [height, width], exceeds a threshold; by descending peak."""
    above = (anomaly_map > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    regions = []
    for number in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[number])
        box = np.s_[y : y + height, x : x + width]
        inside = labels[box] == number
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
        )
        outline = tuple((int(px), int(py)) for px, py in max(contours, key=len)[:, 0])
        values = anomaly_map[box][inside]
        regions.append(Region(x, y, width, height, area, float(values.max()), float(values.mean()), outline))
    return tuple(sorted(regions, key=lambda region: -region.peak))


def half_way(heatmap: NDArray[np.float32]) -> float:
    """Half way between the median of a map and its largest value."""
    return (float(np.median(heatmap)) + float(heatmap.max())) / 2


def hottest_mask(heatmap: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the region around the largest value of a map is; all of a map that is the same everywhere."""
    _, labels = cv2.connectedComponents((heatmap > half_way(heatmap)).astype(np.uint8), connectivity=8)
    hottest: NDArray[np.bool_] = labels == labels.ravel()[int(heatmap.argmax())]
    return hottest
