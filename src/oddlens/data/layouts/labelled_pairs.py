"""Images with one mask each, where only the mask says whether an image is normal: it is black, or an empty annotation."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from oddlens.data.annotations import SUFFIX, read_drawing
from oddlens.data.masks import read_mask
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.errors import DataError

DEFECT, SEVERAL, UNKNOWN = "defect", "combined", "unknown"


def read_labelled_pairs(
    images: Sequence[Path], masks: Mapping[Path, Path], category: str, split: Split, problems: list[Problem]
) -> list[Record]:
    """The records of images by what their masks show, in order. Reads every mask, a few at a time.

    An image without a mask, or with one that cannot be read, is unlabelled, and a problem; a set without any mask is one problem.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda image: _defect(image, masks.get(image)), images))
    lacking = [image for image in images if image not in masks]
    if lacking and len(lacking) == len(images):
        sentence = (
            f"none of the {len(images)} images in {images[0].parent} has a mask, and only masks say which are normal"
        )
        problems.append(Problem(images[0].parent, "mask-missing", sentence))
        lacking = []
    for image in lacking:
        sentence = (
            f"the image {image} has no mask, and only masks say which are normal: give it one, black if it is normal"
        )
        problems.append(Problem(image, "mask-missing", sentence, Loss(category, split, left_out=True)))
    records = []
    for image, defect in zip(images, found, strict=True):
        mask = masks.get(image)
        if isinstance(defect, DataError) and mask is not None:
            problems.append(Problem(mask, "mask-unreadable", str(defect), Loss(category, split)))
        if not isinstance(defect, str):
            records.append(Record(image, None, None, category, UNKNOWN, "unlabelled"))
        elif defect == NORMAL:
            records.append(Record(image, None, 0, category, NORMAL, split))
        else:
            records.append(Record(image, mask, 1, category, defect, split))
    return records


def _defect(image: Path, mask: Path | None) -> str | DataError | None:
    """The defect type that a mask shows; None without a mask."""
    if mask is None:
        return None
    try:
        if mask.suffix.lower() == SUFFIX:
            return kind_of(read_drawing(mask, image).kinds)
        return DEFECT if read_mask(mask).any() else NORMAL
    except DataError as error:
        return error


def kind_of(kinds: Sequence[str]) -> str:
    """The defect type of an image with annotations of these kinds."""
    return NORMAL if not kinds else kinds[0] if len(kinds) == 1 else SEVERAL
