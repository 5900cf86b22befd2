"""Training samples: the images of a data set whose label and defects are known."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from oddlens.data.contents import TrainingImages
from oddlens.data.manifest import manifest_hash
from oddlens.data.masks import mask_files
from oddlens.data.named import NamedDataset
from oddlens.data.object_names import ObjectNames
from oddlens.data.problem import first_of, losses
from oddlens.data.record import Record, Split
from oddlens.errors import DataError
from oddlens.methods.registry import authors_names


@dataclass(frozen=True)
class Sample:
    """One training image and its object name."""

    record: Record
    object_name: str


@dataclass(frozen=True)
class SampleSet:
    """The training images of one data set: one split, as published the test split, normal and abnormal images.

    Masks of pixels to ignore are not used: the published losses know none.

    Attributes:
        source: The data set.
        split: The split.
        samples: The training images.
        without_mask: The number of abnormal images left out because they have no mask.
        unlabelled: The number of images left out because they have no label.
    """

    source: NamedDataset
    split: Split
    samples: tuple[Sample, ...]
    without_mask: int = 0
    unlabelled: int = 0

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.source.name

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def abnormal(self) -> int:
        """The number of abnormal images."""
        return sum(sample.record.label == 1 for sample in self.samples)

    @cached_property
    def stamp(self) -> str:
        """A hash of the images: names, labels, and the sizes and times of the files. It changes as soon as they do."""
        lines = [_facts(sample, self.source) for sample in self.samples]
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()

    @cached_property
    def object_names(self) -> list[str]:
        """The names that its objects are called by, each once."""
        return sorted({sample.object_name for sample in self.samples})

    @cached_property
    def images(self) -> TrainingImages:
        """The files, of which the weights keep hashes."""
        return TrainingImages(sample.record.image for sample in self.samples)

    def metadata(self) -> dict[str, object]:
        """What the weights file says of it, JSON values. "data_sha256": the hash of the whole data set's manifest."""
        return {
            "name": self.name,
            "data_sha256": manifest_hash(self.source.dataset),
            "split": self.split,
            "pictures": len(self),
            "normal": len(self) - self.abnormal,
            "abnormal": self.abnormal,
            "left_out": self.without_mask + self.unlabelled,
            "images_sha256": self.images.sha256(),
        }


def gather_samples(
    sources: Iterable[NamedDataset], split: Split, method: str, names: ObjectNames | None = None
) -> tuple[SampleSet, ...]:
    """The training images of several data sets.

    Args:
        sources: The data sets.
        split: The split to train on.
        method: The method whose rule for object names counts.
        names: Object names that replace the rule's.

    Raises:
        DataError: A data set has no training image in this split, or a file of it that cannot be read; or none of all sets is
            abnormal with a mask.
    """
    names = names or ObjectNames()
    authors = authors_names(method)
    sets = tuple(_gather(source, split, names, authors) for source in sources)
    if not sum(each.abnormal for each in sets):
        given = ", ".join(each.name for each in sets)
        raise DataError(
            f"no image of {given} (split {split!r}) is abnormal and has a mask: "
            "a method learns from such images, so give a data set or a --split that holds some"
        )
    return sets


def _gather(source: NamedDataset, split: Split, names: ObjectNames, authors: Mapping[str, str]) -> SampleSet:
    problems = source.dataset.problems
    if unread := losses(problems, split, left_out=False):
        raise DataError(first_of(unread))
    records = source.dataset.select(split=split).records
    state = Counter(map(_state, records))
    samples = tuple(
        Sample(record, names.of(source.name, record.category, authors))
        for record in records
        if _state(record) == "usable"
    )
    if not samples:
        splits = ", ".join(source.dataset.splits)
        raise DataError(
            f"{source.name} has no image to learn from in the split {split!r}: it has {len(records)} there, "
            f"{state['without_mask']} of them abnormal without a mask; the data set's splits are {splits}"
        )
    # An image that only a mask would label lies in no split: its layout knows in which it would.
    unlabelled = state["unlabelled"] + len(losses(problems, split, left_out=True))
    return SampleSet(source, split, samples, state["without_mask"], unlabelled)


def _state(record: Record) -> str:
    if record.label is None:
        return "unlabelled"
    return "without_mask" if record.label == 1 and record.mask is None else "usable"


def _facts(sample: Sample, source: NamedDataset) -> list[object]:
    record = sample.record
    files = [record.image, *([] if record.mask is None else mask_files(record.mask))]
    return [
        source.relative(record), record.label, record.category, record.defect, str(record.legend), *map(_file_stamp, files)
    ]  # fmt: skip


def _file_stamp(path: Path) -> list[object]:
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(
            f"{path} of the training images cannot be read ({error.strerror}): check the data set"
        ) from error
    return [path.name, stat.st_size, stat.st_mtime_ns]
