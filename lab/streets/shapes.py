"""Outlines of the parts of things, in *thing units*: a thing is 1 high, x to the right, y down."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lab.synthetic.strokes import Path

Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A filled polygon, or a line of a width. points: float64 [n, 2] as (x, y)."""

    points: Path
    width: float | None = None


def polygon(*corners: Point) -> Shape:
    """A filled polygon."""
    return Shape(np.array(corners, np.float64))


def line(width: float, *points: Point) -> Shape:
    """A line through points."""
    return Shape(np.array(points, np.float64), width)


def box(left: float, top: float, right: float, bottom: float) -> Shape:
    """An upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def rounded(left: float, top: float, right: float, bottom: float, radius: float) -> Shape:
    """An upright rectangle with round corners."""
    middles = ((right - radius, bottom - radius), (left + radius, bottom - radius), (left + radius, top + radius),
               (right - radius, top + radius))  # fmt: skip
    angles = [quarter * math.pi / 2 + step * math.pi / 8 for quarter in range(4) for step in range(5)]
    return polygon(*(
        (middles[number // 5][0] + radius * math.cos(angle), middles[number // 5][1] + radius * math.sin(angle))
        for number, angle in enumerate(angles)
    ))  # fmt: skip


def disc(x: float, y: float, across: float, down: float | None = None) -> Shape:
    """An ellipse about (x, y) with half axes `across` and `down` (a circle where `down` is None)."""
    angles = np.arange(20) * (2 * math.pi / 20)
    return Shape(np.stack([x + across * np.cos(angles), y + (down or across) * np.sin(angles)], -1))
