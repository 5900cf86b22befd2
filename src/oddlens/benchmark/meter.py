"""Measuring one cell: scores and maps in, figures, curves and reasons out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oddlens.benchmark.cells import METRICS, Curve, ImageScore
from oddlens.benchmark.map_file import Map, MapFile
from oddlens.benchmark.truth import Truth
from oddlens.data import Record
from oddlens.detection import Detection
from oddlens.heat import resize_heat
from oddlens.metrics import (
    PositiveScores,
    Ranking,
    auroc,
    bootstrap_interval,
    image_metrics,
    pixel_aupro_legacy,
    pixel_metrics_from,
    precision_recall_points,
    rank,
    roc_points,
)

CURVE_POINTS = 150


@dataclass(frozen=True)
class Measured:
    """What one cell's pictures add up to; the fields of the same names in `Cell` say what they are.

    maps: as the method gave them, one a picture, on disk. usual: the median heat of all of them.
    """

    figures: dict[str, float | None]
    reasons: dict[str, str]
    interval: tuple[float, float] | None
    thresholds: dict[str, float | None]
    notes: tuple[str, ...]
    scores: tuple[ImageScore, ...]
    curves: dict[str, Curve]
    maps: Sequence[Map]
    usual: float


class Meter:
    """Takes the detections of one cell as they come; then `measure`.

    full_size: pixels are compared at each picture's own size instead of the map's. Memory: the masks, and 8 bytes for each pixel
    of a defect; the maps wait in a file in `folder`.
    """

    def __init__(self, folder: Path, *, full_size: bool) -> None:
        self._full_size = full_size
        self._map_file = MapFile(folder)
        self._images: list[ImageScore] = []
        self._sizes: list[tuple[int, int]] = []
        self._masks: list[npt.NDArray[np.bool_] | None] = []
        self._ignored: list[npt.NDArray[np.bool_] | None] = []
        self._drawn: list[bool] = []
        self._positives = PositiveScores()
        self._vanished = 0

    def add(self, record: Record, path: str, detection: Detection, truth: Truth) -> None:
        """Add one picture: its labelled record, its path in the data set, what was found and what is true."""
        self._images.append(ImageScore(path, int(record.label == 1), record.defect, detection.score))
        self._sizes.append(detection.image_size)
        self._map_file.append(detection.anomaly_map)
        self._drawn.append(truth.mask is not None)
        self._ignored.append(truth.ignore)
        self._masks.append(None if self._full_size else truth.mask)  # only the legacy AUPRO looks at them again
        if truth.mask is not None:
            compared = detection.heatmap() if self._full_size else detection.anomaly_map
            self._positives.update([truth.mask], [compared], _listed(truth.ignore))
            self._vanished += record.label == 1 and not truth.mask.any()

    def measure(self, scores: Sequence[float] | None = None) -> Measured:
        """Everything that can be said of the pictures so far, at least one. scores: the pictures', where they are known only now.

        Raises `UsageError` for scores or maps with NaN.
        """
        if scores is not None:
            self._images = [replace(image, score=score) for image, score in zip(self._images, scores, strict=True)]
        figures: dict[str, float | None] = dict.fromkeys(METRICS)
        reasons: dict[str, str] = {}
        thresholds: dict[str, float | None] = {"image": None, "pixel": None, "calibrated": None}
        curves: dict[str, Curve] = {}
        interval = self._measure_images(figures, reasons, thresholds, curves)
        maps = self._map_file.read()
        self._map_file.close()
        self._measure_pixels(maps, figures, reasons, thresholds, curves)
        usual = float(np.median(np.concatenate([part.ravel()[::7] for part in maps])))
        images = tuple(self._images)
        return Measured(figures, reasons, interval, thresholds, self._notes(maps), images, curves, maps, usual)

    def _measure_images(
        self,
        figures: dict[str, float | None],
        reasons: dict[str, str],
        thresholds: dict[str, float | None],
        curves: dict[str, Curve],
    ) -> tuple[float, float] | None:
        names = [name for name in METRICS if name.startswith("image_")]
        labels, scores = [image.label for image in self._images], [image.score for image in self._images]
        missing = [word for label, word in ((0, "normal"), (1, "abnormal")) if label not in labels]
        if missing:
            reasons.update(dict.fromkeys(names, f"there is no {missing[0]} test picture"))
            return None
        found = image_metrics(labels, scores)
        figures |= {"image_auroc": found.auroc, "image_ap": found.ap, "image_f1_max": found.f1_max}
        thresholds["image"] = found.f1_max_threshold
        curves |= _curves("image", rank(labels, scores))
        bounds = bootstrap_interval(labels, scores, auroc)
        return bounds.low, bounds.high

    def _measure_pixels(
        self,
        maps: Sequence[Map],
        figures: dict[str, float | None],
        reasons: dict[str, str],
        thresholds: dict[str, float | None],
        curves: dict[str, Curve],
    ) -> None:
        names = [name for name in METRICS if name.startswith("pixel_")]
        drawn = [number for number, known in enumerate(self._drawn) if known]
        if not any(self._images[number].label for number in drawn):
            reasons.update(dict.fromkeys(names, "no abnormal test picture has a mask"))
            return
        counts = self._positives.score_counts()
        for number in drawn:
            counts.update([self._compared(maps, number)], _listed(self._ignored[number]))
        found = pixel_metrics_from(self._positives, counts)
        if not found.n_positive or not found.n_negative:
            what = "defect" if not found.n_positive else "normal"
            reasons.update(dict.fromkeys(names, f"no {what} pixel is left at the size that is compared at"))
            return
        figures |= {
            "pixel_auroc": found.auroc,
            "pixel_ap": found.ap,
            "pixel_f1_max": found.f1_max,
            "pixel_aupro": found.aupro,
        }
        thresholds["pixel"] = found.f1_max_threshold
        curves |= _curves("pixel", self._positives.ranking(counts))
        figures["pixel_aupro_legacy"], reason = self._legacy(maps, drawn)
        if reason:
            reasons["pixel_aupro_legacy"] = reason

    def _legacy(self, maps: Sequence[Map], drawn: Sequence[int]) -> tuple[float | None, str]:
        if self._full_size:
            return None, "the authors' program compares at the size of the maps"
        if any(self._ignored[number] is not None for number in drawn):
            return None, "the authors' program knows no pixels to ignore"
        masks = [mask for mask in self._masks if mask is not None]
        value = pixel_aupro_legacy(masks, [maps[number] for number in drawn])
        return (None, "the authors' rule gives no number on these maps") if math.isnan(value) else (value, "")

    def _compared(self, maps: Sequence[Map], number: int) -> npt.NDArray[np.float32]:
        return resize_heat(maps[number], self._sizes[number]) if self._full_size else maps[number]

    def _notes(self, maps: Sequence[Map]) -> tuple[str, ...]:
        notes = []
        undrawn = len(self._drawn) - sum(self._drawn)
        if undrawn and any(known and image.label for known, image in zip(self._drawn, self._images, strict=True)):
            which = "1 abnormal picture has" if undrawn == 1 else f"{undrawn} abnormal pictures have"
            notes.append(f"{which} no mask: image figures only")
        if self._vanished:
            height, width = maps[0].shape
            place = "their own size" if self._full_size else f"{width} x {height} pixels"
            which = "1 mask is" if self._vanished == 1 else f"{self._vanished} masks are"
            notes.append(f"{which} empty at {place}, where all pixels then count as normal")
        return tuple(notes)


def _listed(ignore: npt.NDArray[np.bool_] | None) -> list[npt.NDArray[np.bool_]] | None:
    return None if ignore is None else [ignore]


def _curves(level: str, ranking: Ranking) -> dict[str, Curve]:
    roc = roc_points(ranking, CURVE_POINTS)
    precision, recall, _ = precision_recall_points(ranking, CURVE_POINTS)
    return {f"{level}_roc": _curve(roc.fpr, roc.tpr), f"{level}_pr": _curve(recall, precision)}


def _curve(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Curve:
    return Curve(_rounded(x), _rounded(y))


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
