"""COCO: TO/images and TO/annotations/instances_default.json, as CVAT, Roboflow and pycocotools read them.

A region is an annotation with its exact pixels as runs, the peak of the map as its score, and the name of its defect as category.
An image without an annotation is OK.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from oddlens.data.shapes import RunsDocument, runs_document
from oddlens.inference.kept_images import KeptResults, Marked
from oddlens.inference.tools.tool import Advance, Boxed, Given, Place, copy_image, drawable
from oddlens.io.new_folder import new_folder


class _Image(TypedDict):
    id: int
    file_name: str
    width: int
    height: int
    score: float
    verdict: str | None


class _Annotation(TypedDict):
    id: int
    image_id: int
    category_id: int
    bbox: list[int]
    area: int
    iscrowd: int
    segmentation: RunsDocument | list[list[int]]
    score: float


@dataclass(frozen=True)
class Coco:
    """See `Tool`. copies: whether images are copied into TO; else they are named by their whole path."""

    copies: bool = True

    def give(self, results: KeptResults, to: Place, advance: Advance) -> Given:
        """See `Tool`."""
        found, said = drawable(results)
        images: list[_Image] = []
        annotations: list[_Annotation] = []
        categories: dict[str, int] = {}
        boxed = Boxed()
        with new_folder(Path(to)) as made:
            (made / "images").mkdir()
            (made / "annotations").mkdir()
            for number, image in enumerate(found, start=1):
                name = copy_image(image, made / "images") if self.copies else image.path.as_posix()
                width, height = image.size
                images.append(
                    {
                        "id": number, "file_name": name, "width": width, "height": height, "score": image.score,
                        "verdict": image.verdict,
                    }
                )  # fmt: skip
                for each in results.marked(image):
                    boxed.count += each.mask is None
                    category = categories.setdefault(each.label, len(categories) + 1)
                    annotations.append(_annotation(len(annotations) + 1, number, category, each))
                advance("images", number, len(found))
            content = {
                "info": {"description": f"results of {results.run.get('method')}, by oddlens"},
                "images": images,
                "annotations": annotations,
                "categories": [{"id": number, "name": name} for name, number in categories.items()],
            }
            (made / "annotations" / "instances_default.json").write_text(json.dumps(content), encoding="ascii")
        return Given(str(to), len(found), (*said, *boxed.said))


def _annotation(number: int, image: int, category: int, each: Marked) -> _Annotation:
    x, y, width, height = each.box
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [x, y, width, height],
        "area": each.region.area,
        "iscrowd": 0,
        "segmentation": [corners] if each.mask is None else runs_document(each.mask),
        "score": each.region.peak,
    }
