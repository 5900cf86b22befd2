"""What a benchmark measured of learned weights, and what is to be known of it, for their card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from oddlens.errors import UsageError, printable
from oddlens.evaluation.document import MetricsDocument
from oddlens.evaluation.markdown_tables import preamble, problem_lines, remark_lines, summary_table, undefined_lines
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json


class _Evaluation(TypedDict):
    pixels_compared_at: str
    aupro_limit: float


class _Method(TypedDict):
    title: str
    changed: dict[str, object]
    weights: str | None
    weights_sha256: str | None
    trained_on: list[str]


class _Dataset(TypedDict):
    problems: int
    folders_left_out: list[str]


class _Means(TypedDict):
    mean: dict[str, float | None]
    std: dict[str, float | None]


class _Cell(TypedDict):
    reasons: dict[str, str]


class _Category(_Means):
    category: str
    notes: list[str]
    unseen: NotRequired[int]
    by_seed: list[_Cell]


class _Result(_Means):
    dataset: str
    method: str
    shots: int
    categories_counted: dict[str, int]
    categories: list[_Category]
    published: list[_Means]


class _Metrics(TypedDict):
    """What is read of OUT/metrics.json."""

    evaluation: _Evaluation
    methods: dict[str, _Method]
    datasets: dict[str, _Dataset]
    results: list[_Result]


@dataclass(frozen=True)
class Measured:
    """The figures of weights.

    Attributes:
        how: How they were measured, in sentences.
        rows: The rows of a table, the first its head: each data set and number of shots, with the figures in percent.
        remarks: What is to be known of them, as below the tables of the benchmark.
    """

    how: str
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str]


def measured(folder: Path, weights_sha256: str) -> Measured:
    """What a benchmark measured of weights.

    Args:
        folder: That of the benchmark.
        weights_sha256: Of the weights.

    Raises:
        UsageError: There are no figures, or none of these weights.
    """
    shown = printable(str(folder))
    try:
        found = checked(parse_json(read_bytes(folder / "metrics.json")), _Metrics)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{shown} holds no figures of a benchmark with this oddlens: give what 'oddlens benchmark --out' wrote"
        ) from error
    methods = {name: each for name, each in found["methods"].items() if each["weights_sha256"] == weights_sha256}
    results = [each for each in found["results"] if each["method"] in methods and each["categories"]]
    if not results:
        raise UsageError(f"the benchmark {shown} measured nothing of these weights: give one that did")
    shown_sets = {each["dataset"] for each in results}
    datasets = {name: each for name, each in found["datasets"].items() if name in shown_sets}
    document = cast("MetricsDocument", {**found, "methods": methods, "datasets": datasets, "results": results})
    head, rows = summary_table(document)
    undefined = [f"{each['dataset']}, {line}" for each in document["results"] for line in undefined_lines(each)]
    remarks = list(dict.fromkeys([*problem_lines(document), *remark_lines(document), *undefined]))
    return Measured(preamble(document, head), [head, *rows], remarks)
