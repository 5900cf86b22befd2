"""Evaluating one cell: scores, maps and classes in, figures, curves and reasons out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from oddlens.data import Record
from oddlens.detection import Detection
from oddlens.evaluation.cell_results import CellResult, ImageScore
from oddlens.evaluation.known_classes import KnownClasses
from oddlens.evaluation.map_file import Map, MapFile
from oddlens.evaluation.pixel_evaluator import PixelEvaluator
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.truth import Truth
from oddlens.metrics import auroc, bootstrap_interval, image_metrics, rank

IMAGE_FIGURES = ("image_auroc", "image_ap", "image_f1_max")

_MEDIAN_VALUES = 1 << 24
"""64 MB, and as much again for the copy that is ordered."""


class Evaluator:
    """Takes the detections of one cell as they come; then `evaluate`.

    Memory: a few kilobytes an image, and 8 bytes for each pixel of a defect; the maps wait in a file. Evaluators of parts of the
    images can be merged; where their files have names, they can come from other processes.

    Attributes:
        maps: The anomaly maps as the method gave them, float32 [h, w] each, on disk.
        median: The median of all their values: see `median_of`.
    """

    def __init__(self, maps: MapFile, protocol: Protocol) -> None:
        self.maps: Sequence[Map] = ()
        self.median = 0.0
        self._images: list[ImageScore] = []
        self._pixels = PixelEvaluator(maps, protocol)
        self._classes = KnownClasses(protocol.classes)

    def add(self, record: Record, path: str, detection: Detection, truth: Truth) -> None:
        """Add one image: its labelled record, its path in the data set, what was found and what is true."""
        score = ImageScore(path, int(record.label == 1), record.defect, detection.score, detection.is_unseen)
        self._images.append(score)
        self._pixels.add(record.label == 1, detection, truth)
        self._classes.add(detection, truth.classes)

    def merge(self, other: Evaluator) -> None:
        """Add the images of another evaluator, after these: what `evaluate` then says is what one says that took them all.

        The other one's file of maps is closed.
        """
        self._images += other._images
        self._pixels.merge(other._pixels)
        self._classes.merge(other._classes)

    def evaluate(self, result: CellResult, scores: Sequence[float] | None = None) -> None:
        """Fill in everything that the images so far, at least one, say; then `maps` and `median` are there, too.

        Args:
            result: What is filled in; its `figures` name those of the protocol.
            scores: The images' scores, where they are known only now.

        Raises:
            UsageError: For scores or maps with NaN.
        """
        if scores is not None:
            self._images = [replace(image, score=score) for image, score in zip(self._images, scores, strict=True)]
        self.maps = self._pixels.finish()
        self.median = median_of(self.maps)
        result.scores = tuple(self._images)
        self._evaluate_images(result)
        self._pixels.evaluate(result)
        self._evaluate_classes(result)

    def _evaluate_images(self, result: CellResult) -> None:
        labels, scores = [image.label for image in self._images], [image.score for image in self._images]
        missing = [word for label, word in ((0, "normal"), (1, "abnormal")) if label not in labels]
        if missing:
            result.set_undefined(IMAGE_FIGURES, f"there is no {missing[0]} test image")
            return
        found = image_metrics(labels, scores)
        for name, value in zip(IMAGE_FIGURES, (found.auroc, found.ap, found.f1_max), strict=True):
            result.set(name, value)
        result.thresholds["image"] = found.f1_max_threshold
        result.add_curves("image", rank(labels, scores))
        bounds = bootstrap_interval(labels, scores, auroc)
        result.interval = bounds.low, bounds.high

    def _evaluate_classes(self, result: CellResult) -> None:
        miou = self._classes.miou()
        if miou is None:
            result.set_undefined(["miou"], self._classes.reason or "no pixel has a known class")
            return
        result.set("miou", miou)
        result.class_iou = self._classes.iou()


def median_of(maps: Sequence[Map], most: int = _MEDIAN_VALUES) -> float:
    """The median of every seventh value of maps; of so many maps that only every second, third, ... one is taken, spread evenly,
    where these would be more values than `most`. A range of colours follows from it, and no figure.
    """
    step = -(-sum(each.size for each in maps) // (7 * most))
    return float(np.median(np.concatenate([each.ravel()[::7] for each in maps[:: max(step, 1)]])))
