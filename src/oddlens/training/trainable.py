"""What the training loop trains: a few learned tensors over the features of a frozen tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.methods.base import Features
from oddlens.methods.recipe_fields import Recipe
from oddlens.provenance import Identity, plain_recipe, preprocessing_sha256


class Trainable(Protocol):
    """The trainable part of a method on a backbone, one class for each method.

    The tower is frozen: the features of an image do not change during training, so the loop computes them once. All random values
    come from the seed of the settings.
    """

    @property
    def name(self) -> str:
        """The method's name."""

    @property
    def backbone(self) -> Backbone:
        """The frozen model."""

    @property
    def recipe(self) -> Recipe:
        """The method's recipe in force; written into the weights."""

    @property
    def request(self) -> FeatureRequest:
        """What it needs from the vision tower."""

    def encode(self, vision_pass: VisionPass) -> Features:
        """The frozen features of a batch of images: every tensor float32, its first dimension the image."""

    def parameters(self) -> Sequence[nn.Parameter]:
        """The parameters that are trained, in a fixed order."""

    def shared(self) -> dict[str, Tensor]:
        """What the losses of all images of a step use and what is computed from the parameters alone, such as prompt embeddings."""

    def losses(
        self,
        features: Mapping[str, Tensor],
        masks: Tensor,
        labels: Tensor,
        object_names: Sequence[str],
        shared: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """The parts of the loss of a batch by name, weighted: training minimises their sum.

        Each is a mean over the images, so that the loss of a step is the mean of those of its images.

        Args:
            features: As `encode` gives them, float32.
            masks: Int64 [batch, image_size, image_size], 1 = defect.
            labels: Int64 [batch], 1 = abnormal.
            object_names: The object on each image.
            shared: As `shared` gives them.
        """

    def tensors(self) -> dict[str, Tensor]:
        """The learned tensors, by their names in the weights file."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from such tensors."""


def identity_of(trainable: Trainable) -> Identity:
    """What its features depend on."""
    backbone, request = trainable.backbone, trainable.request
    return Identity(
        method=trainable.name,
        recipe=plain_recipe(trainable.recipe),
        model=backbone.identity,
        preprocessing_sha256=preprocessing_sha256(
            backbone.mean, backbone.std, request.image_size, request.short_side, request.interpolation
        ),
    )
