"""Frames of the road with label files: only the values of its file say whether a frame shows an anomaly."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oddlens.data.legend import Legend, listed, load_legend, values_in
from oddlens.data.masks import read_values
from oddlens.data.problem import Loss, Problem
from oddlens.data.record import NORMAL, Record, Split
from oddlens.errors import DataError, first_and_more

ANOMALY, UNKNOWN = "anomaly", "unknown"


def normal_frame(image: Path, labels: Path | None, category: str, split: Split, legend: str | Path) -> Record:
    """A frame without an anomaly, with the class labels of its known classes."""
    return Record(image, None, 0, category, NORMAL, split, labels, labels, legend)


def unlabelled_frame(image: Path, category: str) -> Record:
    """A frame without a label."""
    return Record(image, None, None, category, UNKNOWN, "unlabelled")


def report_missing(image: Path, where: str, problems: list[Problem]) -> None:
    """Report a frame whose label file is not there. where: it would be, as in "in a folder"."""
    problems.append(Problem(image, "mask-missing", f"the image {image} has no label file {where}"))


def report_left_out(image: Path, where: str, category: str, split: Split, problems: list[Problem]) -> None:
    """The same of a frame that is left out for it."""
    sentence = f"the image {image} has no label file {where}, so it is left out"
    problems.append(Problem(image, "mask-missing", sentence, Loss(category, split, left_out=True)))


def labelled_frames(
    frames: Iterable[tuple[Path, Path, str | Path]],
    category: str,
    split: Split,
    problems: list[Problem],
    *,
    all_abnormal: bool = False,
) -> list[Record]:
    """The records of frames, each (image, label file, legend), in order. Reads every label file, a few at a time.

    A frame is abnormal if its file has anomalous pixels, and normal if it has only normal ones. A frame without any pixel that
    counts is unlabelled (Lost and Found has 23); so is one whose file cannot be read, which is also a problem.

    It is a problem if no file has an anomalous pixel and some have pixels that do not count: whoever saved them may mean these.

    Args:
        frames: The frames.
        category: Their category.
        split: The split of those with a label.
        problems: Problems are added here.
        all_abnormal: Each frame of the published set shows an anomaly. Then it is always a problem if no file has one, and a file
            without one is, beside others, if some of its pixels do not count.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(partial(_frame, category, split), frames))
    problems += [each.unreadable for each in found if each.unreadable is not None]
    read = [each for each in found if each.unreadable is None]
    if all(each.record.label != 1 for each in read):
        if read and (all_abnormal or any(each.uncounted for each in read)):
            problems.append(_never_abnormal(read))
    elif all_abnormal:
        problems += [_unmarked(each) for each in read if each.uncounted]
    return [each.record for each in found]


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame whose label file was read. values: of a file without an anomalous pixel; uncounted: those that do not count."""

    record: Record
    labels: Path
    legend: Legend
    values: tuple[int, ...] = ()
    unreadable: Problem | None = None

    @property
    def uncounted(self) -> list[int]:
        return [value for value in self.values if value not in self.legend.normal]


def _frame(category: str, split: Split, frame: tuple[Path, Path, str | Path]) -> _Frame:
    image, labels, name = frame
    legend = load_legend(name)
    try:
        held = values_in(read_values(labels))
    except DataError as error:
        problem = Problem(labels, "mask-unreadable", str(error), Loss(category, split))
        return _Frame(unlabelled_frame(image, category), labels, legend, unreadable=problem)
    classes = labels if legend.names else None
    if legend.anomalous.intersection(held):
        return _Frame(Record(image, labels, 1, category, ANOMALY, split, labels, classes, name), labels, legend)
    if legend.normal.isdisjoint(held):
        return _Frame(unlabelled_frame(image, category), labels, legend, held)
    return _Frame(Record(image, None, 0, category, NORMAL, split, labels, classes, name), labels, legend, held)


def _never_abnormal(frames: Sequence[_Frame]) -> Problem:
    """That no label file has an anomalous pixel."""
    doubtful = [each for each in frames if each.uncounted] or frames
    held = sorted({value for each in doubtful for value in each.values})
    anomalous = sorted({value for each in frames for value in each.legend.anomalous})
    folder = Path(os.path.commonpath([each.labels.parent for each in frames]))
    names = [str(each.labels.relative_to(folder)) for each in doubtful]
    sentence = (
        f"no label file marks an anomaly, so that nothing can be measured: the values in {folder} ({first_and_more(names, 3)}) are "
        f"{listed(held)}, and an anomaly is {listed(anomalous)} here"
    )
    uncounted = sorted({value for each in frames for value in each.uncounted})
    if uncounted:
        sentence += (
            f"; pixels of {listed(uncounted)} do not count: if they mark the anomalies, save them as {anomalous[0]}"
        )
    return Problem(folder, "mask-empty", sentence)


def _unmarked(frame: _Frame) -> Problem:
    """That a label file has pixels that do not count, and no anomaly."""
    anomalous = sorted(frame.legend.anomalous)
    sentence = (
        f"the label file {frame.labels} marks no anomaly ({listed(anomalous)}), and its pixels of {listed(frame.uncounted)} do "
        f"not count: if they mark one, save them as {anomalous[0]}"
    )
    return Problem(frame.labels, "mask-empty", sentence)
