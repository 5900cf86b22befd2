"""Generic scenes: things of all words, anywhere and of any size, on grounds in no order. For broad pre-training."""

from __future__ import annotations

import math

from oddlens.data.streets.canvas import FRAME_HEIGHT, Canvas
from oddlens.data.streets.scene import Scene, Spot, photograph, place
from oddlens.data.streets.shapes import Shape, box, polygon
from oddlens.data.streets.things import GROUNDS, THINGS
from oddlens.data.synthetic.dice import Dice

THING_HEIGHTS = (22.0, 64.0)
"""Of the things in generic scenes, frame units."""


def generic(number: int, seed: int = 0, size: tuple[int, int] = (FRAME_HEIGHT, FRAME_HEIGHT)) -> Scene:
    """Generic scene `number` of a `seed`: one to four grounds, cut by lines at random, and two to six things.

    size: height and width in pixels. Equal arguments, equal scenes. No street is laid out like this.
    """
    dice, paint = (Dice(2, seed, number, part) for part in range(2))  # the layout is that of any size
    canvas = Canvas(*size)
    grounds = list(GROUNDS)
    first = dice.pick(grounds)
    canvas.put(paint, box(0, 0, canvas.width, FRAME_HEIGHT), GROUNDS[first], first, light=dice.factor(0.15))
    for _ in range(dice.whole(0, 3)):
        word = dice.pick(grounds)
        canvas.put(paint, _half(dice, canvas.width), GROUNDS[word], word, dice.factor(0.2), dice.factor(0.15))
    words = tuple(dice.pick(list(THINGS)) for _ in range(dice.whole(2, 6)))
    for word in words:
        height = dice.log_uniform(*THING_HEIGHTS)
        wide = THINGS[word].width * height
        left = dice.uniform(-0.3 * wide, canvas.width - 0.7 * wide)
        foot = dice.uniform(0.7 * height, FRAME_HEIGHT + 0.3 * height)
        place(
            canvas, paint, word, Spot(left, foot, height, dice.chance(0.5)), dice.factor(0.15), shadow=dice.chance(0.5)
        )
    return photograph(canvas, paint, words)


def _half(dice: Dice, width: float) -> Shape:
    """All that lies on one side of a line through some point of the frame."""
    x, y, angle, far = dice.uniform(0, width), dice.uniform(0, FRAME_HEIGHT), dice.angle(), 4 * FRAME_HEIGHT
    along, out = (far * math.cos(angle), far * math.sin(angle)), (-far * math.sin(angle), far * math.cos(angle))
    ends = ((x - along[0], y - along[1]), (x + along[0], y + along[1]))
    return polygon(*ends, *((end[0] + out[0], end[1] + out[1]) for end in reversed(ends)))
