"""Training of APRIL-GAN: linear layers, each against every pixel of the masks.

Chen et al., VAND workshop at CVPR 2023, arXiv 2305.17382; losses and values of the released code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.methods.april_gan.card import CARD
from oddlens.methods.april_gan.method import LinearLayers, patch_tokens, state_prototypes
from oddlens.methods.april_gan.recipe import AprilGANRecipe
from oddlens.methods.base import Features
from oddlens.methods.weights import MethodWeights
from oddlens.training.losses import dice_loss, focal_loss
from oddlens.training.settings import TrainingSettings


@dataclass(frozen=True)
class AprilGANTraining(TrainingSettings):
    """How APRIL-GAN is trained.

    Two ways were published, by the data set trained on: "visa" is the default, as three epochs of a small set are few steps, and
    without mosaics every image is encoded once.
    """

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "visa": {"epochs": 15},
        "mvtec": {"epochs": 3, "mosaic": 0.2},
    }


class TrainableAprilGAN:
    """A `Trainable`: new linear layers, drawn by the settings' seed, on the tokens of the recipe's layers."""

    name = CARD.name
    settings_type = AprilGANTraining

    def __init__(self, backbone: Backbone, recipe: AprilGANRecipe, settings: AprilGANTraining) -> None:
        self.backbone = backbone
        self.recipe = recipe
        self.settings = settings
        self._layers = LinearLayers(backbone, recipe.layers, settings.seed)
        self._states: dict[str, Tensor] = {}

    @property
    def request(self) -> FeatureRequest:
        """The whole image, and the patch tokens after the recipe's layers."""
        recipe = self.recipe
        return FeatureRequest(recipe.image_size, recipe.interpolation, recipe.position, recipe.layers)

    def encode(self, vision_pass: VisionPass) -> Features:
        """The patches' tokens, layer by layer: see `AprilGAN`."""
        return patch_tokens(vision_pass, self.recipe.layers)

    def parameters(self) -> Sequence[nn.Parameter]:
        """Weight and bias of every layer, in the order of the recipe."""
        return list(self._layers.parameters())

    def shared(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def losses(
        self,
        features: Mapping[str, Tensor],
        masks: Tensor,
        labels: Tensor,
        object_names: Sequence[str],
        shared: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """As `Trainable` says: "focal" and "dice" (of the abnormal probability), summed over the layers (section 3.1)."""
        states = torch.stack([self._prototypes(name) for name in object_names])
        maps = list(self._layers.maps(features, states, self.recipe.temperature, self.recipe.image_size))
        return {
            "focal": torch.stack([focal_loss(torch.stack([1 - each, each], dim=1), masks) for each in maps]).sum(),
            "dice": torch.stack([dice_loss(each, masks) for each in maps]).sum(),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The layers by the names of the authors' files: "fc.0.weight" and so on."""
        return {name: value.detach().clone() for name, value in self._layers.state_dict().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from such tensors."""
        self._layers.fill(MethodWeights("the file to go on from", dict(tensors)))

    def _prototypes(self, object_name: str) -> Tensor:
        if object_name not in self._states:
            self._states[object_name] = state_prototypes(self.backbone, object_name)
        return self._states[object_name]
