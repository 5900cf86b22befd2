"""An image with its anomaly map drawn over it.

The caller gives the range of the colours, and the drawing names it: stretching each map by its own extremes would paint a red
spot on every good part. Only outlines cover the image: name, score and verdict stand in a strip above it, the colour bar in a
strip below.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.errors import UsageError
from oddlens.io.pixels import Pixels
from oddlens.visualization.dashes import outline_dashed
from oddlens.visualization.heat import anchored_range, blend
from oddlens.visualization.strips import PANEL, Verdict, draw_footer, draw_header, font_size_for

_TRUTH = (0, 229, 255)
_MIN_WIDTH = 320


def outline_mask(pixels: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """A copy of an image, uint8 [h, w, 3], with the border of a mask [h, w] in cyan, which no anomaly map has: the true defect."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn: Pixels = cv2.drawContours(pixels.copy(), contours, -1, _TRUTH, 2, cv2.LINE_AA).astype(np.uint8, copy=False)
    return drawn


def draw_overlay_pixels(
    pixels: Pixels,
    anomaly_map: NDArray[np.floating],
    value_range: tuple[float, float],
    outlines: Sequence[NDArray[np.integer]],
    title: str,
    range_label: str,
    verdict: Verdict | None,
    truth: NDArray[np.bool_] | None = None,
    *,
    detail: str = "",
    threshold: float | None = None,
    looked_at: Sequence[NDArray[np.integer]] = (),
) -> Pixels:
    """Draw an image with its anomaly map, region outlines, title, verdict and colour bar: uint8 [height, width, 3].

    Args:
        pixels: Uint8 [h, w, 3]. It keeps its size in the drawing; a small one is set in the middle of a wider sheet.
        anomaly_map: Float [h, w], finite, of the image's own size.
        value_range: The values at the two ends of the colours; values beyond are drawn as the end.
        outlines: Closed polygons, int [n, 2] of (x, y) in the image's pixels.
        title: One line, such as the name; a long one is cut in its middle.
        range_label: Names the range: "fixed range 0..1", "calibrated on 4 references".
        verdict: Shown as a badge; None if no threshold was set.
        truth: A mask [h, w] of the true defects; its border lies over the anomaly map, see `outline_mask`.
        detail: A second line, such as score and thresholds.
        threshold: From which on values are marked, see `blend`; a tick on the colour bar.
        looked_at: The borders of the region of interest, as `outlines`, dashed.

    Raises:
        UsageError: The value range is empty or not finite.
        ValueError: Anomaly map and image differ in size, or the map is not finite.
    """
    if anomaly_map.shape != pixels.shape[:2]:
        raise ValueError(f"an anomaly map of shape {anomaly_map.shape} does not fit an image of shape {pixels.shape}")
    if not np.isfinite((anomaly_map.min(), anomaly_map.max())).all():
        raise ValueError("the anomaly map holds values that are not finite")
    low, high = value_range
    if not low < high or not np.isfinite((low, high)).all():
        raise UsageError(f"the range {low:g}..{high:g} cannot colour a map: its lower end must lie below its upper end")
    height, picture_width, _ = pixels.shape
    width = max(picture_width, _MIN_WIDTH)
    font_size = font_size_for(width, height)
    header = np.asarray(draw_header(width, font_size, title, detail, verdict))
    footer = np.asarray(draw_footer(width, font_size, anchored_range(value_range, threshold), threshold, range_label))
    sheet: Pixels = np.empty((len(header) + height + len(footer), width, 3), np.uint8)
    sheet[: len(header)], sheet[len(header) + height :] = header, footer
    inside = sheet[len(header) : len(header) + height]
    out = inside if width == picture_width else None
    drawn = paint(pixels, anomaly_map, value_range, outlines, threshold, looked_at, out)
    if truth is not None:
        drawn = outline_mask(drawn, truth)
    if drawn is not inside:
        left = (width - picture_width) // 2
        inside[:] = PANEL
        inside[:, left : left + picture_width] = drawn
    return sheet


def paint(
    pixels: Pixels,
    anomaly_map: NDArray[np.floating],
    value_range: tuple[float, float],
    outlines: Sequence[NDArray[np.integer]],
    threshold: float | None = None,
    looked_at: Sequence[NDArray[np.integer]] = (),
    out: Pixels | None = None,
) -> Pixels:
    """As `draw_overlay_pixels`, without the strips: uint8 [h, w, 3], of the image's own size. out: receives the result."""
    drawn = blend(pixels, anomaly_map, value_range, threshold, out)
    _outline(drawn, outlines)
    outline_dashed(drawn, looked_at)
    return drawn


def _outline(pixels: Pixels, outlines: Sequence[NDArray[np.integer]]) -> None:
    """Draw the polygons white with a dark edge, visible on any ground, into `pixels`; a lone point gets a box around it."""
    thickness = max(1, round(min(pixels.shape[:2]) / 350))
    box = 3 * thickness * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    polygons = [
        np.asarray(outline if len(outline) > 1 else outline + box, dtype=np.int32).reshape(-1, 1, 2)
        for outline in outlines
    ]
    cv2.polylines(pixels, polygons, True, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.polylines(pixels, polygons, True, (255, 255, 255), thickness, cv2.LINE_AA)
