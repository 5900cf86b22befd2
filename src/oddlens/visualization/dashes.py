"""Dashed outlines: where to look, told apart from the outlines of what was found."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.io.pixels import Pixels

_POINTS = 4  # of a dash, so that it follows a curve


def outline_dashed(pixels: Pixels, polygons: Sequence[NDArray[np.integer]]) -> Pixels:
    """Draw closed polygons, int [n, 2] of (x, y), with white dashes on a thin dark line into `pixels`, uint8 [h, w, 3]."""
    thickness = max(1, round(min(pixels.shape[:2]) / 500))
    for polygon in polygons:
        corners = np.concatenate([polygon, polygon[:1]]).astype(np.float64)
        cv2.polylines(pixels, [corners.astype(np.int32).reshape(-1, 1, 2)], False, (0, 0, 0), thickness, cv2.LINE_AA)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
        step = max(6 * thickness, along[-1] / 400) / _POINTS
        places = np.arange(0, along[-1], step)
        points = np.rint(np.stack([np.interp(places, along, corners[:, axis]) for axis in (0, 1)], 1)).astype(np.int32)
        dashes = [points[first : first + _POINTS + 1] for first in range(0, len(points), 2 * _POINTS)]
        cv2.polylines(
            pixels, [dash.reshape(-1, 1, 2) for dash in dashes], False, (255, 255, 255), thickness, cv2.LINE_AA
        )
    return pixels
