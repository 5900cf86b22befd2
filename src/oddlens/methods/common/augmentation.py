"""Views of good examples: an image turned and mirrored, so that the memory knows a part in other positions too.

Each returns what joins the image itself; none depends on the other images or on their order.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from oddlens.io.pixels import Pixels


def turned_evenly(pixels: Pixels, count: int) -> list[Pixels]:
    """The image turned counter-clockwise by all multiples of 360 / `count` degrees but 0, on its own canvas (AnomalyDINO).

    Bilinear, about (width / 2, height / 2): at 180 degrees everything moves by a pixel. The border is reflected, its last row not
    repeated. OpenCV 5 differs from OpenCV 4 by up to 3 grey levels.
    """
    height, width = pixels.shape[:2]
    turned = []
    for number in range(1, count):
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 360 * number / count, 1)
        turned.append(
            np.asarray(
                cv2.warpAffine(
                    pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
                ),
                dtype=np.uint8,
            )
        )
    return turned


def turned_by(pixels: Pixels, degrees: Sequence[float]) -> list[Pixels]:
    """The image turned counter-clockwise, on its own canvas: nearest neighbour, black corners (SubspaceAD)."""
    image = Image.fromarray(pixels)
    return [np.asarray(image.rotate(angle, Image.Resampling.NEAREST)) for angle in degrees]


def mirrored(pixels: Pixels) -> list[Pixels]:
    """The image mirrored left to right, and top to bottom."""
    return [np.ascontiguousarray(pixels[:, ::-1]), np.ascontiguousarray(pixels[::-1])]


def drawn_angles(pixels: Pixels, count: int, seed: int, most: float) -> list[float]:
    """Angles from 0 to `most` degrees, drawn by the seed and the image's own pixels."""
    rng = np.random.default_rng([seed, zlib.crc32(np.ascontiguousarray(pixels).data), *pixels.shape[:2]])
    angles: list[float] = rng.uniform(0, most, count).tolist()
    return angles
