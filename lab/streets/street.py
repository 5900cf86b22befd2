"""Streets: sky, a skyline of houses and trees, sidewalks and a road in perspective, and things that stand on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.streets.canvas import FRAME_HEIGHT, Canvas
from lab.streets.materials import Material, plain
from lab.streets.scene import Scene, Spot, photograph, place
from lab.streets.shapes import Shape, box, polygon
from lab.streets.things import GROUNDS, THINGS
from lab.synthetic.rng import Rng

FRAME = (128, 256)
"""Height and width of a frame in pixels, unless others are given."""

_ON_ROAD = ("car", "car", "taxi", "truck", "truck", "bus", "bus", "bicycle", "caravan", "trailer", "cardboard box",
            "traffic cone", "tyre", "cow", "boat", "dog", "tent")  # fmt: skip
_ON_SIDEWALK = ("person", "person", "person", "bicycle", "traffic sign", "stop sign", "pole", "lamp post", "bushes")
_KNOWN_THINGS = ("car", "car", "taxi", "truck", "truck", "bus", "bus", "bicycle", "bicycle", "person", "person", "person",
                 "traffic sign", "stop sign", "pole", "lamp post", "bushes")  # fmt: skip
_SKYLINE = ("building", "building", "house", "tree", "bushes", "palm tree")
_PAINT = Material((0.75, 0.75, 0.72), (0.8, 0.8, 0.78), plain, 0.1)

FARTHEST = 0.55
"""How much smaller a thing is at the far end of the street than close by."""

_TRIES = 12


@dataclass(frozen=True)
class _Perspective:
    """The street's lines, all through the point (`x`, `horizon`); `left` and `right` are the road's edges at the bottom."""

    x: float
    horizon: float
    left: float
    right: float

    def depth(self, foot: float) -> float:
        """0 at the horizon, 1 at the bottom of the frame."""
        return (foot - self.horizon) / (FRAME_HEIGHT - self.horizon)

    def along(self, bottom: float, foot: float) -> float:
        """Where the line through `bottom` at the bottom of the frame is at the height `foot`."""
        return self.x + (bottom - self.x) * self.depth(foot)


def street(number: int, seed: int = 0, unknown: Sequence[str] = (), size: tuple[int, int] = FRAME) -> Scene:
    """Street `number` of a `seed`: two to five known things and all of the `unknown` ones (words of `OOD`).

    size: height and width in pixels. Equal arguments, equal frames.
    """
    rng, paint = (Rng(1, seed, number, len(unknown), part) for part in range(2))  # the layout is that of any size
    canvas = Canvas(*size)
    lines = _Perspective(
        x=canvas.width * rng.uniform(0.35, 0.65),
        horizon=rng.uniform(44, 58),
        left=canvas.width * rng.uniform(-0.15, 0.15),
        right=canvas.width * rng.uniform(0.85, 1.15),
    )
    light = rng.factor(0.1)
    _sky(canvas, rng, paint, lines)
    _ground(canvas, rng, paint, lines, light)
    _skyline(canvas, rng, paint, lines, light)
    known = [rng.pick(_KNOWN_THINGS) for _ in range(rng.whole(2, 5))]
    placed = _stand(rng, lines, canvas.width, [*unknown, *known])
    for word, spot in placed:
        place(canvas, paint, word, spot, light * rng.factor(0.08))
    return photograph(canvas, paint, tuple(word for word, _ in placed))


def _sky(canvas: Canvas, rng: Rng, paint: Rng, lines: _Perspective) -> None:
    whole = box(0, 0, canvas.width, lines.horizon + 2)
    words = ("sky", "clouds") if rng.chance(0.5) else ("clouds", "sky")
    canvas.put(paint, whole, GROUNDS[words[0]], words[0])
    if rng.chance(0.6):
        canvas.put(paint, _bank(rng, canvas.width), GROUNDS[words[1]], words[1])


def _bank(rng: Rng, width: float) -> Shape:
    """A ragged part of the sky, from one end of the frame to the other."""
    edge = rng.uniform(8, 30)
    points = [(x, edge + rng.normal(4)) for x in np.linspace(0, width, 9).tolist()]
    return polygon((0, 0), *points, (width, 0))


def _ground(canvas: Canvas, rng: Rng, paint: Rng, lines: _Perspective, light: float) -> None:
    wide, far, near = canvas.width, lines.horizon, FRAME_HEIGHT
    for left, right in ((0.0, lines.x), (lines.x, wide)):
        word = rng.pick(("sidewalk", "pavement"))
        canvas.put(paint, box(left, far, right, near), GROUNDS[word], word, light=light)
    gap = 4.0
    corners = ((lines.x - gap, far), (lines.x + gap, far), (lines.right, near), (lines.left, near))
    canvas.put(paint, polygon(*corners), GROUNDS["road"], "road", light=light)
    middle = (lines.left + lines.right) / 2
    for start in np.linspace(far + 6, near - 4, 5).tolist():
        end = start + 6 * lines.depth(start) + 2
        dash = [(lines.along(middle + side, y), y) for y, side in ((start, -3), (start, 3), (end, 3), (end, -3))]
        canvas.put(paint, polygon(*dash), _PAINT, "road", light=light)


def _skyline(canvas: Canvas, rng: Rng, paint: Rng, lines: _Perspective, light: float) -> None:
    """Houses and trees along the sidewalks' outer edges, the farthest first."""
    reach = max(lines.x, canvas.width - lines.x)
    offset = 4.0
    while offset < reach:
        zoom = 0.35 + 0.65 * offset / reach
        for side in (-1, 1):
            word = rng.pick(_SKYLINE)
            height = rng.uniform(*THINGS[word].height) * zoom
            left = lines.x + side * offset - (THINGS[word].width * height if side < 0 else 0)
            foot = lines.horizon + 2 + 14 * (offset / reach) ** 1.5 + rng.uniform(0, 2)
            place(canvas, paint, word, Spot(left, foot, height, rng.chance(0.5)), light * rng.factor(0.1), shadow=False)
        offset += rng.uniform(22, 36) * zoom


