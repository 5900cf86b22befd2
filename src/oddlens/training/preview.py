"""An early view of a training: what the method would find on a few pictures with what it has learned so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddlens.data.masks import resize_mask
from oddlens.detection import Detection, resize_map
from oddlens.detector import Detector
from oddlens.encoding import EncodedBatch
from oddlens.io.atomic import replacing
from oddlens.io.images import Picture
from oddlens.io.pixels import Pixels
from oddlens.methods.registry import method_class
from oddlens.methods.weights import MethodWeights
from oddlens.training.images import TrainingImage
from oddlens.training.samples import Sample, SampleSet
from oddlens.training.trainable import Trainable
from oddlens.visualization.overlay import draw_overlay

PICTURES = 6
"""How many pictures are looked at: half of them abnormal, spread over the data sets."""

_LONGEST_SIDE = 400


class Preview:
    """The same few pictures after every epoch, under FOLDER/epoch-03: the true defect outlined, the method's map over it.

    The maps come from the method's own score, and the colours have the method's fixed range: pictures of all epochs compare.
    provenance: what the weights would say of themselves.
    """

    def __init__(
        self, folder: Path, trainable: Trainable, sets: Sequence[SampleSet], provenance: dict[str, Any]
    ) -> None:
        self._folder = folder
        self._trainable = trainable
        self._provenance = provenance
        self._shown: list[_Shown] = []
        detector = self._detector()
        for number, sample in enumerate(chosen(sets), start=1):
            pixels, mask = TrainingImage((sample,)).read()
            encoded = detector.encode_pictures([Picture(pixels, str(sample.record.image))])
            small = Image.fromarray(pixels)
            small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
            name = f"{number}-{'abnormal' if sample.record.label else 'normal'}.png"
            truth = resize_mask(mask, small.size[::-1])
            self._shown.append(_Shown(name, encoded, sample.object_name, np.asarray(small), truth))

    def draw(self, epoch: int) -> None:
        """Draw what is found after an epoch (from 0). Raises `OddlensError` where the folder cannot be written."""
        detector = self._detector()
        for shown in self._shown:
            (detection,) = detector.predict(shown.encoded, shown.object_name)
            with replacing(self._folder / f"epoch-{epoch + 1:02d}" / shown.name) as temporary:
                shown.drawn(detection).save(temporary, "PNG")

    def _detector(self) -> Detector:
        """The method with what is learned so far."""
        trainable = self._trainable
        learned = MethodWeights("the training so far", trainable.tensors(), self._provenance)
        method = method_class(trainable.name)(trainable.backbone, trainable.recipe, learned)
        return Detector(trainable.name, method)


@dataclass(frozen=True, eq=False)
class _Shown:
    """One of the pictures: its file's name, its features, and itself with its true defects as it is drawn, small."""

    name: str
    encoded: EncodedBatch
    object_name: str
    pixels: Pixels
    truth: NDArray[np.bool_]

    def drawn(self, detection: Detection) -> Image.Image:
        """The picture with what was found and, over it, what is there."""
        height, width, _ = self.pixels.shape
        scale = detection.value_range
        return draw_overlay(
            self.pixels,
            resize_map(detection.anomaly_map, (width, height)),
            (scale.low, scale.high),
            [],
            f"score {detection.score:.3f}",
            scale.label,
            None,
            self.truth,
        )


def chosen(sets: Sequence[SampleSet]) -> list[Sample]:
    """The pictures to look at: as many abnormal ones as normal ones where there are enough, evenly over the data sets' lists."""
    samples = [sample for each in sets for sample in each.samples]
    abnormal = _spread([sample for sample in samples if sample.record.label == 1], PICTURES // 2)
    normal = _spread([sample for sample in samples if sample.record.label == 0], PICTURES - PICTURES // 2)
    return [*normal, *abnormal]


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    count = min(count, len(samples))
    return [samples[(2 * number + 1) * len(samples) // (2 * count)] for number in range(count)]
