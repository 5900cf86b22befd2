"""An image that is tried: zero-shot by words, or against a station; nothing of it is kept."""

from __future__ import annotations

import warnings
from functools import cache

from PIL import Image

from oddlens.backbone.cards import MINI
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, check_name
from oddlens.io.images import Picture
from oddlens.loading import load
from oddlens.methods.defaults import default_method
from oddlens.visualization.html import data_uri

_SHOWN = 1024
"""Pixels of the longer side of what is shown."""


def try_image(picture: Picture, object_name: str | None, detector: Detector) -> dict[str, object]:
    """What a detector finds in an image, with the image and its overlay as data: URIs. object_name: None: the detector's own."""
    name = object_name or detector.object_name
    check_name("the object name", name)
    if not detector.card.needs.object_name:  # by another name it would give the same, but for its thresholds
        name = detector.object_name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)  # a calibration for another object is not used
        (found,) = detector.detect(picture, name)
    return {
        **found.to_dict(),
        "overlay": data_uri(_small(Image.fromarray(found.painted_pixels(picture.pixels)))),
        "image": data_uri(_small(Image.fromarray(picture.pixels))),
    }


@cache
def zero_shot(runtime: str) -> Detector:
    """The embedded model by words alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)
        return load(default_method(MINI, with_references=False), runtime=runtime)


def _small(image: Image.Image) -> Image.Image:
    scale = min(1.0, _SHOWN / max(image.size))
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image if scale == 1 else image.resize((width, height))
