"""Training of AnomalyCLIP: two prompts against the image's label and against every pixel of its mask.

Zhou et al., ICLR 2024, arXiv 2310.18961; losses and values of the released code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.backbone.backbone import Backbone
from oddlens.backbone.request import FeatureRequest
from oddlens.backbone.vision_pass import VisionPass
from oddlens.methods.anomaly_clip.card import CARD
from oddlens.methods.anomaly_clip.method import AnomalyCLIP
from oddlens.methods.anomaly_clip.prompts import LearnablePrompts
from oddlens.methods.anomaly_clip.recipe import AnomalyCLIPRecipe
from oddlens.methods.base import Features
from oddlens.methods.common.maps import upsample
from oddlens.methods.weights import MethodWeights
from oddlens.training.losses import dice_loss, focal_loss
from oddlens.training.settings import TrainingSettings


@dataclass(frozen=True)
class AnomalyCLIPTraining(TrainingSettings):
    """How AnomalyCLIP is trained; it uses no mosaics.

    Two ways are named: "released", the default, weighs by 4 as the released code does today; "published" weighs by 16, which with
    layer 24 alone is how the published weights were trained: the code of their time summed four copies of that layer.

    Attributes:
        weight_local: The weight of the losses of the maps, summed over the recipe's layers, beside the loss of the image score.
    """

    weight_local: float = 4.0

    NAMED: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "released": {"weight_local": 4.0},
        "published": {"weight_local": 16.0},
    }


class TrainableAnomalyCLIP:
    """A `Trainable`: new prompts, drawn by the settings' seed. Its features are the method's own."""

    name = CARD.name
    settings_type = AnomalyCLIPTraining

    def __init__(self, backbone: Backbone, recipe: AnomalyCLIPRecipe, settings: AnomalyCLIPTraining) -> None:
        """Raises `UsageError` where the recipe's prompts do not fit the model."""
        self.backbone = backbone
        self.recipe = recipe
        self.settings = settings
        drawn = LearnablePrompts(
            backbone.text, backbone.tokenizer, recipe.context_length, recipe.prompt_depth, recipe.deep_tokens, settings.seed
        )  # fmt: skip
        self._method = AnomalyCLIP(backbone, recipe, MethodWeights("new prompts", drawn.state_dict()))

    @property
    def request(self) -> FeatureRequest:
        """As the method's."""
        return self._method.request

    def encode(self, vision_pass: VisionPass) -> Features:
        """As the method's."""
        return {name: value.float() for name, value in self._method.encode(vision_pass).items()}

    def parameters(self) -> Sequence[nn.Parameter]:
        """The learned tokens of both prompts, then the deep ones."""
        return list(self._method.prompts.parameters())

    def shared(self) -> dict[str, Tensor]:
        """The embeddings of both prompts, float32 [2, embed_dim]."""
        return {"prototypes": self._method.prompts(self.backbone.text)}

    def losses(
        self,
        features: Mapping[str, Tensor],
        masks: Tensor,
        labels: Tensor,
        object_names: Sequence[str],
        shared: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """As `Trainable` says: "image", the score's cross-entropy; "focal", "dice_abnormal" and "dice_normal", the maps' losses,
        summed over the recipe's layers and weighted.
        """
        recipe, weight = self.recipe, self.settings.weight_local
        prototypes = shared["prototypes"]
        parts = {"image": F.cross_entropy(features["image"] @ prototypes.T / recipe.temperature, labels)}
        maps = [self._maps(features[f"layer{layer}"], prototypes) for layer in recipe.layers]
        parts["focal"] = weight * torch.stack([focal_loss(each, masks) for each in maps]).sum()
        parts["dice_abnormal"] = weight * torch.stack([dice_loss(each[:, 1], masks) for each in maps]).sum()
        parts["dice_normal"] = weight * torch.stack([dice_loss(each[:, 0], 1 - masks) for each in maps]).sum()
        return parts

    def tensors(self) -> dict[str, Tensor]:
        """The learned tokens by the names of the authors' files."""
        return {name: value.detach().clone() for name, value in self._method.prompts.named_parameters()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from such tensors."""
        self._method.prompts.fill(MethodWeights("the tensors to go on from", dict(tensors)), self.backbone.card.name)

    def _maps(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """Probabilities of both states, upsampled as the method's map but not smoothed: [batch, 2, image_size, image_size]."""
        probabilities = (patches @ prototypes.T / self.recipe.temperature).softmax(dim=-1).transpose(1, 2)
        side = round(patches.shape[1] ** 0.5)
        size = self.recipe.image_size, self.recipe.image_size
        square = probabilities.reshape(-1, side, side)
        return upsample(square, size, align_corners=False).view(-1, 2, *size)
