"""Putting a defect into a scene so that it can be seen, and saying exactly which pixels it changed."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.synthetic.camera import Camera, Exposed, expose
from lab.synthetic.classes import DefectType
from lab.synthetic.layers import Layers
from lab.synthetic.light import Light, shade, shadow
from lab.synthetic.plane import REFERENCE, Field, Plane
from lab.synthetic.rng import Rng
from lab.synthetic.spot import Spot, find_spot

VISIBLE = 0.03
"""A pixel counts as changed when a defect moves one of its display values (0..1) by more than this."""

MEDIAN_AREA, AREA_SPREAD = 0.016, 1.0
"""Median and log-normal spread of the wanted area of a defect, as a share of the image."""

SMALLEST, LARGEST = 0.001, 0.15
"""Shares of the image between which a defect's visible area lies."""

TRIES = 30
"""The bar that a defect has to clear to be shown sinks from try to try, to nothing at the last."""

MARGIN = 14.0
"""Reference pixels about a defect's reach that its light and blurred rims may need."""


@dataclass(frozen=True)
class Stage:
    """A scene ready to be photographed, and its clean image."""

    on: Plane
    layers: Layers
    light: Light
    lit: Field
    camera: Camera
    clean: Exposed


def apply_defect(stage: Stage, defect: DefectType, rng: Rng) -> tuple[Exposed, NDArray[np.bool_]]:
    """Put the defect in, stronger and elsewhere until it can be seen: the spoilt image and the mask, bool [h, w].

    Outside the mask the image is the clean one, value for value.
    """
    area = min(max(MEDIAN_AREA * rng.factor(AREA_SPREAD), 1.5 * SMALLEST), 0.8 * LARGEST)
    strength = rng.uniform(0.35, 1.0)
    best, best_merit = (stage.clean, np.zeros(stage.on.shape, bool)), 0.0
    for attempt in range(TRIES):
        spot = find_spot(rng, stage.on, stage.layers, area, strength * (1 + 0.2 * attempt), defect.at_edge)
        exposed, mask, merit = _attempt(stage, defect, spot)
        if merit > best_merit:
            best, best_merit = (exposed, mask), merit
        if best_merit >= 1 - attempt / TRIES:
            break
    return best


def _attempt(stage: Stage, defect: DefectType, spot: Spot) -> tuple[Exposed, NDArray[np.bool_], float]:
    """Work only on the window that the defect can reach: most defects are small."""
    reach = min(defect.reach * spot.radius + MARGIN, 2.0 * REFERENCE)
    window = stage.on.window(spot.x, spot.y, reach)
    on = stage.on.cut(window)
    layers = stage.layers.cut(window)
    cover = layers.cover
    support = defect.apply(layers, dataclasses.replace(spot, on=on))
    lit = stage.lit
    if layers.cover is not cover:
        whole = stage.layers.cover.copy()
        whole[window] = layers.cover
        lit = shadow(whole, stage.light, stage.on)
    after = expose(shade(layers, lit[window], stage.light, on), stage.camera.cut(window))
    before = stage.clean[:, window[0], window[1]]
    difference = np.abs(after - before).max(0)
    changed = (difference > VISIBLE) & (support > 0.01)

    mask = np.zeros(stage.on.shape, bool)
    mask[window] = changed
    exposed = stage.clean.copy()
    exposed[:, window[0], window[1]] = np.where(changed, after, before)
    return exposed, mask, _merit(changed, difference, before, stage)


def _merit(changed: NDArray[np.bool_], difference: Field, before: Exposed, stage: Stage) -> float:
    """1 and above when a defect is large enough, small enough, and stands out from grain and texture."""
    pixels = int(changed.sum())
    if pixels == 0:
        return 0.0
    area = pixels / math.prod(stage.on.shape)
    texture = float(before.mean(0)[changed].std())
    contrast = float(difference[changed].mean()) / max(0.06, 1.5 * stage.camera.grain, 0.4 * texture)
    return min(area / SMALLEST, LARGEST / area, contrast)
