"""Measuring one cell: scores, maps and classes in, figures, curves and reasons out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from oddlens.data import Record
from oddlens.detection import Detection
from oddlens.evaluation.cell_results import ImageScore
from oddlens.evaluation.known_classes import KnownClasses
from oddlens.evaluation.measured import Measured
from oddlens.evaluation.pixel_evaluator import PixelEvaluator
from oddlens.evaluation.protocol import Protocol
from oddlens.evaluation.truth import Truth
from oddlens.metrics import auroc, bootstrap_interval, image_metrics, rank

IMAGE_FIGURES = ("image_auroc", "image_ap", "image_f1_max")


class Evaluator:
    """Takes the detections of one cell as they come; then `measure`.

    Memory: a few kilobytes a picture, and 8 bytes for each pixel of a defect; the maps wait in a file in `folder`.
    """

    def __init__(self, folder: Path, protocol: Protocol) -> None:
        self._protocol = protocol
        self._images: list[ImageScore] = []
        self._pixels = PixelEvaluator(folder, protocol)
        self._classes = KnownClasses(protocol.classes)

    def add(self, record: Record, path: str, detection: Detection, truth: Truth) -> None:
        """Add one picture: its labelled record, its path in the data set, what was found and what is true."""
        self._images.append(ImageScore(path, int(record.label == 1), record.defect, detection.score))
        self._pixels.add(record.label == 1, detection, truth)
        self._classes.add(detection, truth.classes)

    def measure(self, scores: Sequence[float] | None = None) -> Measured:
        """Everything that can be said of the pictures so far, at least one. scores: the pictures', where they are known only now.

        Raises `UsageError` for scores or maps with NaN.
        """
        if scores is not None:
            self._images = [replace(image, score=score) for image, score in zip(self._images, scores, strict=True)]
        maps = self._pixels.finish()
        usual = float(np.median(np.concatenate([part.ravel()[::7] for part in maps])))
        measured = Measured(tuple(self._images), maps, usual, dict.fromkeys(self._protocol.figures))
        self._measure_images(measured)
        self._pixels.measure(measured)
        self._measure_classes(measured)
        return measured

    def _measure_images(self, measured: Measured) -> None:
        labels, scores = [image.label for image in self._images], [image.score for image in self._images]
        missing = [word for label, word in ((0, "normal"), (1, "abnormal")) if label not in labels]
        if missing:
            measured.set_undefined(IMAGE_FIGURES, f"there is no {missing[0]} test picture")
            return
        found = image_metrics(labels, scores)
        for name, value in zip(IMAGE_FIGURES, (found.auroc, found.ap, found.f1_max), strict=True):
            measured.tell(name, value)
        measured.thresholds["image"] = found.f1_max_threshold
        measured.draw("image", rank(labels, scores))
        bounds = bootstrap_interval(labels, scores, auroc)
        measured.interval = bounds.low, bounds.high

    def _measure_classes(self, measured: Measured) -> None:
        miou = self._classes.miou()
        if miou is None:
            measured.set_undefined(["miou"], self._classes.reason or "no pixel has a known class")
            return
        measured.tell("miou", miou)
        measured.class_iou = self._classes.iou()
