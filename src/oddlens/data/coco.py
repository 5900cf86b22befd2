"""COCO's annotation files: the shapes drawn on many images, in one JSON file.

    {"images": [{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}, ...],
     "categories": [{"id": 1, "name": "scratch"}, ...],
     "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[x, y, x, y, ...], ...], "bbox": [x, y, w, h]}, ...]}

A segmentation is a list of polygons, or runs of pixels: {"size": [h, w], "counts": [...] or COCO's text of them}. An annotation
without a segmentation counts as its box.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NotRequired, TypedDict, TypeGuard

import numpy as np
from numpy.typing import NDArray

from oddlens.data.shapes import fill_polygon, fill_rectangle, fill_runs, points_of, size_of, unpack_runs
from oddlens.data.words import is_defect_word, name_key
from oddlens.errors import DataError


class _Image(TypedDict):
    id: Hashable
    file_name: object
    height: NotRequired[object]
    width: NotRequired[object]


class _Category(TypedDict):
    id: Hashable
    name: object


class _Annotation(TypedDict):
    image_id: Hashable
    category_id: NotRequired[Hashable]
    segmentation: NotRequired[object]
    bbox: NotRequired[object]


class CocoFile(TypedDict):
    """The content of a COCO file; `coco_of` checks what is typed `object`."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: NotRequired[list[_Category] | None]


@dataclass(frozen=True)
class Entry:
    """One image of a COCO file.

    Attributes:
        path: The COCO file.
        name: The image's "file_name".
        size: (height, width); None where the file does not say.
        kinds: The categories of its annotations, each once.
        drawn: The annotations, as they are in the file.
    """

    path: Path
    name: str
    size: tuple[int, int] | None
    kinds: tuple[str, ...]
    drawn: tuple[_Annotation, ...]

    def mark(self, mask: NDArray[np.bool_]) -> None:
        """Mark everything that is drawn in a mask [h, w].

        Raises:
            DataError: An annotation has neither a segmentation nor a box, or a faulty one.
        """
        for annotation in self.drawn:
            try:
                _mark(mask, annotation)
            except ValueError as error:
                raise DataError(f"{self.path} has an annotation of {self.name} that {error}") from error


class Coco:
    """A COCO file: its images and their annotations."""

    def __init__(self, path: Path, entries: Sequence[Entry]) -> None:
        self.path = path
        self.entries = tuple(entries)
        self._by_name: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._by_name[_parts(entry.name)[-1]].append(entry)

    def entry(self, image: Path) -> Entry:
        """The entry of an image on disk, found by its name and, where several have it, by the folders before it.

        Raises:
            DataError: The file does not list the image.
        """
        mine = _parts(image.as_posix())
        found = self._by_name.get(mine[-1], [])
        for entry in found:
            theirs = _parts(entry.name)
            if len(found) == 1 or mine[-len(theirs) :] == theirs:
                return entry
        raise DataError(f"{self.path} does not list {image}: add it there or leave it out")


def is_coco(content: object) -> TypeGuard[CocoFile]:
    """Whether the content of a JSON file is that of one of COCO's."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ("images", "annotations"))


def coco_of(path: Path, content: CocoFile) -> Coco:
    """The images in the content of a file, with what is drawn on them, less normal things and the background.

    Raises:
        DataError: An image, an annotation or a category lacks a key.
    """
    try:
        kinds = {category["id"]: str(category["name"]) for category in content.get("categories") or []}
        drawn: dict[Hashable, list[_Annotation]] = defaultdict(list)
        for annotation in content["annotations"]:
            if is_defect_word(kinds.get(annotation.get("category_id"), "defect")):
                drawn[annotation["image_id"]].append(annotation)
        return Coco(path, [_entry(path, image, kinds, drawn[image["id"]]) for image in content["images"]])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is no COCO file: an image needs an id and a file_name, an annotation an image_id, a category an id and a name"
        ) from error


def _entry(path: Path, image: _Image, kinds: Mapping[Hashable, str], drawn: Sequence[_Annotation]) -> Entry:
    name = image["file_name"]
    if not isinstance(name, str) or not _parts(name):
        raise ValueError(name)
    mine = dict.fromkeys(kinds.get(annotation.get("category_id"), "defect") for annotation in drawn)
    return Entry(path, name, size_of(image.get("height"), image.get("width")), tuple(mine), tuple(drawn))


def _parts(name: str) -> tuple[str, ...]:
    return tuple(name_key(part) for part in PurePosixPath(name.replace("\\", "/")).parts)


def _mark(mask: NDArray[np.bool_], annotation: _Annotation) -> None:
    covered, box = annotation.get("segmentation"), annotation.get("bbox")
    if isinstance(covered, dict):
        _mark_runs(mask, covered)
    elif isinstance(covered, list) and covered:
        for numbers in covered:
            if not isinstance(numbers, list) or len(numbers) < 6 or len(numbers) % 2:
                raise ValueError("has a polygon that is no list of three or more points: draw it again")
            fill_polygon(mask, points_of([numbers[at : at + 2] for at in range(0, len(numbers), 2)]))
    elif isinstance(box, list) and len(box) == 4:
        (corner, (width, height)) = points_of([box[:2], box[2:]])
        fill_rectangle(mask, corner, (corner[0] + width, corner[1] + height))
    else:
        raise ValueError("covers nothing: give it a segmentation or a bbox")


def _mark_runs(mask: NDArray[np.bool_], covered: Mapping[str, object]) -> None:
    counts = covered.get("counts")
    if covered.get("size") != list(mask.shape):
        raise ValueError(f"is of another size, {covered.get('size')} instead of {list(mask.shape)}: draw it again")
    if isinstance(counts, str):
        counts = unpack_runs(counts)
    if not isinstance(counts, list) or not all(type(count) is int for count in counts):
        raise ValueError("has no counts that are whole numbers: draw it again")
    fill_runs(mask, counts)
