"""Frames of the road with label files: only the values of its file say whether a frame shows an anomaly."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from oddlens.data.legend import Legend, load_legend
from oddlens.data.masks import read_values
from oddlens.data.problem import Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.errors import DataError

ANOMALY, UNKNOWN = "anomaly", "unknown"


def normal_frame(image: Path, labels: Path | None, category: str, split: Split, legend: str | Path) -> Record:
    """A frame without an anomaly, with the class labels of its known classes."""
    return Record(image, None, 0, category, NORMAL, split, labels, labels, legend)


def unlabelled_frame(image: Path, category: str) -> Record:
    """A frame without a label."""
    return Record(image, None, None, category, UNKNOWN, "unlabelled")


def report_missing(image: Path, folder: Path, problems: list[Problem]) -> None:
    """Report a frame whose label file is not there."""
    problems.append(Problem(image, "mask-missing", f"the image {image} has no label file in {folder}"))


def labelled_frames(
    frames: Iterable[tuple[Path, Path, str | Path]], category: str, split: Split, problems: list[Problem]
) -> list[Record]:
    """The records of frames, each (image, label file, legend), in order. Reads every label file, a few at a time.

    A frame is abnormal if its file has anomalous pixels, and normal if it has only normal ones. A frame without any pixel that
    counts is unlabelled (Lost and Found has 23); so is one whose file cannot be read, which is also a problem.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(partial(_frame, category, split), frames))
    problems += [problem for _, problem in found if problem is not None]
    return [record for record, _ in found]


def _frame(category: str, split: Split, frame: tuple[Path, Path, str | Path]) -> tuple[Record, Problem | None]:
    image, labels, name = frame
    legend = load_legend(name)
    try:
        label = _label(labels, legend)
    except DataError as error:
        return unlabelled_frame(image, category), Problem(labels, "mask-unreadable", str(error))
    if label is None:
        return unlabelled_frame(image, category), None
    mask, defect = (labels, ANOMALY) if label else (None, NORMAL)
    classes = labels if legend.names else None
    return Record(image, mask, label, category, defect, split, labels, classes, name), None


def _label(labels: Path, legend: Legend) -> int | None:
    values = read_values(labels)
    if legend.is_anomalous(values).any():
        return 1
    return 0 if legend.is_normal(values).any() else None
