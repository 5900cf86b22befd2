"""What one cell's pictures add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from oddlens.evaluation.cell_results import Curve, ImageScore
from oddlens.evaluation.map_file import Map
from oddlens.metrics import Ranking, precision_recall_points, roc_points

CURVE_POINTS = 150


@dataclass
class Measured:
    """Filled step by step; the fields of the same names in `CellResult` say what they are.

    maps: as the method gave them, one a picture, on disk. usual: the median heat of all of them.
    """

    scores: tuple[ImageScore, ...]
    maps: Sequence[Map]
    usual: float
    figures: dict[str, float | None]
    reasons: dict[str, str] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    thresholds: dict[str, float | None] = field(
        default_factory=lambda: {"image": None, "pixel": None, "calibrated": None}
    )
    notes: tuple[str, ...] = ()
    curves: dict[str, Curve] = field(default_factory=dict)
    components: dict[str, int] = field(default_factory=dict)
    class_iou: dict[str, float | None] = field(default_factory=dict)

    def tell(self, name: str, value: float) -> None:
        """Set a figure, where the category has it; NaN is no value."""
        if name in self.figures and value == value:
            self.figures[name] = value

    def set_undefined(self, names: Iterable[str], reason: str) -> None:
        """Give the reason for figures that there are not, of those that the category has."""
        self.reasons |= dict.fromkeys((name for name in names if name in self.figures), reason)

    def draw(self, level: str, ranking: Ranking) -> None:
        """Keep the curves of a ranking."""
        roc = roc_points(ranking, CURVE_POINTS)
        precision, recall, _ = precision_recall_points(ranking, CURVE_POINTS)
        self.curves |= {f"{level}_roc": _curve(roc.fpr, roc.tpr), f"{level}_pr": _curve(recall, precision)}


def _curve(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Curve:
    return Curve(_rounded(x), _rounded(y))


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
