"""MLflow: the figures of a benchmark as a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

from oddlens.errors import UsageError, printable
from oddlens.inference.tools.mlflow import log_files, started_run
from oddlens.inference.tools.tool import Given, Place
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json

METRICS = "metrics.json"

_OTHERS = re.compile(r"[^\w\-. :/]")
"""What names of MLflow may not have, such as the + of two methods that run as one."""


_LONGEST = 500
"""Characters of a parameter: more are refused by some servers."""


class _Method(TypedDict):
    recipe: dict[str, object]
    model: str
    model_sha256: str
    weights_sha256: str | None
    method_sha256: NotRequired[str]
    preparation: NotRequired[dict[str, object]]
    roi: NotRequired[dict[str, object]]
    thresholds: NotRequired[dict[str, object]]
    defects_sha256: NotRequired[str]


class _Dataset(TypedDict):
    data_sha256: str


class _Evaluation(TypedDict):
    pixels_compared_at: str


class _Category(TypedDict):
    category: str
    mean: dict[str, float | None]


class _Result(TypedDict):
    dataset: str
    method: str
    shots: int
    seeds: list[int | None]
    mean: dict[str, float | None]
    categories: list[_Category]


class _Metrics(TypedDict):
    """What is read of OUT/metrics.json, see `document.MetricsDocument`."""

    evaluation: _Evaluation
    methods: dict[str, _Method]
    datasets: dict[str, _Dataset]
    results: list[_Result]


def give_benchmark(folder: Path, to: Place, experiment: str, name: str | None) -> Given:
    """Log the figures in OUT/metrics.json as a run: a metric each, "visa/winclip/0/image_auroc" by data set, method and shots; what
    the figures depend on as parameters; a table of the categories; table.md, report.html and metrics.json as they are.

    Args:
        folder: OUT.
        to: See `oddlens.inference.tools.mlflow.MLflow`.
        experiment: Likewise.
        name: Likewise.

    Raises:
        UsageError: The figures are missing or damaged; and as `started_run`.
        OddlensError: As `started_run`.
    """
    try:
        document = checked(parse_json(read_bytes(folder / METRICS)), _Metrics)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{printable(str(folder / METRICS))} is damaged, or of an earlier version ({error}): run the benchmark again"
        ) from error
    results = document["results"]
    metrics = {
        _OTHERS.sub("_", f"{result['dataset']}/{result['method']}/{result['shots']}/{figure}"): value
        for result in results
        for figure, value in result["mean"].items()
        if value is not None
    }
    params = {_OTHERS.sub("_", key): value[:_LONGEST] for key, value in _params(document)}
    rows = [
        {
            "dataset": result["dataset"],
            "category": category["category"],
            "method": result["method"],
            "shots": result["shots"],
            **category["mean"],
        }
        for result in results
        for category in result["categories"]
    ]
    names = list(dict.fromkeys(key for row in rows for key in row))
    with started_run(to, experiment, name) as run:
        import mlflow

        mlflow.log_params(params)
        mlflow.log_metrics(metrics)
        mlflow.set_tag("oddlens.results", str(folder.absolute()))
        mlflow.log_table({each: [row.get(each) for row in rows] for each in names}, "table.json")
        log_files(folder, METRICS, "table.md", "report.html")
    return Given(f"run {run} of {printable(experiment)}", len(rows))


def _params(document: _Metrics) -> Iterator[tuple[str, str]]:
    """What tells two runs apart: how methods were set, on which data, with which good examples, and how pixels were compared."""
    for method, entry in document["methods"].items():
        for key, value in entry.items():
            if key in _Method.__annotations__ and key != "recipe" and value is not None:
                yield f"{method}.{key}", _text(value)
        yield from ((f"{method}.recipe.{field}", _text(value)) for field, value in entry["recipe"].items())
    for name, dataset in document["datasets"].items():
        yield f"{name}.data_sha256", dataset["data_sha256"]
    yield "shots", _each(result["shots"] for result in document["results"])
    yield "seeds", _each(seed for result in document["results"] for seed in result["seeds"] if seed is not None)
    yield "pixels_compared_at", document["evaluation"]["pixels_compared_at"]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _each(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(set(numbers))))