def _stand(rng: Rng, lines: _Perspective, width: float, words: Sequence[str]) -> list[tuple[str, Spot]]:
    """A place for every word, the first words first, so that later ones hide little of them; back to front."""
    placed: list[tuple[str, Spot]] = []
    for word in words:
        tries = [_spot(rng, lines, width, word) for _ in range(_TRIES)]
        hidden = [max((_shared(spot.box(word), other.box(w)) for w, other in placed), default=0.0) for spot in tries]
        placed.append((word, tries[int(np.argmin(hidden))]))
    return sorted(placed, key=lambda each: each[1].foot)


def _spot(rng: Rng, lines: _Perspective, width: float, word: str) -> Spot:
    foot = rng.uniform(lines.horizon + 24, FRAME_HEIGHT - 3)
    thing = THINGS[word]
    height = rng.uniform(*thing.height) * (FARTHEST + (1 - FARTHEST) * lines.depth(foot)) ** 0.5
    if word in _ON_ROAD and not (word in _ON_SIDEWALK and rng.chance(0.5)):
        low, high = (lines.along(edge, foot) for edge in (lines.left, lines.right))
        middle = rng.uniform(low, high)
    else:
        side = rng.pick((lines.left, lines.right))
        edge = lines.along(side, foot)
        outer = 0.0 if side < lines.x else width
        middle = rng.uniform(min(edge, outer), max(edge, outer))
    half = thing.width * height / 2
    return Spot(min(max(middle - half, -0.2 * half), width - 1.8 * half), foot, height, rng.chance(0.5))


def _shared(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """The overlap of two boxes as a share of the smaller one."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(across, 0) * max(down, 0) / smaller
