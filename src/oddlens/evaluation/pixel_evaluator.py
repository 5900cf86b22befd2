"""Evaluating the maps of one cell: pixels, components, and pixels image by image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
import numpy.typing as npt

from oddlens.data import looks_inverted
from oddlens.detection import Detection, resize_map
from oddlens.errors import UsageError
from oddlens.evaluation.cell_results import CellResult
from oddlens.evaluation.map_file import Map, MapFile
from oddlens.evaluation.protocol import Protocol, sizes_for
from oddlens.evaluation.truth import Folded, Mask, Truth
from oddlens.metrics import (
    ComponentAccumulator,
    PositiveScores,
    per_image_pixel_metrics,
    pixel_aupro_legacy,
    pixel_metrics_from,
)

LEGACY = "pixel_aupro_legacy"
COMPONENT_FIGURES = ("component_siou", "component_ppv", "component_f1_mean")


class PixelEvaluator:
    """Takes anomaly maps and their truth; then `finish` and `evaluate`.

    The maps are read from disk several times: for the scores of the true pixels, for all others against these, and for components
    at the threshold that follows from both.
    """

    def __init__(self, maps: MapFile, protocol: Protocol) -> None:
        self._protocol = protocol
        self._map_file = maps
        self._maps: Sequence[Map] = ()
        self._abnormal: list[bool] = []
        self._sizes: list[tuple[int, int]] = []
        self._masks: list[Folded | None] = []
        self._ignored: list[Folded | None] = []
        self._positives = PositiveScores()
        self._vanished = 0
        self._inverted = 0

    def add(self, abnormal: bool, detection: Detection, truth: Truth) -> None:
        """Add an image's map."""
        self._abnormal.append(abnormal)
        self._sizes.append(detection.image_size)
        self._map_file.append(detection.anomaly_map)
        self._masks.append(None if truth.mask is None else Folded(truth.mask))
        self._ignored.append(None if truth.ignore is None else Folded(truth.ignore))
        if truth.mask is not None:
            compared = detection.heatmap() if self._protocol.full_size else detection.anomaly_map
            self._positives.update([truth.mask], [compared], _listed(truth.ignore))
            self._vanished += abnormal and not truth.mask.any()
            self._inverted += looks_inverted(truth.mask)

    def merge(self, other: PixelEvaluator) -> None:
        """Add the images of another evaluator, after these. Its file of maps is closed."""
        self._map_file.merge(other._map_file)
        self._abnormal += other._abnormal
        self._sizes += other._sizes
        self._masks += other._masks
        self._ignored += other._ignored
        self._positives.merge(other._positives)
        self._vanished += other._vanished
        self._inverted += other._inverted

    def finish(self) -> Sequence[Map]:
        """All maps, as the method gave them; nothing can be added afterwards."""
        self._maps = self._map_file.read()
        self._map_file.close()
        return self._maps

    def evaluate(self, result: CellResult) -> None:
        """Fill in all figures of pixels and components."""
        result.notes += self._notes()
        names = [name for name in result.figures if name.startswith(("pixel_", "component_"))]
        if not any(self._abnormal[number] for number in self._drawn):
            result.set_undefined(names, "no abnormal test image has a mask")
            return
        counts = self._positives.score_counts()
        for number in self._drawn:
            counts.update([self._compared(number)], _listed(self._ignore(number)))
        found = pixel_metrics_from(self._positives, counts)
        if not found.n_positive or not found.n_negative:
            what = "defect" if not found.n_positive else "normal"
            result.set_undefined(names, f"no {what} pixel is left at the size that is compared at")
            return
        for name in ("auroc", "ap", "f1_max", "aupro", "fpr95"):
            result.set(f"pixel_{name}", getattr(found, name))
        result.thresholds["pixel"] = found.f1_max_threshold
        result.add_curves("pixel", self._positives.ranking(counts))
        if LEGACY in result.figures:
            self._evaluate_legacy(result)
        if self._protocol.per_image:
            self._evaluate_per_image(result)
        if self._protocol.components is not None:
            self._evaluate_components(result, found.f1_max_threshold)

    @property
    def _drawn(self) -> list[int]:
        """The numbers of the images whose defect has a mask, and of those without a defect."""
        return [number for number, mask in enumerate(self._masks) if mask is not None]

    def _evaluate_legacy(self, result: CellResult) -> None:
        if self._protocol.full_size:
            result.set_undefined([LEGACY], "the authors' program compares at the size of the maps")
        elif any(self._ignored[number] is not None for number in self._drawn):
            result.set_undefined([LEGACY], "the authors' program knows no pixels to ignore")
        else:
            value = pixel_aupro_legacy(list(map(self._mask, self._drawn)), [self._maps[n] for n in self._drawn])
            result.set(LEGACY, value)
            if math.isnan(value):
                result.set_undefined([LEGACY], "the authors' rule gives no number on these maps")

    def _evaluate_per_image(self, result: CellResult) -> None:
        names = ("auroc", "ap", "fpr95")
        try:
            found = per_image_pixel_metrics(*self._triples())
        except UsageError:
            result.set_undefined([f"pixel_{name}_per_image" for name in names], "no image has pixels of both kinds")
            return
        for name in names:
            result.set(f"pixel_{name}_per_image", getattr(found, name))

    def _evaluate_components(self, result: CellResult, threshold: float) -> None:
        assert self._protocol.components is not None
        if not self._protocol.full_size:
            result.set_undefined(COMPONENT_FIGURES, "sizes of components are those of frames, and maps were compared")
            return
        area = median(width * height for width, height in self._sizes)
        sizes = sizes_for(self._protocol.components, area)
        found = ComponentAccumulator(threshold, sizes).update(*self._triples()).compute()
        for name, value in zip(COMPONENT_FIGURES, (found.siou, found.ppv, found.f1_mean), strict=True):
            result.set(name, value)
            if math.isnan(value):
                result.set_undefined([name], f"no true component has {sizes.true} pixels")
        result.components = {
            "found_from": sizes.found,
            "true_from": sizes.true,
            "found": found.n_found,
            "true": found.n_true,
        }

    def _triples(self) -> tuple[Iterator[Mask], Iterator[Map], Iterator[Mask]]:
        """Masks, maps as they are compared, and what is ignored, of all drawn images one by one."""
        ignored = (
            np.zeros(mask.shape, np.bool_) if (ignore := self._ignore(number)) is None else ignore
            for number, mask in enumerate(self._masks)
            if mask is not None
        )
        return map(self._mask, self._drawn), map(self._compared, self._drawn), ignored

    def _mask(self, number: int) -> Mask:
        folded = self._masks[number]
        assert folded is not None  # of those that are drawn
        return folded.unfold()

    def _ignore(self, number: int) -> Mask | None:
        folded = self._ignored[number]
        return None if folded is None else folded.unfold()

    def _compared(self, number: int) -> Map:
        return resize_map(self._maps[number], self._sizes[number]) if self._protocol.full_size else self._maps[number]

    def _notes(self) -> tuple[str, ...]:
        notes = []
        undrawn = len(self._masks) - len(self._drawn)
        if undrawn and any(self._abnormal[number] for number in self._drawn):
            which = "1 abnormal image has" if undrawn == 1 else f"{undrawn} abnormal images have"
            notes.append(f"{which} no mask: image figures only")
        if self._vanished:
            height, width = self._maps[0].shape
            place = "their own size" if self._protocol.full_size else f"{width} x {height} pixels"
            which = "1 mask is" if self._vanished == 1 else f"{self._vanished} masks are"
            notes.append(f"{which} empty at {place}, where no pixel counts as defect")
        if self._inverted:
            which = "1 mask marks" if self._inverted == 1 else f"{self._inverted} masks mark"
            notes.append(f"{which} nearly a whole image as defect: are they black on white?")
        return tuple(notes)


def _listed(ignore: npt.NDArray[np.bool_] | None) -> list[npt.NDArray[np.bool_]] | None:
    return None if ignore is None else [ignore]
