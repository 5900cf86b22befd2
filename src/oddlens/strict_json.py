"""JSON from disk or from a user, read strictly: what is no JSON is a `ValueError`, and nothing else."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` for anything else: also for NaN, infinities, and nesting that is too deep.

    Python's own reader takes NaN and 1e999, and ends in a `RecursionError` on deep nesting.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large for a number")
    return value
