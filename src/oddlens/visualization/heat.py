"""The colours of an anomaly map over an image.

The range of the colours is given. With a pixel threshold the scale is anchored there: what lies below is nearly as the camera saw
it, what exceeds it begins in yellow, on every image alike. Under the colours the image turns grey and darker, so that they are
seen on parts of any colour.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.io.pixels import Pixels

# Ours: yellow, orange, red, magenta. Ever darker, so that it reads in grey and to colour-blind eyes too; with the opacity
# that rises alongside, a higher value is stronger on bright and on dark parts alike, unlike in a scale ending in pale yellow.
_ANCHORS = (
    (0.00, (255, 236, 110)),
    (0.30, (255, 200, 50)),
    (0.55, (250, 128, 28)),
    (0.78, (230, 40, 48)),
    (1.00, (190, 0, 104)),
)
_STRONGEST = 0.65  # the pixel of the highest value still shows the defect beneath it
_CLEAR_BELOW, _STRONG_ABOVE = 0.15, 0.75  # of a range without a threshold
_FAINT_FROM, _FAINTEST, _MARKED = (
    0.6,
    0.18,
    0.5,
)  # with one: of what lies below it; the opacity below it, and from it on
_DIMMED = 0.72  # how bright a grey image is under the colours
_MOST = float(np.finfo(np.float32).max)
_BAND_ROWS = 64  # rows blended at a time: the working memory stays in the processor's cache


class _Scale(NamedTuple):
    """How a level from 0 to 255 is drawn: the image by `image` / 255, its grey by `grey` / 255, and `colour` on top.

    first: the lowest level that leaves a trace.
    """

    image: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    colour: Pixels
    first: int


def _scale(opacity: NDArray[np.floating], place: NDArray[np.floating], grey: NDArray[np.floating]) -> _Scale:
    """Of 256 levels: the opacity of the colour, its place in `_ANCHORS`, and how far the image beneath has turned grey."""
    places = [place for place, _ in _ANCHORS]
    colour = np.stack([np.interp(place, places, [rgb[channel] for _, rgb in _ANCHORS]) for channel in range(3)], axis=1)
    parts = (1 - opacity) * (1 - grey), (1 - opacity) * grey * _DIMMED, opacity[:, None] * colour / 255
    image, grey_share, painted = (np.rint(255 * part).astype(np.uint8) for part in parts)
    return _Scale(image, grey_share, painted[:, None], int(np.flatnonzero(image < 255)[0]))


def _plain_scale() -> _Scale:
    """Without a threshold: ever stronger."""
    levels = np.linspace(0, 1, 256)
    rise = _smooth((levels - _CLEAR_BELOW) / (_STRONG_ABOVE - _CLEAR_BELOW))
    return _scale(_STRONGEST * rise, levels, _smooth((levels - _CLEAR_BELOW) / 0.3))


def _anchored_scale() -> _Scale:
    """With a threshold between the levels 127 and 128: a trace below it, and a step there."""
    below, above = np.linspace(0, 1, 128), np.linspace(0, 1, 128)
    trace = _smooth((below - _FAINT_FROM) / (1 - _FAINT_FROM))
    opacity = np.concatenate([_FAINTEST * trace, _MARKED + (_STRONGEST - _MARKED) * above])
    return _scale(opacity, np.concatenate([0 * below, above]), np.concatenate([0.5 * trace, 1 + 0 * above]))


def _smooth(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """From 0 to 1 without a kink; what lies beyond is clipped."""
    clipped = np.clip(values, 0, 1)
    return np.asarray(clipped * clipped * (3 - 2 * clipped))


_PLAIN, _ANCHORED = _plain_scale(), _anchored_scale()


def anchored_range(value_range: tuple[float, float], threshold: float | None) -> tuple[float, float]:
    """The range of the colours, widened so that a threshold lies inside of it."""
    low, high = value_range
    if threshold is None or low < threshold < high:
        return value_range
    return (low, 2 * threshold - low) if threshold > low else (2 * threshold - high, high)


def blend(
    pixels: Pixels,
    anomaly_map: NDArray[np.floating],
    value_range: tuple[float, float],
    threshold: float | None = None,
    out: Pixels | None = None,
) -> Pixels:
    """The image [h, w, 3] with the colours of its anomaly map [h, w] over it: uint8 [h, w, 3], in `out` where it is given.

    The higher the value, the more opaque its colour, and the greyer and darker the image beneath it.

    Args:
        pixels: The image.
        anomaly_map: The values.
        value_range: The values at the two ends of the colours.
        threshold: What exceeds it is painted; what lies below has a trace of colour at most, in the upper two fifths of what the
            range has there. None: a value in the lowest part of the range (up to 0.15 of it) leaves the pixel exactly as it is.
        out: Receives the result.
    """
    scale = _PLAIN if threshold is None else _ANCHORED
    low, high = anchored_range(value_range, threshold)
    middle = high if threshold is None else threshold
    clear = low + (middle - low) * (scale.first - 1) / (255 if threshold is None else 127)
    blended: Pixels = np.empty(pixels.shape, dtype=np.uint8) if out is None else out
    for top in range(0, len(pixels), _BAND_ROWS):
        band = slice(top, top + _BAND_ROWS)
        blended[band] = pixels[band]
        painted = np.flatnonzero(anomaly_map[band].max(axis=0) > clear)
        if len(painted):
            area = band, slice(int(painted[0]), int(painted[-1]) + 1)
            levels = _levels(anomaly_map[area], (low, high), threshold)
            blended[area] = _painted(np.ascontiguousarray(pixels[area]), levels, scale)
    return blended


def _painted(pixels: Pixels, levels: NDArray[np.uint8], scale: _Scale) -> NDArray[np.uint8]:
    """The pixels as their levels on a scale are drawn."""
    image, grey = (cv2.merge([cv2.LUT(levels, share)] * 3) for share in (scale.image, scale.grey))
    greys = cv2.merge([cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)] * 3)
    under = cv2.add(cv2.multiply(pixels, image, scale=1 / 255), cv2.multiply(greys, grey, scale=1 / 255))
    return np.asarray(cv2.add(under, cv2.applyColorMap(levels, scale.colour)), np.uint8)


def _levels(
    values: NDArray[np.floating], value_range: tuple[float, float], threshold: float | None
) -> NDArray[np.uint8]:
    """The values as levels of the range: 0 to 255; with a threshold 0 to 127 up to it, and 128 to 255 beyond it."""
    low, high = value_range
    if threshold is None:
        return np.asarray(np.rint(_stretched(values, low, high, 255)), np.uint8)
    levels = np.floor(_stretched(values, low, threshold, 127))
    levels += np.ceil(_stretched(values, threshold, high, 128))
    return levels.astype(np.uint8)


def _stretched(values: NDArray[np.floating], low: float, high: float, top: int) -> NDArray[np.float32]:
    """The values on a scale from 0 at `low` to `top` at `high`; what lies beyond is clipped."""
    scaled = np.subtract(values, np.float32(low), dtype=np.float32)
    np.multiply(scaled, np.float32(min(top / (high - low), _MOST)), out=scaled)  # infinite, it would make 0 no number
    clipped: NDArray[np.float32] = np.clip(scaled, 0, top, out=scaled)
    return clipped
