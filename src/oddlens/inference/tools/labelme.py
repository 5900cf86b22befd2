"""labelme: a folder with a JSON file beside each image, in which regions are shapes "mask" with their exact pixels.

An image whose file has no shapes is OK.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oddlens.inference.kept_images import KeptImage, KeptResults, Marked
from oddlens.inference.tools.tool import Advance, Boxed, Given, Place, copy_image, drawable
from oddlens.io.new_folder import new_folder
from oddlens.io.png import encode_png


@dataclass(frozen=True)
class Labelme:
    """See `Tool`. copies: whether images are copied into TO; else the files name them by their way from there."""

    copies: bool = True

    def give(self, results: KeptResults, to: Place, advance: Advance) -> Given:
        """See `Tool`."""
        found, said = drawable(results)
        boxed = Boxed()
        with new_folder(Path(to)) as made:
            for number, image in enumerate(found, start=1):
                name = copy_image(image, made) if self.copies else _way(image.path, Path(to))
                shapes = [_shape(each, boxed) for each in results.marked(image)]
                (made / f"{Path(image.name).stem}.json").write_text(_file(image, name, shapes), encoding="ascii")
                advance("images", number, len(found))
        return Given(str(to), len(found), (*said, *boxed.said))


def _way(path: Path, to: Path) -> str:
    try:
        return Path(os.path.relpath(path, to)).as_posix()
    except ValueError:  # of Windows: it is on another drive
        return path.as_posix()


def _file(image: KeptImage, name: str, shapes: list[dict[str, object]]) -> str:
    width, height = image.size
    content: dict[str, object] = {
        "version": "5.5.0",  # the first whose form has all of this
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return json.dumps(content, indent=1)


def _shape(each: Marked, boxed: Boxed) -> dict[str, object]:
    x, y, width, height = each.box
    right, bottom = x + width, y + height
    shape: dict[str, object] = {
        "label": each.label,
        "group_id": None,
        "description": f"peak {each.region.peak:.4g}",
        "flags": {},
    }
    if each.mask is None:
        boxed.count += 1
        return {**shape, "shape_type": "rectangle", "points": [[x, y], [right, bottom]], "mask": None}
    inside = each.mask[y:bottom, x:right].view(np.uint8) * np.uint8(255)
    png = base64.b64encode(encode_png(inside)).decode("ascii")
    return {**shape, "shape_type": "mask", "points": [[x, y], [right - 1, bottom - 1]], "mask": png}
