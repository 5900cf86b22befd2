"""Which pictures of a cell are worth looking at, and drawing them: the truth on the left, what was found on the right."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.benchmark.cells import ImageScore
from oddlens.benchmark.map_file import Map
from oddlens.data import resize_mask
from oddlens.maps import resize_heat
from oddlens.overlay import blend
from oddlens.pixels import Pixels

CLEAR, MISTAKEN, BORDERLINE = "clear", "mistaken", "borderline"
ABNORMAL_SHOWN, NORMAL_SHOWN, BORDERLINE_SHOWN = 3, 1, 4
PANEL = 232
"""Pixels of a panel's longer side."""

_TRUTH = (0, 229, 255)
_GAP = 2


def choose(scores: Sequence[ImageScore], threshold: float | None) -> list[tuple[str, int]]:
    """Pictures by kind, as (kind, number), none twice.

    - "clear": the abnormal ones of the highest scores and the normal one of the lowest.
    - "mistaken": the abnormal ones of the lowest and the normal one of the highest score, as far as they lie on the wrong side of
      the threshold.
    - "borderline": those nearest to the threshold.
    """
    by_score = sorted(range(len(scores)), key=lambda number: (scores[number].score, scores[number].path))
    normal = [number for number in by_score if scores[number].label == 0]
    abnormal = [number for number in by_score if scores[number].label == 1]
    chosen = [(CLEAR, number) for number in [*abnormal[::-1][:ABNORMAL_SHOWN], *normal[:NORMAL_SHOWN]]]
    if threshold is None:
        return chosen
    missed = [number for number in abnormal if scores[number].score < threshold]
    alarms = [number for number in normal[::-1] if scores[number].score >= threshold]
    taken = {number for _, number in chosen}
    mistakes = [*missed[:ABNORMAL_SHOWN], *alarms[:NORMAL_SHOWN]]
    chosen += [(MISTAKEN, number) for number in mistakes if number not in taken]
    taken.update(mistakes)
    nearest = sorted(by_score, key=lambda number: abs(scores[number].score - threshold))
    chosen += [(BORDERLINE, number) for number in nearest if number not in taken][:BORDERLINE_SHOWN]
    return chosen


def draw(
    pixels: Pixels, mask: NDArray[np.bool_] | None, anomaly_map: Map, value_range: tuple[float, float]
) -> Image.Image:
    """The picture and the picture under its heat, the true defect outlined in both; above each other where it is wide."""
    height, width = pixels.shape[:2]
    scale = PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    found = blend(small, resize_heat(anomaly_map, size), value_range)
    if mask is not None:
        truth = resize_mask(mask, (size[1], size[0]))
        small, found = _outlined(small, truth), _outlined(found, truth)
    axis = 0 if width > 1.4 * height else 1
    gap = np.full((_GAP, size[0], 3) if axis == 0 else (size[1], _GAP, 3), 128, np.uint8)
    return Image.fromarray(np.concatenate([small, gap, found], axis=axis))


def colour_range(usual: float, threshold: float | None, otherwise: tuple[float, float]) -> tuple[float, float]:
    """The heat at the ends of the colours, one range for all pictures of a cell: the usual heat, and as far above the threshold."""
    if threshold is None or not threshold > usual:
        return otherwise
    return usual, 2 * threshold - usual


def _outlined(pixels: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn: Pixels = cv2.drawContours(pixels.copy(), contours, -1, _TRUTH, 2, cv2.LINE_AA).astype(np.uint8, copy=False)
    return drawn
