"""How well a method recognises the known classes of a scene, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from oddlens.data.legend import IGNORED
from oddlens.detection import Detection
from oddlens.errors import first_and_more
from oddlens.metrics import SegmentationAccumulator

Labels = NDArray[np.uint8]

_UNLABELLED = "no test image has class labels"


class KnownClasses:
    """Intersection over union of the classes of a data set. Memory O(classes squared).

    A method's classes are matched by name, without regard to case and underscores; it must know all of the data set's. A pixel
    that it assigns to another class is a miss of the true class and no false alarm of any.

    Attributes:
        reason: Why there is no figure; "" if there is one.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.reason = _UNLABELLED
        self._names = tuple(names)
        self._counts = SegmentationAccumulator(len(names), IGNORED) if names else None

    def add(self, detection: Detection, classes: Labels | None) -> None:
        """Add a frame. classes: the true ones, uint8 [height, width] at the frame's own size; None without labels."""
        if self._counts is None or classes is None:
            return
        if detection.labels is None:
            self.reason = "the method recognises no classes"
            return
        numbers = {_plain(name): number for number, name in enumerate(detection.label_names)}
        lacking = [name for name in self._names if _plain(name) not in numbers]
        if lacking:
            named = first_and_more([repr(name) for name in lacking], 3)
            self.reason = f"the method does not know {named} of the data set's classes"
            return
        self.reason = ""
        table = np.full(256, IGNORED, np.uint8)
        table[[numbers[_plain(name)] for name in self._names]] = np.arange(len(self._names))
        labels = cv2.resize(table.take(detection.labels), detection.image_size, interpolation=cv2.INTER_NEAREST_EXACT)
        self._counts.update([classes], [labels])

    def merge(self, other: KnownClasses) -> None:
        """Add the frames of another, after these."""
        if self._counts is not None and other._counts is not None:
            self._counts.merge(other._counts)
        if other.reason != _UNLABELLED:
            self.reason = other.reason

    def miou(self) -> float | None:
        """The mean over the classes that occur or were found; None where there is a reason."""
        if self._counts is None or self.reason:
            return None
        found = self._counts.compute().miou
        return None if np.isnan(found) else found

    def iou(self) -> dict[str, float | None]:
        """By class; None for one that neither occurs nor was found; {} where there is a reason."""
        if self._counts is None or self.reason:
            return {}
        values = self._counts.compute().iou
        return {name: None if np.isnan(iou) else iou for name, iou in zip(self._names, values, strict=True)}


def _plain(name: str) -> str:
    return name.replace("_", " ").casefold()
