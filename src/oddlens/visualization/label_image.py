"""The classes of an image's pixels as a palette image: numbers for programs, colours for people."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Found by trial: no two of two dozen classes have similar colours.
_TURN = 0.4607  # of the colour circle, from one number to the next
_SHADES = ((0.77, 0.75), (0.73, 0.54), (0.53, 0.96), (0.44, 0.72))  # saturation and value, in turn


def draw_labels(labels: NDArray[np.uint8], image_size: tuple[int, int]) -> Image.Image:
    """Class numbers [h, w] as a palette image of a size (width, height): its values are the numbers, without interpolation."""
    shown = np.asarray(cv2.resize(labels, image_size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    image = Image.fromarray(shown)
    image.putpalette([channel for number in range(256) for channel in class_colour(number)])
    return image


def class_colour(number: int) -> tuple[int, int, int]:
    """The colour of a class, 8-bit RGB, the same in every image (ours)."""
    saturation, value = _SHADES[number % len(_SHADES)]
    red, green, blue = colorsys.hsv_to_rgb(number * _TURN % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
