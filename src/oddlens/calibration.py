"""Calibration from good examples, each scored against the others: thresholds, and the usual range of their maps.

No torch is needed here: a detector scores its references (`Detector.calibrate`), and this module computes with the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oddlens.detection import Thresholds, ValueRange
from oddlens.errors import ImageError, printable

NOT_FINITE = (
    "has a score or a map that is not finite, so that nothing is known of it: check the model, the weights, the references and "
    "the recipe's numbers"
)


@dataclass(frozen=True)
class Calibration:
    """What is known from good examples, each scored against the others (leave-one-out).

    Attributes:
        thresholds: The largest value of a good example plus one standard deviation of those values (ours).
        value_range: From what is usual up to as far beyond the pixel threshold. None where all maps are the same everywhere, which
            leaves nothing to calibrate a scale on.
    """

    thresholds: Thresholds
    value_range: ValueRange | None


def calibrate_on(sources: Sequence[str], scores: Sequence[float], maps: Sequence[NDArray[np.float32]]) -> Calibration:
    """The calibration on at least two good examples that were scored.

    Args:
        sources: What the images are called.
        scores: One an image.
        maps: One an image, float32 [height, width].

    Raises:
        ImageError: A score or a map is not finite.
    """
    for source, score, each in zip(sources, scores, maps, strict=True):
        if not np.isfinite(score) or not np.isfinite(each).all():
            raise ImageError(f"the reference {printable(source)} {NOT_FINITE}")
    pixel, usual = _above([float(each.max()) for each in maps]), float(np.median(maps))
    label = f"{len(sources)} references"
    return Calibration(
        Thresholds(_above(scores), pixel, f"leave-one-out scores of {label}"),
        ValueRange(usual, 2 * pixel - usual, f"calibrated on {label}") if pixel > usual else None,
    )


def chosen(given: Thresholds, calibration: Calibration | None) -> Thresholds:
    """The thresholds in force: those given by hand win, one by one, over calibrated ones."""
    if calibration is None:
        return given
    calibrated = calibration.thresholds
    if given.image is None and given.pixel is None:
        return calibrated
    if given.image is not None and given.pixel is not None:
        return given
    known = "image" if given.image is not None else "pixel"
    return replace(
        calibrated,
        image=calibrated.image if given.image is None else given.image,
        pixel=calibrated.pixel if given.pixel is None else given.pixel,
        source=f"{known}: given; the other: {calibrated.source}",
    )


def _above(values: Sequence[float]) -> float:
    return float(max(values) + np.std(values, ddof=1))
