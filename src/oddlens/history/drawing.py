"""What is drawn of kept images when it is first asked for: thumbnails, and overlays from the image, its map and its thresholds."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from oddlens.detection import Detection, Marking, RegionOfInterest
from oddlens.errors import OddlensError
from oddlens.history.pictures import Pictures
from oddlens.history.records import Inspection
from oddlens.io.atomic import replacing
from oddlens.io.images import read_image
from oddlens.io.paths import is_file
from oddlens.io.pixels import Pixels
from oddlens.io.png import write_png
from oddlens.visualization.preview import encode_jpeg, shrunk

_THUMBNAIL = 320
_QUALITY = 90
_SHOWN = {
    ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif", ".bmp": "image/bmp",
    ".avif": "image/avif",
}  # fmt: skip
"""Formats that browsers show."""


decoding = threading.BoundedSemaphore(2)
"""Images that are decoded at once for this: a large one takes more than a gigabyte, and a gallery asks for many."""


class GoneError(OddlensError):
    """The image or its map is not kept, or no more."""


def image(pictures: Pictures, inspection: Inspection, original: bool = False) -> tuple[Path, str]:
    """The file of the image that was inspected, and its media type.

    original: as it came; else, in a format that browsers do not show, as PNG.

    Raises:
        GoneError: It is not kept.
        ImageError: It cannot be read.
    """
    path = _kept(pictures, inspection)
    if path.suffix in _SHOWN:
        return path, _SHOWN[path.suffix]
    if original:
        return path, "application/octet-stream"
    return _drawn(pictures, inspection, "image.png", lambda: _pixels(path)), "image/png"


def thumbnail(pictures: Pictures, inspection: Inspection) -> Path:
    """The file of a small copy, a JPEG. Raises as `image`."""
    return _drawn(
        pictures,
        inspection,
        "thumbnail.jpg",
        lambda: shrunk(_pixels(_kept(pictures, inspection)), _THUMBNAIL),
    )


def overlay(pictures: Pictures, inspection: Inspection) -> Path:
    """The file of the image with the colours of its map and outlines of its regions, of the image's own size, a JPEG.

    It is what `Detection.overlay` draws, without the strips above and below. Raises as `image`.
    """
    scale, identity = inspection.value_range, inspection.identity
    made_of = [
        inspection.map_digest,
        inspection.detection,
        scale and asdict(scale),
        identity.get("roi"),
        identity.get("marking"),
    ]
    name = hashlib.sha256(json.dumps(made_of).encode("ascii")).hexdigest()[:16]
    return _drawn(
        pictures,
        inspection,
        f"{name}.jpg",
        lambda: detection(pictures, inspection).painted_pixels(_kept(pictures, inspection)),
    )


def detection(pictures: Pictures, inspection: Inspection) -> Detection:
    """The detection with its map, as it was found. Raises as `image`."""
    anomaly_map = None if inspection.map_digest is None else pictures.map(inspection.map_digest)
    if inspection.detection is None or anomaly_map is None:
        raise GoneError(
            f"result {inspection.id} has no anomaly map that is kept: it failed, or the map was removed with age"
        )
    found, identity = Detection.from_dict(inspection.detection, anomaly_map), inspection.identity
    return replace(
        found,
        value_range=inspection.value_range or found.value_range,
        roi=RegionOfInterest.from_dict(identity["roi"]) if "roi" in identity else None,
        marking=Marking.from_dict(identity["marking"]) if "marking" in identity else Marking(),
    )


def pixel_digest(pictures: Pictures, inspection: Inspection) -> str:
    """`Picture.digest` of the image. Raises as `image`."""
    with decoding:
        return read_image(_kept(pictures, inspection), max_megapixels=math.inf).digest()


def _pixels(path: Path) -> Pixels:
    """Of an image that was inspected, and so within the limit of then."""
    return read_image(path, max_megapixels=math.inf).pixels


def _kept(pictures: Pictures, inspection: Inspection) -> Path:
    path = pictures.path(inspection.digest)
    if path is None:
        raise GoneError(f"the image of result {inspection.id} is not kept: it was none, or was removed with age")
    return path


def _drawn(pictures: Pictures, inspection: Inspection, name: str, draw: Callable[[], Pixels]) -> Path:
    path = pictures.drawn_path(inspection.digest, name)
    if not is_file(path):
        with decoding, replacing(path) as temporary:
            pixels = draw()
            if path.suffix == ".png":
                write_png(temporary, pixels)
            else:
                temporary.write_bytes(encode_jpeg(pixels, _QUALITY))
    return path
