"""The result of looking at one picture: the type that Python, the command line and every export speak."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

    from oddlens.io.images import ImageInput


@dataclass(frozen=True)
class Region:
    """A connected part of a picture whose heat reaches the pixel threshold, in the picture's own pixels.

    x, y: top-left corner of its box. area: pixels. peak, mean: of the heat inside. outline: (x, y) corners of its outer contour.
    """

    x: int
    y: int
    width: int
    height: int
    area: int
    peak: float
    mean: float
    outline: tuple[tuple[int, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """The box, area and heat as JSON values; the outline is left out."""
        return {
            "box": [self.x, self.y, self.width, self.height],
            "area": self.area,
            "peak": self.peak,
            "mean": self.mean,
        }


@dataclass(frozen=True)
class Thresholds:
    """Where a verdict begins: `image` for scores, `pixel` for heat; None: no verdict. source: where they come from.

    Raises `UsageError` for one that is not finite: every score would be on the same side of it.
    """

    image: float | None = None
    pixel: float | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        for value in (self.image, self.pixel):
            if value is not None and not math.isfinite(value):
                raise UsageError(f"{value} is no threshold: give a finite number")


@dataclass(frozen=True)
class ValueRange:
    """The heat that the ends of a picture's colour scale stand for, and why: "fixed" or "calibrated on ..."."""

    low: float
    high: float
    label: str


@dataclass(frozen=True, eq=False)
class Detection:
    """What a method says of one picture. Score and map are finite: what is not is a `Failure`.

    score: image level, higher = more anomalous. anomaly_map: float32 [h, w] at the recipe's output resolution, raw values as the
    method defines them. image_size: (width, height) of the picture. Nothing in score and map depends on the thresholds. parts:
    what the score is made of, where it is told beside other pictures' scores. labels: uint8 [h, w], the known class of every pixel
    as a number into label_names, where the method tells one.
    """

    score: float
    anomaly_map: NDArray[np.float32]
    image_size: tuple[int, int]
    thresholds: Thresholds
    value_range: ValueRange
    source: str = ""
    note: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    labels: NDArray[np.uint8] | None = None
    label_names: tuple[str, ...] = ()

    @property
    def threshold(self) -> float | None:
        """The image-level threshold, or None where there is none."""
        return self.thresholds.image

    @property
    def is_anomalous(self) -> bool | None:
        """Whether the score reaches the threshold; None without a threshold."""
        return None if self.threshold is None else self.score >= self.threshold

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The parts of the picture that reach the pixel threshold, hottest first; empty without one."""
        return () if self.thresholds.pixel is None else find_regions(self.heatmap(), self.thresholds.pixel)

    def heatmap(self) -> NDArray[np.float32]:
        """The map at the picture's own size, bilinear: float32 [height, width]."""
        return resize_map(self.anomaly_map, self.image_size)

    def overlay(self, image: ImageInput | None = None) -> Image.Image:
        """The heat over the picture, with outlines of the regions, a colour bar that names its range, score and verdict.

        image: the picture; None: it is read again from where it came. Raises `ImageError` where it cannot be read.
        """
        from oddlens.io.images import read_image
        from oddlens.visualization.overlay import draw_overlay

        verdict: Literal["anomalous", "normal"] | None = None
        if self.is_anomalous is not None:
            verdict = "anomalous" if self.is_anomalous else "normal"
        return draw_overlay(
            read_image(self.source if image is None else image).pixels,
            self.heatmap(),
            (self.value_range.low, self.value_range.high),
            [np.array(region.outline) for region in self.regions],
            f"score {self.score:.3f}" + ("" if self.threshold is None else f"   threshold {self.threshold:.3f}"),
            self.value_range.label,
            verdict,
        )

    def class_shares(self) -> dict[str, float]:
        """The share of the picture, 0..1, that each known class has, in the order of the numbers in `labels`; {} without labels."""
        if self.labels is None:
            return {}
        counts = np.bincount(self.labels.ravel(), minlength=len(self.label_names))
        return {
            name: round(int(count) / self.labels.size, 4) for name, count in zip(self.label_names, counts, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything but map and labels, as JSON values; "classes" has the shares of the known classes, where there are any."""
        told: dict[str, Any] = {
            "path": self.source,
            "score": self.score,
            "is_anomalous": self.is_anomalous,
            "threshold": self.thresholds.image,
            "pixel_threshold": self.thresholds.pixel,
            "threshold_source": self.thresholds.source,
            "regions": [region.to_dict() for region in self.regions],
            "image_size": list(self.image_size),
        }
        if self.note is not None:
            told["note"] = self.note
        if self.labels is not None:
            told["classes"] = self.class_shares()
        return told


def resize_map(anomaly_map: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A map brought to (width, height) pixels, bilinear; float32 [height, width]."""
    resized: NDArray[np.float32] = cv2.resize(anomaly_map, size, interpolation=cv2.INTER_LINEAR).astype(
        np.float32, copy=False
    )
    return resized


def find_regions(anomaly_map: NDArray[np.float32], threshold: float) -> tuple[Region, ...]:
    """The 8-connected regions of `anomaly_map` >= threshold, by descending peak. heat: float32 [height, width]."""
    above = (anomaly_map >= threshold).astype(np.uint8)
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
