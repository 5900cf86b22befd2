"""The form of OUT/metrics.json, from which tables and report are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from oddlens.evaluation.cell_results import LeftOut, SetByHand
from oddlens.evaluation.metric_names import Figures


class Place(TypedDict):
    """Where a cell stands. seed: None for zero-shot."""

    dataset: str
    category: str
    method: str
    shots: int
    seed: int | None


class SkippedEntry(Place):
    """A cell without figures, and the reason."""

    reason: str


class Means(TypedDict):
    """Mean and sample standard deviation of every figure; None where undefined, and for the deviation of fewer than
    two draws of good examples that differ.
    """

    mean: Figures
    std: Figures


class SeedFigures(TypedDict):
    """The figures of one draw of the good examples."""

    seed: int | None
    figures: Figures


class SeedEntry(SeedFigures):
    """One cell; the fields of `CellResult` say what they mean."""

    reasons: dict[str, str]
    image_auroc_interval: tuple[float, float] | None
    thresholds: dict[str, float | None]
    threshold_source: str | None
    references: list[str]
    seconds: dict[str, float]
    components: dict[str, int]
    class_iou: dict[str, float | None]
    maps: str | None


class CategoryEntry(Means):
    """One category: its cells, and their means over the seeds. pixels_compared_at: (height, width); None: the images' own sizes.
    unseen: how many test images the method looked at nothing of, with any seed; only where there are some. lacking: how many of its
    cells were skipped, likewise.
    """

    category: str
    object_name: str
    pictures: dict[str, int]
    pixels_compared_at: tuple[int, int] | None
    notes: list[str]
    unseen: NotRequired[int]
    lacking: NotRequired[int]
    by_seed: list[SeedEntry]


class PublishedEntry(TypedDict):
    """Published figures beside ours, in percent; the fields of `published_methods.Published` say what they mean."""

    source: str
    mark: str
    percent: Mapping[str, float]
    std: Mapping[str, float]
    by_category: Mapping[str, Mapping[str, float]]


class ResultEntry(Means):
    """One data set, method and number of shots: means over the seeds of the unweighted means over the categories.

    categories_counted: how many categories define a figure. categories: [] where everything was skipped; then no mean has a value.
    lacking: how many cells were skipped, of all categories; only where some were.
    """

    dataset: str
    method: str
    shots: int
    seeds: list[int | None]
    by_seed: list[SeedFigures]
    categories_counted: dict[str, int]
    lacking: NotRequired[int]
    categories: list[CategoryEntry]
    published: list[PublishedEntry]


class MethodEntry(SetByHand):
    """A method: how papers call it and what they cite (keys), the recipe in force, the model, the path of learned weights, and what
    was set by hand. changed: the fields of the recipe that do not have their default. trained_on: the data sets that the weights
    say they were trained on. runtime: the package that computed, and its version. takes: see `MethodCard.takes`.
    """

    title: str
    citations: list[str]
    recipe: Mapping[str, object]
    changed: Mapping[str, object]
    fitted: list[str]
    model: str
    model_sha256: str
    preprocessing_sha256: str | None
    weights_sha256: str | None
    weights: str | None
    runtime: str
    trained_on: list[str]
    takes: list[str]


class LeaderboardRow(TypedDict):
    """A published row of a road set; the fields of `published_roads.PublishedRoad` say what they mean."""

    method: str
    variant: str
    outliers: bool
    dataset: str
    frames: str
    percent: Mapping[str, float]
    source: str
    mark: str


class DatasetEntry(LeftOut):
    """A data set. folders_left_out: whose images are no part of it. recognised_as: the published one that it is. leaderboards:
    published rows by category; they enter no mean.
    """

    layout: str
    data_sha256: str
    problems: int
    folders_left_out: list[str]
    recognised_as: str | None
    leaderboards: dict[str, list[LeaderboardRow]]


class EvaluationEntry(TypedDict):
    """How pixels were compared."""

    pixels_compared_at: str
    aupro_limit: float


class Machine(TypedDict):
    """The versions and the device; no figure depends on them."""

    oddlens: str | None
    python: str | None
    torch: str | None
    device: object
    threads: object


class MetricsDocument(TypedDict):
    """The whole document. All figures are fractions; None is "not defined on this data", and `reasons` of a cell says why."""

    format: int
    oddlens: str
    figures: list[str]
    evaluation: EvaluationEntry
    methods: dict[str, MethodEntry]
    datasets: dict[str, DatasetEntry]
    results: list[ResultEntry]
    skipped: list[SkippedEntry]
    machine: Machine
