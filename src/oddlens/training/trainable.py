"""What the training loop trains: a few learned tensors over the features of a frozen tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.vision_pass import FeatureRequest, VisionPass
from oddlens.methods.base import Features
from oddlens.provenance import Identity, plain_recipe, preprocessing_sha256


class Trainable(Protocol):
    """The learning part of a method on a backbone, one class a trainable method.

    The tower never learns: what `encode` gives of a picture does not change during training, so the loop computes it once and keeps
    it. Everything random in it comes from the seed that it was made with.
    """

    @property
    def name(self) -> str:
        """The method's name."""

    @property
    def backbone(self) -> Backbone:
        """The frozen model."""

    @property
    def recipe(self) -> Any:
        """The method's recipe in force; written into the weights."""

    @property
    def request(self) -> FeatureRequest:
        """What it wants of the vision tower."""

    def encode(self, vision_pass: VisionPass) -> Features:
        """The frozen features of a batch of pictures: every tensor float32, its first dimension the picture."""

    def parameters(self) -> Sequence[nn.Parameter]:
        """What learns, in a fixed order."""

    def losses(
        self, features: Mapping[str, Tensor], masks: Tensor, labels: Tensor, object_names: Sequence[str]
    ) -> dict[str, Tensor]:
        """The parts of the loss of a batch by name, weighted: their sum is what is minimised.

        features: as `encode` gives them, float32. masks: int64 [batch, image_size, image_size], 1 = defect. labels: int64 [batch],
        1 = abnormal. object_names: what is on each picture.
        """

    def tensors(self) -> dict[str, Tensor]:
        """The learned tensors, as the weights file holds them and as the method reads them."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from such tensors."""


def identity_of(trainable: Trainable) -> Identity:
    """What the features that it learns from depend on."""
    backbone, request = trainable.backbone, trainable.request
    return Identity(
        method=trainable.name,
        recipe=plain_recipe(trainable.recipe),
        model=backbone.identity,
        preprocessing_sha256=preprocessing_sha256(
            backbone.mean, backbone.std, request.image_size, request.short_side, request.interpolation
        ),
    )
