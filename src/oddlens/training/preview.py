"""Previews of a training: what the method finds on a few images with the weights so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from oddlens.io.png import write_png
from oddlens.io.strict_json import checked
from oddlens.methods.base import method_class
from oddlens.methods.registry import method_card
from oddlens.methods.weights import MethodWeights
from oddlens.methods.weights_provenance import WeightsProvenance
from oddlens.training.images import TrainingImage
from oddlens.training.samples import Sample, SampleSet
from oddlens.training.trainable import Trainable
from oddlens.visualization.overlay import draw_overlay_pixels

PREVIEW_IMAGES = 6
"""The number of preview images: half of them abnormal, spread over the data sets."""

_LONGEST_SIDE = 400


class Preview:
    """The same few images after every epoch, under FOLDER/epoch-03: the anomaly map over the image, the true defect outlined.

    The colours have the method's fixed range, so that the images of all epochs compare.

    Args:
        folder: The folder for the drawings.
        trainable: The method in training.
        sets: The training samples.
        provenance: How the weights are made; the method reads it as from a weights file.
    """

    def __init__(
        self, folder: Path, trainable: Trainable, sets: Sequence[SampleSet], provenance: dict[str, object]
    ) -> None:
        self._folder = folder
        self._trainable = trainable
        self._provenance = checked(provenance, WeightsProvenance)
        self._shown: list[_Shown] = []
        detector = self._detector()
        for number, sample in enumerate(choose_samples(sets), start=1):
            pixels, mask = TrainingImage((sample,)).read()
            encoded = detector.encode_pictures([Picture(pixels, str(sample.record.image))])
            small = Image.fromarray(pixels)
            small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
            name = f"{number}-{'abnormal' if sample.record.label else 'normal'}.png"
            truth = resize_mask(mask, small.size[::-1])
            self._shown.append(_Shown(name, encoded, sample.object_name, np.asarray(small), truth))

    def draw(self, epoch: int) -> None:
        """Draw the previews of an epoch (from 0). Raises OddlensError if the folder cannot be written."""
        detector = self._detector()
        for shown in self._shown:
            (detection,) = detector.predict(shown.encoded, shown.object_name)
            with replacing(self._folder / f"epoch-{epoch + 1:02d}" / shown.name) as temporary:
                write_png(temporary, shown.drawn(detection))

    def _detector(self) -> Detector:
        """The method with the weights so far."""
        trainable = self._trainable
        learned = MethodWeights("the training so far", trainable.tensors(), self._provenance)
        method = method_class(method_card(trainable.name))(trainable.backbone, trainable.recipe, learned)
        return Detector(trainable.name, method)


@dataclass(frozen=True, eq=False)
class _Shown:
    """One preview image: its file's name, its features, its pixels and its mask at the size of the drawing."""

    name: str
    encoded: EncodedBatch
    object_name: str
    pixels: Pixels
    truth: NDArray[np.bool_]

    def drawn(self, detection: Detection) -> Pixels:
        """The image with its anomaly map, and over it the true defect."""
        height, width, _ = self.pixels.shape
        scale = detection.value_range
        return draw_overlay_pixels(
            self.pixels,
            resize_map(detection.anomaly_map, (width, height)),
            (scale.low, scale.high),
            [],
            f"score {detection.score:.3f}",
            scale.label,
            None,
            self.truth,
        )


def choose_samples(sets: Sequence[SampleSet]) -> list[Sample]:
    """The samples of the previews: as many abnormal as normal ones if there are enough, evenly over the lists of the data sets."""
    samples = [sample for each in sets for sample in each.samples]
    abnormal = _spread([sample for sample in samples if sample.record.label == 1], PREVIEW_IMAGES // 2)
    normal = _spread([sample for sample in samples if sample.record.label == 0], PREVIEW_IMAGES - PREVIEW_IMAGES // 2)
    return [*normal, *abnormal]


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    count = min(count, len(samples))
    return [samples[(2 * number + 1) * len(samples) // (2 * count)] for number in range(count)]
