"""Checking every file of a data set, which `open_dataset` leaves out because it takes a while."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddlens.data.annotations import SUFFIX as ANNOTATION
from oddlens.data.dataset import Dataset
from oddlens.data.legend import Legend, listed, load_legend, values_in
from oddlens.data.mask_values import Values
from oddlens.data.masks import looks_inverted, mask_files, read_marks, read_values
from oddlens.data.problem import Problem
from oddlens.data.record import SPLITS, Record, Split
from oddlens.errors import DataError, ImageError
from oddlens.io.images import read_image

HIGHEST_CLASS = 32
"""Masks whose values stay at or below this number the kinds of defect (VisA) and are no faded black and white."""

FEW = 1 / 1000
"""The share of a frame without an anomaly that may be anomalous all the same, and does not count. Frames of CamVid-OOD that are
said to show nothing unknown have 0.05 % of it at most, those that show it 1 % at least."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many images one category has in one split.

    Attributes:
        category: The category.
        split: The split.
        normal: Images with label 0.
        abnormal: Images with label 1.
        drawn: The abnormal images that have a mask.
        unlabelled: Images without a label.
    """

    category: str
    split: Split
    normal: int
    abnormal: int
    drawn: int
    unlabelled: int


@dataclass(frozen=True, slots=True)
class Report:
    """What `check_dataset` found.

    Attributes:
        root: The folder of the data set.
        layout: The name of its layout.
        counts: In the order of categories and splits.
        problems: Everything that is wrong.
        classes: The known classes of every category whose images have class labels.
        listing: See `Dataset.listing`.
    """

    root: Path
    layout: str
    counts: tuple[Count, ...]
    problems: tuple[Problem, ...]
    classes: dict[str, tuple[str, ...]]
    listing: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_dict(self) -> dict[str, object]:
        """The report as JSON values."""
        return {
            "root": str(self.root),
            "layout": self.layout,
            "ok": self.ok,
            "counts": [asdict(count) for count in self.counts],
            "classes": {category: list(names) for category, names in self.classes.items()},
            "problems": [
                {"path": str(each.path), "kind": each.kind, "sentence": each.sentence} for each in self.problems
            ],
        }


def check_dataset(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> Report:
    """Read every image and every mask of a data set and report what is wrong, with the problems of opening it.

    `read_image` decodes images, as in detection, which takes about 20 ms a megapixel and core. The check compares the size of a
    mask with its image's, and examines its values and whether it marks anything. Two files are the same image if all their
    pixels are equal.

    Args:
        dataset: The data set.
        progress: Called as `progress(done, total)` after each image, in the calling thread.
    """
    problems = list(dataset.problems)
    seen: list[tuple[Record, bytes | None]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (record, (found, content)) in enumerate(
            zip(dataset, pool.map(_faults, dataset), strict=True), start=1
        ):
            problems += found
            seen.append((record, content))
            if progress is not None:
                progress(done, len(dataset))
    problems += _shared(seen)
    classes = {category: names for category in dataset.categories if (names := dataset.select(category).classes)}
    counts = tuple(_counts(dataset))
    return Report(dataset.root, dataset.layout, counts, tuple(problems), classes, dataset.listing)


def _counts(dataset: Dataset) -> Iterator[Count]:
    for category in dataset.categories:
        for split in SPLITS:
            records = dataset.select(category, split).records
            labels = [record.label for record in records]
            drawn = sum(record.label == 1 and record.mask is not None for record in records)
            if records:
                yield Count(category, split, labels.count(0), labels.count(1), drawn, labels.count(None))


def _shared(seen: Iterable[tuple[Record, bytes | None]]) -> Iterator[Problem]:
    """The images that lie in two splits, of which one is for testing, or have two labels."""
    earlier: dict[bytes, dict[object, Record]] = defaultdict(dict)  # the first one of each label, for testing or not
    for record, content in seen:
        if content is None or record.label is None:
            continue
        for other in earlier[content].values():
            if (record.split == "test") != (other.split == "test"):
                test, known = (record, other) if record.split == "test" else (other, record)
                sentence = f"the test image {test.image} is the same image as {known.image} ({known.split}): keep only one of them"
                yield Problem(test.image, "image-shared", sentence)
                break
            if record.label != other.label:
                normal, abnormal = sorted((record, other), key=lambda each: each.label or 0)
                sentence = (
                    f"{abnormal.image} is labelled abnormal and is the same image as {normal.image}, labelled normal"
                )
                yield Problem(abnormal.image, "image-shared", sentence)
                break
        earlier[content].setdefault((record.label, record.split == "test"), record)


def _faults(record: Record) -> tuple[list[Problem], bytes | None]:
    """What is wrong with a record's files, and a hash of its pixels; None for an image that cannot be read."""
    problems: list[Problem] = []
    size, content = _read(record.image, problems)
    legend = None if record.legend is None else load_legend(record.legend)
    masks = [] if record.mask is None else mask_files(record.mask)
    for file in dict.fromkeys((record.ignore, record.classes)):
        if file is not None and file not in masks:
            _shows(file, record, size, problems, legend)
    if record.mask is not None:
        shown = [_shows(file, record, size, problems, legend) for file in masks]
        if record.label == 1 and None not in shown and True not in shown:
            sentence = f"the mask {record.mask} shows no defect, though its image {record.image} is labelled abnormal"
            if legend is not None:
                held = sorted({value for file in masks for value in values_in(read_values(file))})
                sentence += f": its values are {listed(held)}, and the unknown is {listed(sorted(legend.anomalous))}"
            problems.append(Problem(record.mask, "mask-empty", sentence))
        if record.label == 0 and True in shown:
            sentence = f"the mask {record.mask} shows a defect, though its image {record.image} is labelled normal"
            problems.append(Problem(record.mask, "mask-of-normal", sentence))
    return problems, content


