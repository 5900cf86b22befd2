"""A generated frame: what every pixel is, and what was put where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.streets.canvas import Canvas
from lab.streets.shapes import Shape, disc
from lab.streets.things import THINGS
from lab.streets.words import NO_WORD, OOD, WORDS, class_of
from lab.synthetic.camera import Camera, capture, expose
from lab.synthetic.plane import noise
from lab.synthetic.rng import Rng
from lab.synthetic.strokes import Path

TEXTURE_HEIGHT = 40.0
"""A thing of this height (frame units) shows its textures at their own size; a larger one enlarges them."""


@dataclass(frozen=True)
class Scene:
    """A generated frame.

    image   uint8 [h, w, 3], RGB
    words   uint8 [h, w], index in `WORDS` of what is seen at each pixel
    things  the words of the things put into it, back to front; some may be hidden by later ones
    """

    image: NDArray[np.uint8]
    words: NDArray[np.uint8]
    things: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """uint8 [h, w], the index of the known class in `CLASSES`; 255 where there is none."""
        return _LABEL_OF_WORD[self.words]

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Bool [h, w], True on every thing that is unknown on the street."""
        return _IS_OOD[self.words]


_LABEL_OF_WORD = np.full(256, NO_WORD, np.uint8)
_IS_OOD = np.zeros(256, np.bool_)
for _number, _word in enumerate(WORDS):
    _label = class_of(_word)
    _LABEL_OF_WORD[_number] = NO_WORD if _label is None else _label
    _IS_OOD[_number] = _word in OOD


@dataclass(frozen=True)
class Spot:
    """Where a thing stands, in frame units from the top-left corner: its left edge, its foot, its height; and which way round."""

    left: float
    foot: float
    height: float
    mirrored: bool = False

    def box(self, word: str) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of a thing of that word."""
        return self.left, self.foot - self.height, self.left + THINGS[word].width * self.height, self.foot


def place(canvas: Canvas, rng: Rng, word: str, spot: Spot, light: float = 1.0, shadow: bool = True) -> None:
    """Draw a thing, with its shadow on the ground."""
    thing = THINGS[word]
    if shadow:
        middle = spot.left + thing.width * spot.height / 2
        canvas.shade(disc(middle, spot.foot, 0.55 * thing.width * spot.height, 0.06 * spot.height), 0.5)
    for shape, material in thing.parts:
        points: Path = shape.points.copy()
        if spot.mirrored:
            points[:, 0] = thing.width - points[:, 0]
        points = points * spot.height + [spot.left, spot.foot - spot.height]
        width = None if shape.width is None else shape.width * spot.height
        canvas.put(rng, Shape(points, width), material, word, spot.height / TEXTURE_HEIGHT, light)


def photograph(canvas: Canvas, rng: Rng, things: tuple[str, ...]) -> Scene:
    """Take the image: exposure, white balance, tone, a little blur and noise; different in every frame."""
    warmth = rng.normal(0.05)
    camera = Camera(
        gain=rng.factor(0.18) * np.exp(0.05 * noise(rng, canvas.on, 120)),
        balance=np.exp(np.array([warmth, rng.normal(0.02), -warmth], np.float32)).reshape(3, 1, 1),
        gamma=rng.uniform(1.6, 2.2),
        contrast=rng.uniform(0, 0.4),
        lift=rng.uniform(0, 0.05),
        grey=False,
        softness=rng.uniform(0.3, 0.5),
        sharpening=0.0,
        grain=rng.log_uniform(0.003, 0.012),
        quality=None,
    )
    image = capture(expose(canvas.colours, camera), camera, rng, canvas.on)
    return Scene(image, canvas.words, things)
