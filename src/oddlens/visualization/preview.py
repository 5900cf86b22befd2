"""Copies of images for pages: small ones, and JPEGs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from oddlens.io.pixels import Pixels

_MOST = 640
_QUALITY = 85
_LONGEST = 65_500  # of the sides of a JPEG


def shrunk(pixels: Pixels, most: int = _MOST) -> Pixels:
    """A copy of an image [h, w, 3] whose longer side has at most `most` pixels, shrunk by a whole number; a small one as it is.

    Each pixel is the mean of those that it covers. Rows and columns at the end that do not fill one are left out.
    """
    height, width = pixels.shape[:2]
    times = -(-max(height, width) // most)
    size = max(1, width // times), max(1, height // times)
    if times == 1:
        return pixels
    whole = pixels[: size[1] * times, : size[0] * times]
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)


def write_preview(path: Path, pixels: Pixels, most: int = _MOST) -> None:
    """Write a small copy of an image as a JPEG. most: see `shrunk`."""
    path.write_bytes(encode_jpeg(shrunk(pixels, most), _QUALITY))


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """An image, uint8 [h, w, 3], RGB, as a JPEG; of one that is longer than a JPEG can be, a copy as `shrunk` makes it."""
    image = cv2.cvtColor(shrunk(pixels, _LONGEST), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
