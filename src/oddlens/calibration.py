"""What good examples say of themselves, each scored against the others: thresholds, and what their maps usually hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from oddlens.detection import Thresholds, ValueRange
from oddlens.encoding import BATCH_SIZE, EncodedBatch
from oddlens.errors import ImageError, printable
from oddlens.methods.base import Method, Parts
from oddlens.methods.common.memory_bank import MemoryBank


@dataclass(frozen=True)
class Calibration:
    """Of good examples, each scored against the others (leave-one-out).

    thresholds: the largest value of a good example plus one standard deviation of those values (ours); image None where scores are
    those of a set, which mean nothing in another set. value_range: from what is usual up to as far beyond the pixel threshold; None
    where maps are the same everywhere, which leaves nothing to calibrate a scale on. parts: of the references' scores.
    """

    thresholds: Thresholds
    value_range: ValueRange | None
    parts: Parts


def leave_one_out(
    method: Method, references: EncodedBatch, memory: MemoryBank, text: Mapping[str, torch.Tensor]
) -> Calibration:
    """The calibration of at least two references. Raises `ImageError` for one whose score or map is not finite."""
    scores: list[torch.Tensor] = []
    parts: list[Parts] = []
    maps: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    for first in range(0, len(references), BATCH_SIZE):
        result = method.score(references[first : first + BATCH_SIZE].features, text, memory.leaving_out_from(first))
        scores.append(result.scores)
        parts.append(result.parts)
        maps += [each.float().cpu().numpy() for each in result.maps]
    together = {name: torch.cat([each[name] for each in parts]) for name in parts[0]}
    relative = method.relative
    if relative is not None:
        scores = [relative.score(together, together)]
    told = torch.cat(scores).tolist()
    for source, score, each in zip(references.sources, told, maps, strict=True):
        if not np.isfinite(score) or not np.isfinite(each).all():
            raise ImageError(f"the reference {printable(source)} {NOT_FINITE}")
    pixel, usual = _above([float(each.max()) for each in maps]), float(np.median(maps))
    image = None if relative is not None and relative.to == "set" else _above(told)
    label = f"{len(references)} references"
    return Calibration(
        Thresholds(image, pixel, f"leave-one-out scores of {label}"),
        ValueRange(usual, 2 * pixel - usual, f"calibrated on {label}") if pixel > usual else None,
        together,
    )


NOT_FINITE = (
    "has a score or a map that is not finite, so that nothing is known of it: check the model, the weights, the references and "
    "the recipe's numbers"
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
