"""The frozen features of views, as a training step takes them.

Views go through the tower one by one, so that a view's features are the same bits whatever it is batched with, in whatever order,
in whatever run: whether they are kept on disk or computed again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddlens.backbone.tensors import aligned
from oddlens.backbone.vision_pass import VisionPass
from oddlens.data.masks import resize_mask
from oddlens.training.feature_cache import Arrays
from oddlens.training.images import TrainingImage
from oddlens.training.precision import Precision
from oddlens.training.trainable import Trainable

MASK = "mask"
"""The name that a view's mask has among its arrays: as bits, uint8 [pixels / 8]."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What `Trainable.losses` takes: features (float32), masks, labels and object names of some views."""

    features: dict[str, Tensor]
    masks: Tensor
    labels: Tensor
    object_names: list[str]


class FrozenFeatures(Protocol):
    """Where a step gets its batch from."""

    def batch(self, views: Sequence[TrainingImage]) -> Batch:
        """The batch of these views, on the model's device."""


class Encoder:
    """Views through the frozen tower of a trainable method, one by one."""

    def __init__(self, trainable: Trainable, precision: Precision) -> None:
        self.trainable = trainable
        self.precision = precision
        self.size = trainable.request.image_size

    @torch.inference_mode()
    def arrays(self, view: TrainingImage) -> Arrays:
        """The features of a view by name, float32 without a batch dimension, and its mask."""
        backbone = self.trainable.backbone
        pixels, mask = view.read()
        with self.precision.lowered(backbone.device):
            features = self.trainable.encode(VisionPass(backbone, [pixels], self.trainable.request))
        arrays: Arrays = {name: value[0].float().cpu().numpy() for name, value in features.items()}
        return arrays | {MASK: np.packbits(resize_mask(mask, self.size))}

    def batch(self, views: Sequence[TrainingImage], arrays: Mapping[str, NDArray[np.generic]]) -> Batch:
        """The batch of views whose arrays are given, stacked."""
        device = self.trainable.backbone.device
        bits = np.unpackbits(np.asarray(arrays[MASK], np.uint8), axis=1, count=self.size**2)
        return Batch(
            {
                name: aligned(torch.from_numpy(np.asarray(array, np.float32))).to(device)
                for name, array in arrays.items()
                if name != MASK
            },
            torch.from_numpy(bits.reshape(len(views), self.size, self.size)).to(device).long(),
            torch.tensor([view.label for view in views], device=device),
            [view.object_name for view in views],
        )


class RecomputedFeatures:
    """Features that are computed anew for every batch: nothing is written, and every epoch costs as much as the first."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def batch(self, views: Sequence[TrainingImage]) -> Batch:
        """The batch of these views."""
        each = [self._encoder.arrays(view) for view in views]
        return self._encoder.batch(views, stacked(each))


def stacked(each: Sequence[Arrays]) -> Arrays:
    """The arrays of several views along a new first dimension."""
    return {name: np.stack([arrays[name] for arrays in each]) for name in each[0]}
