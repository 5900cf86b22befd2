"""Choosing the images of a cell that the report shows, and drawing each beside its anomaly map."""

from __future__ import annotations

from collections.abc import Sequence
from operator import ge, gt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.data import resize_mask
from oddlens.detection import resize_map
from oddlens.evaluation.cell_results import ImageScore
from oddlens.evaluation.map_file import Map
from oddlens.io.pixels import Pixels
from oddlens.visualization.heat import blend
from oddlens.visualization.overlay import outline_mask

CLEAR, MISTAKEN, BORDERLINE, UNSEEN = "clear", "mistaken", "borderline", "unseen"
ABNORMAL_SHOWN, NORMAL_SHOWN, BORDERLINE_SHOWN, UNSEEN_SHOWN = 3, 1, 4, 4
SHEET = (480, 264)
"""(width, height) of a drawing."""

_SHEET_COLOUR = (36, 38, 43)
_GAP = 4


def choose(scores: Sequence[ImageScore], in_use: float | None, best: float | None = None) -> list[tuple[str, int]]:
    """Images by kind, as (kind, number), none twice.

    - "clear": the abnormal images of the highest scores and the normal one of the lowest.
    - "mistaken": the abnormal images of the lowest scores and the normal one of the highest, if they lie on the wrong side of the
      threshold.
    - "borderline": the images nearest to the threshold.
    - "unseen": the first images that the method looked at nothing of, which are none of the others.

    Args:
        scores: The images of the cell.
        in_use: The threshold that `detect` would use.
        best: The threshold of the best F1 on these images, which counts if `in_use` is None.
    """
    threshold = best if in_use is None else in_use
    unseen = [(UNSEEN, number) for number, image in enumerate(scores) if image.unseen][:UNSEEN_SHOWN]
    seen = (number for number, image in enumerate(scores) if not image.unseen)
    by_score = sorted(seen, key=lambda number: (scores[number].score, scores[number].path))
    normal = [number for number in by_score if scores[number].label == 0]
    abnormal = [number for number in by_score if scores[number].label == 1]
    chosen = [(CLEAR, number) for number in [*abnormal[::-1][:ABNORMAL_SHOWN], *normal[:NORMAL_SHOWN]]]
    if threshold is None:
        return chosen + unseen
    # A threshold in use is exceeded, one of the best F1 is reached: so each is defined.
    positive = gt if in_use is not None else ge
    missed = [number for number in abnormal if not positive(scores[number].score, threshold)]
    alarms = [number for number in normal[::-1] if positive(scores[number].score, threshold)]
    taken = {number for _, number in chosen}
    mistakes = [*missed[:ABNORMAL_SHOWN], *alarms[:NORMAL_SHOWN]]
    chosen += [(MISTAKEN, number) for number in mistakes if number not in taken]
    taken.update(mistakes)
    nearest = sorted(by_score, key=lambda number: abs(scores[number].score - threshold))
    chosen += [(BORDERLINE, number) for number in nearest if number not in taken][:BORDERLINE_SHOWN]
    return chosen + unseen


def draw(
    pixels: Pixels, mask: NDArray[np.bool_] | None, anomaly_map: Map, value_range: tuple[float, float]
) -> Image.Image:
    """The image, and the image under its anomaly map, on a sheet of one size, with the true defect outlined in both.

    They lie side by side, or one above the other if they are larger that way.
    """
    height, width = pixels.shape[:2]
    (sheet_width, sheet_height), half = SHEET, _GAP // 2
    beside = min((sheet_width / 2 - half) / width, sheet_height / height)
    stacked = min(sheet_width / width, (sheet_height / 2 - half) / height)
    scale = max(beside, stacked)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    found = blend(small, resize_map(anomaly_map, size), value_range)
    if mask is not None:
        truth = resize_mask(mask, (size[1], size[0]))
        small, found = outline_mask(small, truth), outline_mask(found, truth)
    sheet = Image.new("RGB", SHEET, _SHEET_COLOUR)
    middle = sheet_width // 2, sheet_height // 2
    if beside >= stacked:
        top = middle[1] - size[1] // 2
        places = (middle[0] - half - size[0], top), (middle[0] + half, top)
    else:
        left = middle[0] - size[0] // 2
        places = (left, middle[1] - half - size[1]), (left, middle[1] + half)
    for panel, place in zip((small, found), places, strict=True):
        sheet.paste(Image.fromarray(panel), place)
    return sheet


def colour_range(median: float, threshold: float | None, otherwise: tuple[float, float]) -> tuple[float, float]:
    """The values at the ends of the colours, for all images of a cell: the median, and as far above the threshold."""
    if threshold is None or not threshold > median:
        return otherwise
    return median, 2 * threshold - median
