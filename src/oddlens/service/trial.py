"""An image that is tried: zero-shot by words, or against a station; nothing of it is kept."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image

from oddlens.backbone.cards import MINI
from oddlens.detector import Detector
from oddlens.errors import OddlensWarning, check_name
from oddlens.io.images import read_image
from oddlens.loading import load
from oddlens.methods.defaults import default_method
from oddlens.service.teach import Upload
from oddlens.visualization.html import data_uri

if TYPE_CHECKING:
    from oddlens.service.service import Service
    from oddlens.service.stations import Station

_SHOWN = 1024
"""Pixels of the longer side of what is shown."""


def try_image(service: Service, file: Upload, object_name: str | None, station: Station | None) -> dict[str, object]:
    """What is found in an image, with the image and its overlay as data: URIs.

    object_name: None: the station's own, or "part". station: None: zero-shot on the embedded model.
    """
    picture = read_image(file.data, file.source, service.settings.limits.max_megapixels)
    detector = _zero_shot(service.settings.runtime) if station is None else station.loaded().detector
    name = object_name or detector.object_name
    check_name("the object name", name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)  # a calibration for another object is not used
        (found,) = detector.detect(picture, name)
    return {
        **found.to_dict(),
        "overlay": data_uri(_small(Image.fromarray(found.painted_pixels(picture.pixels)))),
        "image": data_uri(_small(Image.fromarray(picture.pixels))),
    }


@cache
def _zero_shot(runtime: str) -> Detector:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OddlensWarning)
        return load(default_method(MINI, with_references=False), runtime=runtime)


def _small(image: Image.Image) -> Image.Image:
    scale = min(1.0, _SHOWN / max(image.size))
    return image if scale == 1 else image.resize((round(image.width * scale), round(image.height * scale)))
