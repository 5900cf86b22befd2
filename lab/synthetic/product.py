"""Products and their images: the entry to the generator.

A product is one design (proportions, material, light, camera). Its images differ as those of a production line do: position,
grain, noise. Training draws a new product for every image; an evaluation set is one product per class.

All randomness comes from named streams of the product's and the image's seed, so a normal and a defective image of one
seed are the same but for the defect. Same arguments, same bytes, for one build of numpy and OpenCV on one kind of processor:
the vector units of another kind may round a pixel differently.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.synthetic.apply_defect import Stage, apply_defect
from lab.synthetic.camera import Camera, Exposed, capture, draw_camera, expose
from lab.synthetic.classes import CLASSES, OBJECTS, SURFACES, defects_of
from lab.synthetic.distractors import add_distractors
from lab.synthetic.layers import Layers
from lab.synthetic.light import draw_light, shade, shadow
from lab.synthetic.parts import part
from lab.synthetic.plane import Plane, plane
from lab.synthetic.rng import Rng
from oddlens.errors import UsageError

SMALLEST_SIZE = 64
"""Pixels a side below which defects are no longer a pixel wide."""

DEFECTIVE_SHARE = 0.6
"""Share of defective images where the caller leaves it open."""


@dataclass(frozen=True)
class Sample:
    """One generated image.

    image   uint8 [h, w, 3] RGB
    mask    bool [h, w], True on exactly the pixels that the defect changed visibly
    defect  the type of the defect, or None on a normal image
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
    """An image before optics, noise and compression, and the same without its defect (`clean`)."""

    clean: Exposed
    exposed: Exposed
    mask: NDArray[np.bool_]
    defect: str | None
    camera: Camera


def generate(name: str, seed: int, defective: bool | None = None, size: int = 224, defect: str | None = None) -> Sample:
    """Give an image of a product of its own: another design, light and camera for every seed.

    Arguments and errors as `make_product` and `Product.sample`.
    """
    return make_product(name, seed).sample(seed, defective, defect, size)


def make_product(name: str, seed: int) -> "Product":
    """Give the product of class `name` with the design number `seed` (0 or more).

    Raises UsageError for a name that is not a class.
    """
    if name not in CLASSES:
        raise UsageError(f"there is no class of generated images named {name!r}; known are: {', '.join(CLASSES)}")
    return Product(name, seed)


@dataclass(frozen=True)
class Product:
    """One design of class `name`; `sample` takes images of it."""

    name: str
    seed: int

    @property
    def kind(self) -> str:
        """The string "surface" or "object"."""
        return "surface" if self.name in SURFACES else "object"

    def sample(self, seed: int, defective: bool | None = None, defect: str | None = None, size: int = 224) -> Sample:
        """Image number `seed` of the product, `size` pixels a side.

        `seed` is 0 or more. `defective` None leaves it to the seed whether there is a defect, `defect` None which one; a
        given `defect` makes the image defective. Equal arguments, equal bytes; with another `defective` or `defect` the same
        image but for the defect.

        Raises UsageError for a defect that the class cannot have or that contradicts `defective`, and for a `size` below 64.
        """
        rendering = self.render(seed, defective, defect, size)
        image = capture(rendering.exposed, rendering.camera, self._stream("sensor", seed), plane(size))
        return Sample(image, rendering.mask, rendering.defect, self.kind, self.name)

    def render(self, seed: int, defective: bool | None = None, defect: str | None = None, size: int = 224) -> Rendering:
        """Return the image as an ideal sensor would see it, and without its defect. Arguments as `sample`."""
        if size < SMALLEST_SIZE:
            raise UsageError(f"generated images of {size} pixels a side are too small: give {SMALLEST_SIZE} or more")
        kind = self._choose(seed, defective, defect)
        on = plane(size)
        layers = self._layers(seed, on)
        light = draw_light(self._stream("light"), self._stream("light", seed))
        lit = shadow(layers.cover, light, on)
        scene = shade(layers, lit, light, on)
        camera = draw_camera(self._stream("camera"), self._stream("camera", seed), on, scene)
        stage = Stage(on, layers, light, lit, camera, expose(scene, camera))
        if kind is None:
            return Rendering(stage.clean, stage.clean, np.zeros((size, size), bool), None, camera)
        exposed, mask = apply_defect(stage, defects_of(self.name)[kind], self._stream("defect", seed))
        return Rendering(stage.clean, exposed, mask, kind, camera)

    def _choose(self, seed: int, defective: bool | None, defect: str | None) -> str | None:
        known = defects_of(self.name)
        if defect is not None and (defect not in known or defective is False):
            raise UsageError(
                f"an image of {self.name!r} with defective={defective} cannot be given the defect {defect!r}; "
                f"known are: {', '.join(known)}"
            )
        rng = self._stream("choice", seed)
        spoilt, pick = rng.chance(DEFECTIVE_SHARE), rng.pick(list(known))
        if defect is not None:
            return defect
        return pick if (spoilt if defective is None else defective) else None

    def _layers(self, seed: int, on: Plane) -> Layers:
        design, piece = self._stream("design"), self._stream("piece", seed)
        is_surface = self.name in SURFACES
        layers = SURFACES[self.name](design, piece, on) if is_surface else part(OBJECTS[self.name], design, piece, on)
        add_distractors(layers, is_surface, self._stream("extras"), self._stream("extras", seed), on)
        return layers

    def _stream(self, *what: str | int) -> Rng:
        """The random stream of this product (or of one of its images) for one purpose."""
        words = [zlib.crc32(w.encode()) if isinstance(w, str) else w for w in (self.name, *what)]
        return Rng(self.seed, *words)
