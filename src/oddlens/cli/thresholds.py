"""Thresholds on the command line: SCORE[,PIXEL]."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from oddlens.errors import OddlensWarning, UsageError


def parse_thresholds(given: Sequence[str]) -> tuple[float | None, float | None]:
    """The thresholds of images and of pixels: None for one that is not given."""
    found: list[float | None] = [None, None]
    for text in given:
        parts = text.split(",")
        if len(parts) > len(found) or not any(part.strip() for part in parts):
            raise UsageError(
                f"--threshold {text!r} is not of the form SCORE[,PIXEL], for instance 0.4 or 0.4,0.5 or ,0.5"
            )
        for number, part in enumerate(parts):
            if not part.strip():
                continue
            if found[number] is not None:
                raise UsageError("--threshold is given more than once: give it one value")
            found[number] = _finite(part)
    score, pixel = found
    if score == 0 and pixel is not None and pixel > 1:
        warnings.warn(
            f"--threshold {text} means SCORE 0 and PIXEL {pixel:g}: write a decimal point where you meant {text.replace(',', '.')}",
            OddlensWarning,
            stacklevel=2,
        )
    return score, pixel


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"--threshold {text.strip()} is no threshold: give a finite number, or two as SCORE,PIXEL")
    return value
