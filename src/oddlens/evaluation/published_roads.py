"""Published figures of road scenes: the leaderboards beside which our figures of road sets stand.

They lie in `published_roads.json`, percentages as printed, each with its source and how it was read: "L" in a leaderboard's own
files, "R" in the authors' repository. They are apart from `published`, as their methods are mostly not ours, their figures others
(`pixel_fpr95`, components), and most are of frames whose labels are hidden: on public frames of the same name figures
are others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

ROAD_METRICS = ("pixel_ap", "pixel_fpr95", "component_siou", "component_ppv", "component_f1_mean", "miou")
"""The figures by our names: fields of `metrics.PixelMetrics`, `ComponentMetrics` and `SegmentationMetrics`."""


@dataclass(frozen=True)
class PublishedRoad:
    """One row of a leaderboard.

    Attributes:
        method: The method's name.
        variant: What distinguishes it from other rows of the method, or "".
        outliers: Whether it needs out-of-distribution data, according to the source.
        dataset: The data set.
        frames: Its frames.
        percent: Of `ROAD_METRICS`.
        source: The leaderboard or paper.
        mark: How it was read.
    """

    method: str
    variant: str
    outliers: bool
    dataset: str
    frames: str
    percent: Mapping[str, float]
    source: str
    mark: str


def find_published_roads(dataset: str) -> tuple[PublishedRoad, ...]:
    """All rows of a data set, in the source's order; () for one of which nothing is published."""
    return tuple(row for row in all_published_roads() if row.dataset == dataset)


@cache
def all_published_roads() -> tuple[PublishedRoad, ...]:
    """Everything in the file."""
    text = resources.files("oddlens.evaluation").joinpath("published_roads.json").read_text(encoding="utf-8")
    return tuple(
        PublishedRoad(
            method=row["method"],
            variant=row.get("variant", ""),
            outliers=row["outliers"],
            dataset=source["dataset"],
            frames=source["frames"],
            percent=row["percent"],
            source=source["source"],
            mark=source["mark"],
        )
        for source in json.loads(text)["sources"]
        for row in source["rows"]
    )
