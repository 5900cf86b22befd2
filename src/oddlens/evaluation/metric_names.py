"""The metrics of a cell: their names in files and in the heads of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class Figure:
    """One metric.

    Attributes:
        name: Its name in files.
        level: What it evaluates; a heading over several columns.
        short: The heading of its own column.
    """

    name: str
    level: str
    short: str


FIGURES = (
    Figure("image_auroc", "image", "AUROC"),
    Figure("image_ap", "image", "AP"),
    Figure("image_f1_max", "image", "F1-max"),
    Figure("pixel_auroc", "pixel", "AUROC"),
    Figure("pixel_ap", "pixel", "AP"),
    Figure("pixel_f1_max", "pixel", "F1-max"),
    Figure("pixel_aupro", "pixel", "AUPRO"),
    Figure("pixel_aupro_legacy", "pixel", "PRO (legacy)"),
    Figure("pixel_fpr95", "pixel", "FPR95 ↓"),
    Figure("pixel_auroc_per_image", "pixel, image by image", "AUROC"),
    Figure("pixel_ap_per_image", "pixel, image by image", "AP"),
    Figure("pixel_fpr95_per_image", "pixel, image by image", "FPR95 ↓"),
    Figure("component_siou", "component", "sIoU"),
    Figure("component_ppv", "component", "PPV"),
    Figure("component_f1_mean", "component", "F1*"),
    Figure("miou", "known classes", "mIoU"),
)
"""In the order of all tables. All are fractions and higher is better, but for the false positive rates: ↓."""

METRICS = tuple(figure.name for figure in FIGURES)


def columns(rows: Iterable[Figures], among: Iterable[str] = METRICS) -> tuple[str, ...]:
    """The figures that some row has a value of, in the order of `among`: what is worth a column."""
    valued = {name for row in rows for name, value in row.items() if value is not None}
    return tuple(name for name in among if name in valued)


def headings(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Column heads by level: [("pixel", ["AUROC", "AP"]), ...]."""
    chosen = set(names)
    figures = (figure for figure in FIGURES if figure.name in chosen)
    return [(level, [figure.short for figure in group]) for level, group in groupby(figures, lambda each: each.level)]


def heading(name: str) -> str:
    """One figure's own heading: "image AUROC"."""
    figure = next(figure for figure in FIGURES if figure.name == name)
    return f"{figure.level} {figure.short}"


def percent(mean: float | None, std: float | None = None) -> str:
    """A fraction as papers print it, in percent. What is no zero does not look like one.

    Examples:
        >>> percent(0.92), percent(0.92, 0.003), percent(0.0002), percent(None)
        ('92.0', '92.0 ± 0.3', '<0.1', '-')
    """
    if mean is None:
        return "-"
    shown = f"{100 * mean:.1f}"
    if shown == "0.0" and mean > 0:
        shown = "<0.1"
    return shown if std is None else f"{shown} ± {100 * std:.1f}"
