"""Small copies of images, for pages."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from oddlens.io.pixels import Pixels

PREVIEW_SIDE = 480
"""The longest side of a preview, in pixels."""

_QUALITY = 85


def shrunk(pixels: Pixels, side: int = PREVIEW_SIDE) -> Pixels:
    """An image [h, w, 3] whose longest side is at most `side` pixels: the mean of what each pixel covers; a small one as it is."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def write_preview(path: Path, pixels: Pixels) -> None:
    """Write a small copy of an image as a JPEG."""
    small = cv2.cvtColor(shrunk(pixels), cv2.COLOR_RGB2BGR)
    path.write_bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].data)
