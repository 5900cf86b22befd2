"""Annotation files in place of a mask: labelme's of one picture, or COCO's of many."""

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
    """What is drawn on one picture."""

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the picture, upright; None where the file does not tell it."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is drawn, each kind once; () where nothing is."""

    def mark(self, mask: NDArray[np.bool_]) -> None:
        """Mark it all in a mask [h, w]. Raises `DataError` for what cannot be drawn."""


def is_annotation(path: Path) -> bool:
    """Whether a file is an annotation, in place of a mask: JSON, unless it is plainly about something else."""
    if path.suffix.lower() != SUFFIX:
        return False
    try:
        content = read_json(path)
    except DataError:
        return True  # and whoever reads it is told what is wrong with it
    return is_labelme(content) or is_coco(content)


def read_drawing(file: Path, image: Path | None) -> Drawing:
    """What an annotation file says of a picture, whose path only COCO's files need.

    Raises:
        DataError: the file cannot be read, is no such file, or does not know the picture.
    """
    content = read_annotations(file)
    if isinstance(content, Annotation):
        return content
    if image is None:
        raise DataError(f"{file} has annotations of many pictures: say of which.")
    return content.entry(image)


def read_annotations(file: Path) -> Annotation | Coco:
    """The content of an annotation file; the last few are kept in memory, until they change on disk.

    Raises:
        DataError: the file cannot be read, or is no such file.
    """
    try:
        state = file.stat()
    except OSError as error:
        raise DataError(f"The mask {file} cannot be read ({error.strerror}): check that it is there.") from error
    return _load(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _load(file: Path, _modified: int, _size: int) -> Annotation | Coco:
    content = read_json(file)
    if is_coco(content):
        return coco_of(file, content)
    if is_labelme(content):
        return labelme_of(file, content)
    raise DataError(f"{file} is an annotation neither of labelme nor of COCO: correct it or leave it out.")
