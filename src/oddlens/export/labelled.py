"""What an export does to labelled images: AUROC of images and of pixels before and after, and verdicts that turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from oddlens.data import Record, check_shape, open_dataset, read_ignore, read_mask, resize_mask
from oddlens.data.problem import losses
from oddlens.detection import Detection
from oddlens.detector import Detector
from oddlens.errors import DataError, ImageError, UsageError, printable
from oddlens.io.images import read_image
from oddlens.metrics import ImageAccumulator, PixelAccumulator

Mask = NDArray[np.bool_]


class LabelledDocument(TypedDict):
    """`Labelled` in parity.json, each pair as [before, after]."""

    images: int
    masks: int
    left_out: int
    image_auroc: list[float]
    pixel_auroc: list[float] | None
    verdict_flips: int
    failures: list[str]


@dataclass(frozen=True)
class Labelled:
    """What two detectors make of labelled images.

    Attributes:
        images: How many were scored.
        masks: How many of them with defects have masks.
        left_out: How many are not counted, as one of the detectors was made of them.
        image_auroc: Of both.
        pixel_auroc: Of both, at the size of the maps; None without masks.
        verdict_flips: Images whose verdicts differ.
        failures: Why images or masks could not be read, a sentence each.
    """

    images: int
    masks: int
    left_out: int
    image_auroc: tuple[float, float]
    pixel_auroc: tuple[float, float] | None
    verdict_flips: int
    failures: tuple[str, ...]

    def to_dict(self) -> LabelledDocument:
        """As JSON values."""
        pixels = None if self.pixel_auroc is None else list(self.pixel_auroc)
        return LabelledDocument(
            images=self.images,
            masks=self.masks,
            left_out=self.left_out,
            image_auroc=list(self.image_auroc),
            pixel_auroc=pixels,
            verdict_flips=self.verdict_flips,
            failures=list(self.failures),
        )


@dataclass(frozen=True)
class LabelledRecords:
    """The test images of a data set. unread: sentences on those that are none of them, as a file of theirs cannot be read."""

    records: tuple[Record, ...]
    unread: tuple[str, ...] = ()


def labelled_records(path: str | os.PathLike[str]) -> LabelledRecords:
    """The test images of a data set of one object. Raises `UsageError` where it is none, or has not both good and bad ones."""
    dataset = open_dataset(os.fspath(path))
    records = [record for record in dataset.select(split="test") if record.label is not None]
    categories = sorted({record.category for record in records})
    shown = printable(os.fspath(path))
    if len(categories) > 1:
        raise UsageError(
            f"{shown} holds {len(categories)} categories: give the folder of the station's ({', '.join(categories)})"
        )
    if {record.label for record in records} != {0, 1}:
        raise UsageError(
            f"{shown} has not both good and bad test images, which an AUROC needs: give a data set that has"
        )
    unread = losses(dataset.problems, "test", category=categories[0], left_out=False)
    return LabelledRecords(tuple(records), tuple(each.sentence for each in unread))


def measure(
    one: Detector, other: Detector, labelled: LabelledRecords, report: Callable[[str], None] = lambda what: None
) -> Labelled:
    """Score labelled images by both. Raises `UsageError` where not both good and bad ones are left."""
    known = _known(one)
    images, pixels = [(ImageAccumulator(), ImageAccumulator()), (PixelAccumulator(), PixelAccumulator())]
    failures, records = list(labelled.unread), labelled.records
    labels: list[int] = []
    masks = left_out = flips = 0
    for number, record in enumerate(records):
        if number % 25 == 0:
            report(f"labelled images, {number} of {len(records)}")
        try:
            picture = read_image(record.image)
            if picture.digest() in known or os.path.realpath(record.image) in known:
                left_out += 1
                continue
            found = [each.predict(each.encode(picture), one.object_name)[0] for each in (one, other)]
            truths = [_truth(record, each) for each in found]
        except (ImageError, DataError) as error:
            failures.append(str(error))
            continue
        labels.append(record.label or 0)
        masks += record.mask is not None
        flips += found[0].verdict != found[1].verdict
        for detection, truth, scores, maps in zip(found, truths, images, pixels, strict=True):
            scores.update([labels[-1]], [detection.score])
            if truth is not None:
                mask, ignore = truth
                maps.update([mask], [detection.anomaly_map], [ignore])
    if set(labels) != {0, 1}:
        raise UsageError(
            "no good or no bad labelled image is left to count: give images that the station does not know"
        )
    image = [each.compute().auroc for each in images]
    pixel = [each.compute().auroc for each in pixels] if masks else None
    return Labelled(
        len(labels),
        masks,
        left_out,
        (image[0], image[1]),
        None if pixel is None else (pixel[0], pixel[1]),
        flips,
        tuple(failures),
    )


def _truth(record: Record, detection: Detection) -> tuple[Mask, Mask] | None:
    """Where the defect is, and which pixels do not count, at the size of the map; None for a bad image without a mask."""
    if record.mask is None and record.label:
        return None
    rows, columns = detection.anomaly_map.shape
    marks = [None if record.mask is None else read_mask(record), read_ignore(record)]
    for each, file in zip(marks, (record.mask, record.ignore), strict=True):
        if each is not None:
            check_shape(each, detection.image_size[::-1], file)
    mask, ignore = (
        np.zeros((rows, columns), np.bool_) if each is None else resize_mask(each, (rows, columns)) for each in marks
    )
    return mask, ignore


def _known(detector: Detector) -> set[str]:
    """References and calibration images, of which figures would be too good: digests of their pixels, and where they lie."""
    known: set[str] = set()
    calibration = detector.calibration()
    split = calibration if calibration is not None and calibration.kind == "split" else None
    for images in (detector.references, split):
        if images is not None:
            known.update(images.digests, map(os.path.realpath, images.sources))
    return known
