"""Generic scenes: things of all words, anywhere and of any size, on grounds in no order. For broad pre-training."""

from __future__ import annotations

import math

from lab.streets.canvas import FRAME_HEIGHT, Canvas
from lab.streets.scene import Scene, Spot, photograph, place
from lab.streets.shapes import Shape, box, polygon
from lab.streets.things import GROUNDS, THINGS
from lab.synthetic.rng import Rng

THING_HEIGHTS = (22.0, 64.0)
"""Of the things in generic scenes, frame units."""


def generic(number: int, seed: int = 0, size: tuple[int, int] = (FRAME_HEIGHT, FRAME_HEIGHT)) -> Scene:
    """Generic scene `number` of a `seed`: one to four grounds, cut by lines at random, and two to six things.

    size: height and width in pixels. Equal arguments, equal scenes. No street is laid out like this.
    """
    rng, paint = (Rng(2, seed, number, part) for part in range(2))  # the layout is that of any size
    canvas = Canvas(*size)
    grounds = list(GROUNDS)
    first = rng.pick(grounds)
    canvas.put(paint, box(0, 0, canvas.width, FRAME_HEIGHT), GROUNDS[first], first, light=rng.factor(0.15))
    for _ in range(rng.whole(0, 3)):
        word = rng.pick(grounds)
        canvas.put(paint, _half(rng, canvas.width), GROUNDS[word], word, rng.factor(0.2), rng.factor(0.15))
    words = tuple(rng.pick(list(THINGS)) for _ in range(rng.whole(2, 6)))
    for word in words:
        height = rng.log_uniform(*THING_HEIGHTS)
        wide = THINGS[word].width * height
        left = rng.uniform(-0.3 * wide, canvas.width - 0.7 * wide)
        foot = rng.uniform(0.7 * height, FRAME_HEIGHT + 0.3 * height)
        place(canvas, paint, word, Spot(left, foot, height, rng.chance(0.5)), rng.factor(0.15), shadow=rng.chance(0.5))
    return photograph(canvas, paint, words)


def _half(rng: Rng, width: float) -> Shape:
    """All that lies on one side of a line through some point of the frame."""
    x, y, angle, far = rng.uniform(0, width), rng.uniform(0, FRAME_HEIGHT), rng.angle(), 4 * FRAME_HEIGHT
    along, out = (far * math.cos(angle), far * math.sin(angle)), (-far * math.sin(angle), far * math.cos(angle))
    ends = ((x - along[0], y - along[1]), (x + along[0], y + along[1]))
    return polygon(*ends, *((end[0] + out[0], end[1] + out[1]) for end in reversed(ends)))
