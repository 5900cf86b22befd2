"""MLflow: the figures of a benchmark as a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

from oddlens.errors import UsageError, printable
from oddlens.inference.tools.mlflow import log_files, started_run
from oddlens.inference.tools.tool import Given, Place
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json

METRICS = "metrics.json"

_OTHERS = re.compile(r"[^\w\-. :/]")
"""What names of MLflow may not have, such as the + of two methods that run as one."""


class _Method(TypedDict):
    model: str
    model_sha256: str
    weights_sha256: str | None


class _Category(TypedDict):
    category: str
    mean: dict[str, float | None]


class _Result(TypedDict):
    dataset: str
    method: str
    shots: int
    mean: dict[str, float | None]
    categories: list[_Category]


class _Metrics(TypedDict):
    """What is read of OUT/metrics.json, see `document.MetricsDocument`."""

    methods: dict[str, _Method]
    results: list[_Result]


def give_benchmark(folder: Path, to: Place, experiment: str, name: str | None) -> Given:
    """Log the figures in OUT/metrics.json as a run: a metric each, "visa/winclip/0/image_auroc" by data set, method and shots; what
    the methods are as parameters; a table of the categories; table.md, report.html and metrics.json as they are.

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
    params = {
        _OTHERS.sub("_", f"{method}.{key}"): str(value)
        for method, entry in document["methods"].items()
        for key, value in (
            ("model", entry["model"]),
            ("model_sha256", entry["model_sha256"]),
            ("weights_sha256", entry["weights_sha256"]),
        )
        if value is not None
    }
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
