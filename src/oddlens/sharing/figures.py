"""What a benchmark measured of learned weights, for their card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from oddlens.errors import UsageError, printable
from oddlens.io.paths import read_bytes
from oddlens.io.strict_json import checked, parse_json


class _Method(TypedDict):
    weights_sha256: str | None


class _Result(TypedDict):
    dataset: str
    method: str
    shots: int
    mean: dict[str, float | None]


class _Metrics(TypedDict):
    """What is read of OUT/metrics.json."""

    methods: dict[str, _Method]
    results: list[_Result]


def measured(folder: Path, weights_sha256: str) -> list[Sequence[str]]:
    """The rows of a table, the first its head: each data set and number of shots, with the figures in percent.

    folder: that of a benchmark. weights_sha256: of the weights.

    Raises:
        UsageError: There are no figures, or none of these weights.
    """
    shown = printable(str(folder))
    try:
        found = checked(parse_json(read_bytes(folder / "metrics.json")), _Metrics)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{shown} holds no figures of a benchmark: give what 'oddlens benchmark --out' wrote"
        ) from error
    methods = {name for name, method in found["methods"].items() if method["weights_sha256"] == weights_sha256}
    results = [each for each in found["results"] if each["method"] in methods]
    if not results:
        raise UsageError(f"the benchmark {shown} measured other weights: give one of these")
    names = list(dict.fromkeys(name for each in results for name, value in each["mean"].items() if value is not None))
    return [
        ("data set", "shots", *names),
        *(
            (each["dataset"], str(each["shots"]), *(_percent(each["mean"].get(name)) for name in names))
            for each in results
        ),
    ]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
