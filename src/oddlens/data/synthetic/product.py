"""Products and their pictures: the entry to the generator.

A product is one design (proportions, material, light, camera). Its pictures differ as those of a production line do: position,
grain, noise. Training draws a new product for every picture; an evaluation set is one product per class.

All randomness comes from named streams of the product's and the picture's seed, so a normal and a defective picture of one seed
are the same but for the defect. Same arguments, same bytes, for one build of numpy and OpenCV.
"""

import copy
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oddlens.data.synthetic.camera import Camera, capture, draw_camera, expose
from oddlens.data.synthetic.classes import AT_EDGE, CLASSES, OBJECTS, SURFACES, defects_of
from oddlens.data.synthetic.dice import Dice
from oddlens.data.synthetic.layers import ColourField, Layers
from oddlens.data.synthetic.light import Light, draw_light, shade
from oddlens.data.synthetic.parts import part
from oddlens.data.synthetic.plane import Field, Plane, plane
from oddlens.data.synthetic.spot import find_spot
from oddlens.errors import UsageError

DEFECTIVE_SHARE = 0.6
"""Share of defective pictures where the caller leaves it open."""

VISIBLE = 0.03
"""A pixel counts as changed when a defect moves one of its display values (0..1) by more than this."""

MEDIAN_AREA, AREA_SPREAD = 0.016, 1.0
"""Median and log-normal spread of the area asked of a defect, as a share of the picture."""

SMALLEST, LARGEST = 0.001, 0.15
"""Shares of the picture between which a defect's visible area lies."""

TRIES = 10


@dataclass(frozen=True)
class Sample:
    """One generated picture.

    image   uint8 [h, w, 3] RGB
    mask    bool [h, w], True on exactly the pixels that the defect changed visibly
    defect  the type of the defect, or None on a normal picture
    kind    "surface" or "object"
    name    the class, as an object name for prompts
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    defect: str | None
    kind: str
    name: str


@dataclass(frozen=True)
class Rendering:
    """A picture before optics, noise and compression: `clean` and `exposed` float32 [s, s, 3], display values 0..1."""

    clean: ColourField
    exposed: ColourField
    mask: NDArray[np.bool_]
    defect: str | None
    camera: Camera


def generate(name: str, seed: int, defective: bool | None = None, size: int = 224, defect: str | None = None) -> Sample:
    """A picture of a product of its own: another design, light and camera for every seed. Arguments as `Product.sample`."""
    return make_product(name, seed).sample(seed, defective, defect, size)


def make_product(name: str, seed: int) -> "Product":
    """The product of class `name` with the design number `seed`. Raises UsageError for a name that is not a class."""
    if name not in CLASSES:
        raise UsageError(f"There is no class of generated pictures named {name!r}; known are: {', '.join(CLASSES)}.")
    return Product(name, seed)


@dataclass(frozen=True)
class Product:
    """One design of class `name`; `sample` takes pictures of it."""

    name: str
    seed: int

    @property
    def kind(self) -> str:
        """The string "surface" or "object"."""
        return "surface" if self.name in SURFACES else "object"

    def sample(self, seed: int, defective: bool | None = None, defect: str | None = None, size: int = 224) -> Sample:
        """Picture number `seed` of the product, `size` pixels a side.

        `defective` None leaves it to the seed whether there is a defect, `defect` None which one. A given `defect` makes the
        picture defective. Raises UsageError for a defect that the class cannot have or that contradicts `defective`.
        """
        rendering = self.render(seed, defective, defect, size)
        image = capture(rendering.exposed, rendering.camera, self._stream("sensor", seed), plane(size))
        return Sample(image, rendering.mask, rendering.defect, self.kind, self.name)

    def render(self, seed: int, defective: bool | None = None, defect: str | None = None, size: int = 224) -> Rendering:
        """The picture as an ideal sensor would see it, and without its defect. Arguments as `sample`."""
        kind = self._choose(seed, defective, defect)
        on = plane(size)
        layers = self._layers(seed, on)
        light = draw_light(self._stream("light"), self._stream("light", seed))
        scene = shade(layers, light, on)
        camera = draw_camera(self._stream("camera"), self._stream("camera", seed), on, scene)
        clean = expose(scene, camera)
        if kind is None:
            return Rendering(clean, clean, np.zeros((size, size), bool), None, camera)
        exposed, mask = self._spoil(kind, self._stream("defect", seed), layers, light, camera, clean, on)
        return Rendering(clean, exposed, mask, kind, camera)

    def _choose(self, seed: int, defective: bool | None, defect: str | None) -> str | None:
        known = defects_of(self.name)
        if defect is not None and (defect not in known or defective is False):
            raise UsageError(
                f"A picture of {self.name!r} cannot be given the defect {defect!r} (defective={defective})."
            )
        rng = self._stream("choice", seed)
        spoilt, pick = rng.chance(DEFECTIVE_SHARE), rng.pick(list(known))
        if defect is not None:
            return defect
        return pick if (spoilt if defective is None else defective) else None

    def _layers(self, seed: int, on: Plane) -> Layers:
        design, piece = self._stream("design"), self._stream("piece", seed)
        if self.name in SURFACES:
            return SURFACES[self.name](design, piece, on)
        return part(OBJECTS[self.name], design, piece, on)

    def _spoil(
        self, kind: str, rng: Dice, layers: Layers, light: Light, camera: Camera, clean: ColourField, on: Plane
    ) -> tuple[ColourField, NDArray[np.bool_]]:
        """Put the defect in, again and again until it can be seen: the spoilt picture and the mask."""
        wanted = float(np.clip(MEDIAN_AREA * rng.factor(AREA_SPREAD), 1.5 * SMALLEST, 0.8 * LARGEST))
        strength = rng.uniform(0.35, 1.0)
        best: tuple[float, ColourField, NDArray[np.bool_]] | None = None
        for attempt in range(TRIES):
            spot = find_spot(rng, on, layers, wanted, strength * (1 + 0.15 * attempt), kind in AT_EDGE)
            spoilt = copy.copy(layers)
            support = defects_of(self.name)[kind](spoilt, spot)
            exposed = expose(shade(spoilt, light, on), camera)
            difference = np.abs(exposed - clean).max(-1)
            mask = (difference > VISIBLE) & (support > 0.01)
            merit = _merit(mask, difference, clean, camera)
            if best is None or merit > best[0]:
                best = merit, np.where(mask[..., None], exposed, clean), mask
            if merit >= 1:
                break
        assert best is not None
        return best[1], best[2]

    def _stream(self, *what: str | int) -> Dice:
        """The random stream of this product (or of one of its pictures) for one purpose."""
        words = [zlib.crc32(w.encode()) if isinstance(w, str) else w for w in (self.name, *what)]
        return Dice(self.seed, *words)


def _merit(mask: NDArray[np.bool_], difference: Field, clean: ColourField, camera: Camera) -> float:
    """1 and above when a defect is large enough, small enough, and stands out from grain and texture."""
    area = float(mask.mean())
    if area == 0:
        return 0.0
    texture = float(clean[mask].mean(-1).std())
    contrast = float(difference[mask].mean()) / max(0.06, 1.5 * camera.grain, 0.4 * texture)
    return min(area / SMALLEST, LARGEST / area, contrast)
