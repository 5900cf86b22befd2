"""Good images that were scored, made into a calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oddlens.calibration.calibration import Calibration
from oddlens.calibration.observation import Kind, Observations, summary
from oddlens.calibration.rates import Rates


def calibrate_on(
    kind: Kind,
    images: Iterable[tuple[str, float, NDArray[np.float32]]],
    rates: Rates,
    *,
    object_name: str,
    unguaranteed: str = "",
) -> Calibration:
    """The calibration on good images that were scored.

    Args:
        kind: Which images they are.
        images: What each is called, its score, and its map, float32 [height, width]; at least one. One map is held at a time.
        rates: At which the thresholds are set.
        object_name: What was said to be on them.
        unguaranteed: See `Calibration`.

    Raises:
        ImageError: A score or a map is not finite.
        UsageError: There are too few images for the rates.
    """
    what = "reference" if kind == "leave-one-out" else "calibration image"
    sources: list[str] = []
    values: list[tuple[float, float, float]] = []
    for source, score, each in images:
        values.append(summary(source, score, each, what))
        sources.append(source)
    return _calibration(kind, sources, values, rates, object_name, unguaranteed)


def calibrate_on_observed(
    images: Observations, rates: Rates, *, object_name: str, unguaranteed: str = ""
) -> Calibration:
    """As `calibrate_on`, for images that were observed; at least one."""
    values = [(each.score, each.peak, each.usual) for each in images]
    made = _calibration(images.kind, [each.source for each in images], values, rates, object_name, unguaranteed)
    digests = tuple(each.digest for each in images)
    return replace(made, digests=digests if all(digests) else ())


def _calibration(
    kind: Kind,
    sources: Sequence[str],
    values: Sequence[tuple[float, float, float]],
    rates: Rates,
    object_name: str,
    unguaranteed: str,
) -> Calibration:
    """values: score, peak and median of each image's map."""
    scores, peaks, medians = zip(*values, strict=True)
    return Calibration(
        kind=kind,
        sources=tuple(sources),
        scores=scores,
        peaks=peaks,
        usual=float(np.median(medians)),
        object_name=object_name,
        false_alarm_rate=rates.of(len(scores)),
        review_rate=rates.review_rate,
        rate_given=rates.false_alarm_rate is not None,
        unguaranteed=unguaranteed,
    )