def _report_anomalous(labels: Path, image: Path, anomalous: NDArray[np.bool_], problems: list[Problem]) -> None:
    """Report a frame that is said to show no anomaly and shows more than a few pixels of it."""
    if anomalous.mean() > FEW:
        sentence = (
            f"{np.count_nonzero(anomalous)} pixels of the label file {labels} are anomalous, though its image {image} is labelled "
            "normal: they do not count; move the frame to those with an anomaly"
        )
        problems.append(Problem(labels, "mask-of-normal", sentence))


def _read(image: Path, problems: list[Problem]) -> tuple[tuple[int, int] | None, bytes | None]:
    """(width, height) of an image, and a hash of its size and pixels."""
    try:
        picture = read_image(image)
    except ImageError as error:
        problems.append(Problem(image, "image-unreadable", f"the image {error}"))
        return None, None
    if picture.doubt is not None:
        problems.append(Problem(image, "image-doubtful", f"the image {image}: {picture.doubt}"))
    digest = hashlib.blake2b(repr(picture.size).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(picture.pixels).data)
    return picture.size, digest.digest()


def _shows(
    mask: Path, record: Record, size: tuple[int, int] | None, problems: list[Problem], legend: Legend | None
) -> bool | None:
    """Whether a mask file of a record shows a defect; None if it cannot be read."""
    image = record.image
    try:
        shape = None if size is None else (size[1], size[0])
        grey = read_marks(mask, image, shape) if legend is None else read_values(mask)
    except DataError as error:
        problems.append(Problem(mask, "mask-unreadable", str(error)))
        return None
    height, width = grey.shape
    name = f"{mask} of {image}" if mask.suffix.lower() == ANNOTATION else str(mask)
    if size is not None and size != (width, height):
        sentence = f"the mask {name} has {width} x {height} pixels, its image {size[0]} x {size[1]}"
        problems.append(Problem(mask, "mask-size", sentence))
    if legend is not None:
        labels = np.asarray(grey, np.uint8)
        held = values_in(labels)
        if legend.normal.union(legend.anomalous).isdisjoint(held):
            counting = listed(sorted(legend.normal | legend.anomalous))
            sentence = f"no pixel of the label file {mask} counts: its values are {listed(held)}, and those that count {counting}"
            problems.append(Problem(mask, "mask-empty", sentence))
        if record.label == 0:
            _report_anomalous(mask, image, legend.is_anomalous(labels), problems)
        return not legend.anomalous.isdisjoint(held)
    if looks_inverted(grey > 0):
        share = f"{(grey > 0).mean():.0%}"
        sentence = (
            f"the mask {name} marks {share} of its image as defect: if it is black on white, save it white on black"
        )
        problems.append(Problem(mask, "mask-inverted", sentence))
    values = _values(grey)
    if len(values) > 1 and not (grey.dtype.kind in "iu" and values[-1] <= HIGHEST_CLASS):
        sentence = (
            f"the mask {name} has {len(values)} values above 0, from {values[0]:g} to {values[-1]:g}, "
            "and each of them counts as defect: save it in black and white"
        )
        problems.append(Problem(mask, "mask-not-binary", sentence))
    return len(values) > 0


def _values(grey: Values) -> Values:
    """The values above 0, ascending."""
    if grey.dtype == np.uint8:
        return np.flatnonzero(np.bincount(grey.ravel(), minlength=1)[1:]) + 1
    return np.unique(grey[grey > 0])
