"""The frame that is painted, from back to front: colours, and which word every pixel belongs to."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from lab.streets.materials import Material
from lab.streets.shapes import Shape
from lab.streets.words import NO_WORD, WORDS
from lab.synthetic.layers import ColourField, mix
from lab.synthetic.plane import REFERENCE, Field, Plane, Window
from lab.synthetic.rng import Rng
from lab.synthetic.strokes import draw, fill

FRAME_HEIGHT = 128
"""Height of every frame in frame units."""

_ORIGIN = -REFERENCE / 2
"""Where the planes of `synthetic` have the top-left corner of an image."""


@functools.lru_cache(maxsize=8)
def frame_plane(height: int, width: int) -> Plane:
    """The plane of a frame of so many pixels, in frame units; its top-left corner is where `synthetic` has it."""
    scale = height / FRAME_HEIGHT
    across, down = ((np.arange(count) + 0.5) / scale + _ORIGIN for count in (width, height))
    x, y = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
    for field in (x, y):
        field.setflags(write=False)
    return Plane(x, y, scale)


class Canvas:
    """A frame of `height` x `width` pixels.

    colours  float32 [3, h, w], linear light 0..1
    words    uint8 [h, w], the index in `WORDS` of what is seen there
    """

    def __init__(self, height: int, width: int) -> None:
        self.on = frame_plane(height, width)
        self.colours: ColourField = np.zeros((3, height, width), np.float32)
        self.words: NDArray[np.uint8] = np.full((height, width), NO_WORD, np.uint8)

    @property
    def width(self) -> float:
        """Width of the frame in frame units."""
        return self.on.shape[1] / self.on.scale

    def put(self, rng: Rng, shape: Shape, material: Material, word: str, zoom: float = 1.0, light: float = 1.0) -> None:
        """Paint a shape (points in frame units from the top-left corner) in a material that `light` brightens.

        From half cover on, its pixels belong to the word.
        """
        found = self._cover(shape)
        if found is None:
            return
        window, on, cover = found
        painted = material.paint(rng, on, zoom) * light
        self.colours[:, *window] = mix(self.colours[:, *window], painted, cover)
        self.words[window][cover >= 0.5] = WORDS.index(word)

    def shade(self, shape: Shape, strength: float) -> None:
        """Darken what is there, as a shadow does."""
        found = self._cover(shape)
        if found is not None:
            window, _, cover = found
            self.colours[:, *window] *= 1 - strength * cover

    def _cover(self, shape: Shape) -> tuple[Window, Plane, Field] | None:
        """The window that holds a shape, its plane, and how much of each pixel the shape covers; None off the frame."""
        margin = (shape.width or 0) / 2 + 1
        low = ((shape.points.min(0) - margin) * self.on.scale).astype(int).clip(0)
        high = np.ceil((shape.points.max(0) + margin) * self.on.scale).astype(int)
        window = (slice(int(low[1]), max(int(high[1]), 0)), slice(int(low[0]), max(int(high[0]), 0)))
        on = self.on.cut(window)
        if not on.x.size:
            return None
        path = shape.points + _ORIGIN
        cover = fill([path], on) if shape.width is None else draw([path], shape.width, on)
        return window, on, cover
