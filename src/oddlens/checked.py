"""What is read from disk, judged before it is used: JSON that is JSON, and tensors whose numbers are finite."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from torch import Tensor


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` for anything else: also for NaN, infinities, and nesting beyond all measure.

    Python's own reader takes NaN and 1e999, and ends in a `RecursionError` on deep nesting.
    """
    try:
        return json.loads(text, parse_constant=_refuse_number, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def find_non_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or an infinity; None where all numbers are finite. It copies no tensor."""
    return next((name for name, value in tensors.items() if not is_finite(value)), None)


def is_finite(value: Tensor) -> bool:
    """Whether a tensor of any dtype holds neither NaN nor an infinity."""
    if value.is_complex():
        return bool(value.isfinite().all())
    if not value.is_floating_point() or not value.numel():
        return True
    ends = (value if value.element_size() > 1 else value.float()).aminmax()  # NaN wins over every number
    return math.isfinite(ends.min) and math.isfinite(ends.max)


def _refuse_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is beyond what a number can be")
    return value
