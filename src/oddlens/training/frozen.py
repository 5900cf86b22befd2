"""The frozen features of training images, as a training step takes them.

Images run through the tower one by one, so that an image's features are the same bits in every batch, order and run: whether they
come from the cache or are computed again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddlens.backbone.tensors import aligned, to_device
from oddlens.backbone.vision_pass import VisionPass
from oddlens.data.masks import resize_mask
from oddlens.errors import OddlensError
from oddlens.io.loader import load
from oddlens.io.pixels import Pixels
from oddlens.training.feature_cache import Arrays
from oddlens.training.images import TrainingImage
from oddlens.training.precision import Precision
from oddlens.training.trainable import Trainable

MASK = "mask"
"""The name of an image's mask among its arrays: as bits, uint8 [pixels / 8]."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What `Trainable.losses` takes: features (float32), masks, labels and object names of some images."""

    features: dict[str, Tensor]
    masks: Tensor
    labels: Tensor
    object_names: list[str]

    def single(self) -> Iterator[Batch]:
        """Batches of one image each, whose numbers do not depend on the others' being there."""
        for number, name in enumerate(self.object_names):
            of_one = slice(number, number + 1)
            features = {each: aligned(values[of_one]) for each, values in self.features.items()}
            yield Batch(features, self.masks[of_one], self.labels[of_one], [name])


class FrozenFeatures(Protocol):
    """The source of a step's batch."""

    def batch(self, images: Sequence[TrainingImage]) -> Batch:
        """The batch of these images, on the model's device."""


@dataclass(frozen=True, eq=False)
class _MaskedPixels:
    """Pixels uint8 [height, width, 3] and their mask, bool [height, width]."""

    pixels: Pixels
    mask: NDArray[np.bool_]

    @property
    def pixel_count(self) -> int:
        """Pixels in memory."""
        return self.mask.size


class _Reading:
    """A training image as the loader reads it."""

    in_order = keeps = False

    def __init__(self, image: TrainingImage) -> None:
        self.source = str(image.samples[0].record.image)
        self._image = image

    def read(self) -> _MaskedPixels:
        """Its pixels and its mask, as they are on disk."""
        return _MaskedPixels(*self._image.read())


class Encoder:
    """Encodes images with the frozen tower of a trainable method, one by one."""

    def __init__(self, trainable: Trainable, precision: Precision) -> None:
        self.trainable = trainable
        self.precision = precision
        self.size = trainable.request.image_size

    def arrays(self, image: TrainingImage) -> Arrays:
        """The features of an image by name, float32 without a batch dimension, and its mask."""
        (arrays,) = self.each([image])
        return arrays

    def each(self, images: Sequence[TrainingImage]) -> list[Arrays]:
        """`arrays` of several images, which are read ahead. Raises OddlensError for features that are not finite."""
        with closing(load(map(_Reading, images), self._prepared)) as read:
            return [self._encoded(each, image) for each, image in zip(read, images, strict=True)]

    def _prepared(self, image: _MaskedPixels) -> _MaskedPixels:
        """An image and its mask at the size of the tower; any thread may do it."""
        return _MaskedPixels(self.trainable.request.view(image.pixels), resize_mask(image.mask, self.size))

    @torch.inference_mode()
    def _encoded(self, read: _MaskedPixels, image: TrainingImage) -> Arrays:
        backbone, precision = self.trainable.backbone, self.precision.name
        with self.precision.lowered(backbone.device):
            features = self.trainable.encode(VisionPass(backbone, [read.pixels], self.trainable.request))
        arrays: Arrays = {name: value[0].float().cpu().numpy() for name, value in features.items()}
        if not all(np.isfinite(each).all() for each in arrays.values()):
            advice = "check the model" if precision == "float32" else "give --precision float32"
            raise OddlensError(
                f"{image.samples[0].record.image} has features that are not finite in {precision}: {advice}"
            )
        return arrays | {MASK: np.packbits(read.mask)}

    def batch(self, images: Sequence[TrainingImage], arrays: Mapping[str, NDArray[np.generic]]) -> Batch:
        """The batch of images whose arrays are given, stacked."""
        device = self.trainable.backbone.device
        bits = np.unpackbits(np.asarray(arrays[MASK], np.uint8), axis=1, count=self.size**2)
        return Batch(
            {
                name: to_device(aligned(torch.from_numpy(np.asarray(array, np.float32))), device)
                for name, array in arrays.items()
                if name != MASK
            },
            to_device(torch.from_numpy(bits.reshape(len(images), self.size, self.size)), device).long(),
            torch.tensor([image.label for image in images], device=device),
            [image.object_name for image in images],
        )


class RecomputedFeatures:
    """Features computed anew for every batch: nothing is written, and every epoch costs as much as the first."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def batch(self, images: Sequence[TrainingImage]) -> Batch:
        """The batch of these images."""
        return self._encoder.batch(images, stacked(self._encoder.each(images)))


def stacked(each: Sequence[Arrays]) -> Arrays:
    """The arrays of several images along a new first dimension."""
    return {name: np.stack([arrays[name] for arrays in each]) for name in each[0]}
