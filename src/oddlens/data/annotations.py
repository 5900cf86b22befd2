"""Annotation files in place of a mask: labelme's of one image, or COCO's of many."""

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oddlens.data.coco import Coco, coco_of, is_coco
from oddlens.data.labelme import Annotation, is_labelme, labelme_of
from oddlens.data.listing import read_json
from oddlens.errors import DataError

SUFFIX = ".json"


class Drawing(Protocol):
    """What is drawn on one image."""

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the image, upright; None where the file does not say."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is drawn, each kind once; () where nothing is."""

    def mark(self, mask: NDArray[np.bool_]) -> None:
        """Mark everything in a mask, bool [h, w]. Raises DataError for a shape that cannot be drawn."""


def is_annotation(path: Path) -> bool:
    """Whether a file is an annotation, in place of a mask: JSON, unless it is plainly about something else."""
    if path.suffix.lower() != SUFFIX:
        return False
    try:
        content = read_json(path)
    except DataError:
        return True  # reading it gives the error
    return is_labelme(content) or is_coco(content)


def read_drawing(file: Path, image: Path | None) -> Drawing:
    """What is drawn on an image in an annotation file; only COCO's files need the image's path.

    Raises:
        DataError: The file cannot be read, is no annotation file, or does not list the image.
    """
    content = read_annotations(file)
    if isinstance(content, Annotation):
        return content
    if image is None:
        raise DataError(f"{file} has annotations of many images: give the image, too")
    return content.entry(image)


def read_annotations(file: Path) -> Annotation | Coco:
    """The content of an annotation file; the last few stay in memory until they change on disk.

    Raises:
        DataError: The file cannot be read, or is no annotation file.
    """
    try:
        state = file.stat()
    except OSError as error:
        raise DataError(f"the mask {file} cannot be read ({error.strerror}): check that it is there") from error
    return _load(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _load(file: Path, _modified: int, _size: int) -> Annotation | Coco:
    content = read_json(file)
    if is_coco(content):
        return coco_of(file, content)
    if is_labelme(content):
        return labelme_of(file, content)
    raise DataError(f"{file} is an annotation neither of labelme nor of COCO: correct it or leave it out")
